//! What an engine needs of its sockets.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::interface::Interface;

/// Which sockets [`drive`](crate::drive) opens for an engine.
///
/// | socket | how many | for |
/// | --- | --- | --- |
/// | listening | one per family, on the wildcard address and the port | what is sent to the port: unicast, broadcast and the joined groups; replies |
/// | unicast | one per address of this host, on the port | unicast to the port, which another program on this host could otherwise take away |
/// | announcing | one per address of this host, on an ephemeral port | what the engine sends on its own account; answers to it |
///
/// # Examples
///
/// ```
/// use jellynet_netif::UdpConfig;
///
/// // Answers broadcasts and unicast on one port, beside other programs on it.
/// let responder = UdpConfig::listen(7359);
/// // Asks by broadcast from every address of this host.
/// let searcher = UdpConfig::announce().with_broadcast();
/// // Both, over two families and three groups.
/// let ssdp = UdpConfig::listen(1900)
///     .with_ipv6()
///     .with_group([239, 255, 255, 250])
///     .with_group("ff02::c".parse::<std::net::IpAddr>()?)
///     .with_group("ff05::c".parse::<std::net::IpAddr>()?)
///     .with_multicast_hops(2)
///     .with_unicast_sockets()
///     .with_announcing();
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone)]
pub struct UdpConfig {
    pub(super) port: Option<u16>,
    pub(super) families: Families,
    pub(super) sharing: Sharing,
    pub(super) groups: Vec<IpAddr>,
    pub(super) unicast: bool,
    pub(super) announcing: bool,
    pub(super) broadcast: bool,
    pub(super) hops: u8,
    pub(super) retry: (Duration, Duration),
    filter: Option<Arc<dyn Fn(&Interface) -> bool + Send + Sync>>,
}

/// The address families that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both, on separate sockets; a family that the kernel lacks is a failed socket in the status,
    /// and the other works.
    Both,
}

impl Families {
    pub(super) const fn has(self, ip: IpAddr) -> bool {
        match self {
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
            Self::Both => true,
        }
    }
}

/// Whether other programs may use the same port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sharing {
    /// `SO_REUSEADDR` and `SO_REUSEPORT`, the one combination that gets along with programs that
    /// set either or both. Broadcasts and groups reach everyone, unicast only one program.
    Shared,
    /// The port is this program's alone, or the socket fails.
    Exclusive,
}

impl UdpConfig {
    /// Listens on `port`, 0 for one that the system picks: IPv4, shared, no groups, replies only.
    #[must_use]
    pub fn listen(port: u16) -> Self {
        Self {
            port: Some(port),
            families: Families::V4,
            sharing: Sharing::Shared,
            groups: Vec::new(),
            unicast: false,
            announcing: false,
            broadcast: false,
            hops: 1,
            retry: (Duration::from_secs(1), Duration::from_secs(60)),
            filter: None,
        }
    }

    /// Sends from an ephemeral port of every address, hears the answers, and listens on no port:
    /// IPv4.
    #[must_use]
    pub fn announce() -> Self {
        Self { port: None, announcing: true, ..Self::listen(0) }
    }

    /// Speaks IPv6 too.
    #[must_use]
    pub const fn with_ipv6(self) -> Self {
        self.with_families(Families::Both)
    }

    /// Speaks these families. Default: IPv4 only.
    #[must_use]
    pub const fn with_families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// Whether other programs may use the port. Default: shared.
    #[must_use]
    pub const fn with_sharing(mut self, sharing: Sharing) -> Self {
        self.sharing = sharing;
        self
    }

    /// Joins this group on every interface that can multicast, by its index; datagrams to a group
    /// that other programs joined elsewhere stay away (`IP_MULTICAST_ALL` off).
    #[must_use]
    pub fn with_group(mut self, group: impl Into<IpAddr>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// Opens a socket per address on the port too, see the table above. Only where the port is
    /// shared: nobody can take anything away from an exclusive one.
    #[must_use]
    pub const fn with_unicast_sockets(mut self) -> Self {
        self.unicast = true;
        self
    }

    /// Opens a socket per address on an ephemeral port too, for
    /// [`Via::Announce`](crate::Via::Announce).
    #[must_use]
    pub const fn with_announcing(mut self) -> Self {
        self.announcing = true;
        self
    }

    /// Allows sending to IPv4 broadcast addresses.
    #[must_use]
    pub const fn with_broadcast(mut self) -> Self {
        self.broadcast = true;
        self
    }

    /// How many routers a datagram to a group may pass, plus one. Default: 1, this link only.
    #[must_use]
    pub const fn with_multicast_hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// How long after a failure a socket is tried again at first and at most, doubling in
    /// between; a change of interfaces tries at once. Default: 1 s to 60 s.
    #[must_use]
    pub const fn with_retry(mut self, first: Duration, most: Duration) -> Self {
        self.retry = (first, most);
        self
    }

    /// Uses only interfaces for which `filter` says yes: no group is joined on another, nothing
    /// is sent by it, and what comes in by it is dropped and counted. Default: all.
    #[must_use]
    pub fn with_interfaces<F>(mut self, filter: F) -> Self
    where
        F: Fn(&Interface) -> bool + Send + Sync + 'static,
    {
        self.filter = Some(Arc::new(filter));
        self
    }

    pub(super) fn uses(&self, interface: &Interface) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter(interface))
    }
}

impl fmt::Debug for UdpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpConfig")
            .field("port", &self.port)
            .field("families", &self.families)
            .field("sharing", &self.sharing)
            .field("groups", &self.groups)
            .field("unicast", &self.unicast)
            .field("announcing", &self.announcing)
            .field("broadcast", &self.broadcast)
            .field("hops", &self.hops)
            .field("retry", &self.retry)
            .field("filtered", &self.filter.is_some())
            .finish()
    }
}
