//! What arrived, and what did not.

/// The account of one stream. Every number only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RxStats {
    /// Datagrams received, good or not.
    pub datagrams: u64,
    /// Bytes of transport stream delivered.
    pub bytes: u64,
    /// Transport stream packets delivered.
    pub packets: u64,
    /// Datagrams that miss in the RTP sequence, wherever they were lost.
    pub rtp_lost: u64,
    /// Datagrams that came in another order and were put right.
    pub rtp_reordered: u64,
    /// Datagrams that came after they were given up.
    pub rtp_late: u64,
    /// Datagrams that came twice.
    pub rtp_duplicate: u64,
    /// New beginnings: the sender changed its name or its count, as after a reboot.
    pub restarts: u64,
    /// Datagrams that this host's kernel dropped because the receive buffer was full; `None`
    /// where the kernel does not tell.
    pub kernel_dropped: Option<u64>,
    /// Datagrams that are no whole number of packets.
    pub bad_size: u64,
    /// Datagrams whose packets do not begin with `47`.
    pub bad_sync: u64,
    /// Datagrams from another address than the tuner's.
    pub foreign_source: u64,
    /// Packets that the tuner marked as damaged: weak signal.
    pub transport_errors: u64,
    /// Packets missing by the continuity counters, beyond what the RTP sequence explains.
    pub continuity_errors: u64,
}

impl RxStats {
    /// Datagrams lost between the tuner and this host: cable, switch, Wi-Fi.
    ///
    /// What misses in the sequence but was dropped by this host's own kernel is not among them.
    #[must_use]
    pub const fn network_lost(&self) -> u64 {
        match self.kernel_dropped {
            Some(dropped) => self.rtp_lost.saturating_sub(dropped),
            None => self.rtp_lost,
        }
    }

    /// Whether every packet arrived undamaged.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        let dropped = match self.kernel_dropped {
            Some(dropped) => dropped,
            None => 0,
        };
        self.rtp_lost + dropped + self.transport_errors + self.continuity_errors == 0
            && self.bad_size + self.bad_sync == 0
    }
}
