//! What to tune to, and how patiently.

use std::path::PathBuf;
use std::time::Duration;

use crate::channel::Channel;
use crate::control::ControlOptions;
use crate::ports::{BindAt, RxOptions};
use crate::wire::STREAM_PORT;

/// How tuners are opened and kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TunersConfig {
    /// Time limits of the control session.
    pub control: ControlOptions,
    /// The receive buffer.
    pub rx: RxOptions,
    /// Where to receive; `None` is the address from which this host reaches the device. Default:
    /// `None`.
    pub bind: Option<BindAt>,
    /// How often a keepalive is sent. Default: 1 s, as the vendor's client.
    pub keepalive: Duration,
    /// The device's port for keepalives. Default: 5004.
    pub keepalive_port: u16,
    /// How long a tuner may take to find the signal. Default: 2.5 s.
    pub signal_wait: Duration,
    /// How long the first packet may take. Default: 2.5 s.
    pub data_wait: Duration,
    /// How long a stream may be silent before that is looked into. Default: 3 s.
    pub stall: Duration,
    /// How often a silent stream is set up anew before it is given up. Default: 3.
    pub recoveries: u32,
    /// How many bytes a slow reader may be behind. Default: 8 MiB, three seconds of an ATSC mux.
    pub reader_lag: usize,
    /// Where held locks are written down; `None` forgets them in a crash. Default: `None`.
    pub journal: Option<PathBuf>,
    /// Whether the socket asks for aggregated datagrams. Default: no.
    #[cfg(feature = "gro")]
    pub gro: bool,
}

impl Default for TunersConfig {
    fn default() -> Self {
        Self {
            control: ControlOptions::default(),
            rx: RxOptions::default(),
            bind: None,
            keepalive: Duration::from_secs(1),
            keepalive_port: STREAM_PORT,
            signal_wait: Duration::from_millis(2500),
            data_wait: Duration::from_millis(2500),
            stall: Duration::from_secs(3),
            recoveries: 3,
            reader_lag: 8 << 20,
            journal: None,
            #[cfg(feature = "gro")]
            gro: false,
        }
    }
}

/// What to tune to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct TuneRequest {
    /// The channel.
    pub channel: Channel,
    /// Only this tuner of the device; `None` takes any free one.
    pub tuner: Option<u8>,
}

impl TuneRequest {
    /// The channel, on any tuner.
    #[must_use]
    pub const fn new(channel: Channel) -> Self {
        Self { channel, tuner: None }
    }

    /// The same channel on this tuner.
    #[must_use]
    pub const fn on_tuner(mut self, tuner: u8) -> Self {
        self.tuner = Some(tuner);
        self
    }
}
