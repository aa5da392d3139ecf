//! What the device is and how it misbehaves.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;

use crate::device_id::DeviceId;
use crate::wire::{PORT, STREAM_PORT};

/// What the device is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SimConfig {
    /// Where it listens; broadcasts reach only the wildcard address. Default: 0.0.0.0.
    pub address: IpAddr,
    /// The port of discovery and control, 0 for any. Default: 65001.
    pub port: u16,
    /// The port of keepalives, from which streams come, 0 for any. Default: 5004.
    pub stream_port: u16,
    /// The port of the HTTP API, 0 for any. Default: none.
    pub http_port: Option<u16>,
    /// Its id. Default: 10A5B1C0.
    pub id: DeviceId,
    /// Its model. Default: `HDHR3-US`.
    pub model: String,
    /// How many tuners. Default: 2.
    pub tuners: u8,
    /// Whether discovery replies say no more than the oldest firmware did. Default: no.
    pub legacy: bool,
    /// Whether it streams RTP. Default: yes.
    pub rtp: bool,
    /// Datagrams per second of each stream. Default: 1842, an ATSC mux.
    pub packets_per_second: u32,
    /// The transport stream that is sent over and over, with its counters corrected; whole
    /// packets. Default: a small synthetic one.
    pub transport_stream: Option<Bytes>,
    /// The channels that have a signal. Default: two on 183 and 189 MHz.
    pub channels: Vec<SimChannel>,
    /// How long a lock lives without commands and stream. Default: 30 s.
    pub lock_expiry: Duration,
    /// How long a stream lives without a keepalive; `None` for ever. Default: `None`.
    pub keepalive_timeout: Option<Duration>,
    /// Whether streams come from a random port instead of the stream port. Default: no.
    pub random_source_port: bool,
    /// The interfaces on which it joins the IPv6 groups, by index. Default: none.
    pub interfaces: Vec<u32>,
    /// How it misbehaves.
    pub faults: Faults,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::UNSPECIFIED.into(),
            port: PORT,
            stream_port: STREAM_PORT,
            http_port: None,
            id: DeviceId::mint(0x10A5_B1C0),
            model: "HDHR3-US".into(),
            tuners: 2,
            legacy: false,
            rtp: true,
            packets_per_second: 1842,
            transport_stream: None,
            channels: vec![
                SimChannel::new(
                    183_000_000,
                    "8vsb",
                    [(3, "5.1", "KTST-HD"), (4, "5.2", "KTST-SD")],
                ),
                SimChannel::new(189_000_000, "8vsb", [(1, "9.1", "KSIM"), (2, "9.2", "KSIM-2")]),
            ],
            lock_expiry: Duration::from_secs(30),
            keepalive_timeout: None,
            random_source_port: false,
            interfaces: Vec::new(),
            faults: Faults::default(),
        }
    }
}

impl SimConfig {
    /// A device on this address of the loopback network, with ports that the system picks.
    #[must_use]
    pub fn on_loopback(address: IpAddr) -> Self {
        Self { address, port: 0, stream_port: 0, ..Self::default() }
    }
}

/// A frequency with a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimChannel {
    /// In hertz.
    pub frequency: u32,
    /// As the device names it, such as `8vsb`.
    pub modulation: String,
    /// Number, virtual channel and name of each programme.
    pub programs: Vec<(u16, String, String)>,
}

impl SimChannel {
    /// A frequency with these programmes.
    #[must_use]
    pub fn new<'a>(
        frequency: u32,
        modulation: &str,
        programs: impl IntoIterator<Item = (u16, &'a str, &'a str)>,
    ) -> Self {
        let programs = programs.into_iter();
        Self {
            frequency,
            modulation: modulation.to_owned(),
            programs: programs.map(|(n, c, name)| (n, c.to_owned(), name.to_owned())).collect(),
        }
    }
}

/// How the device, or the network between, misbehaves. Default: not at all.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Faults {
    /// Loses every n-th datagram of a stream.
    pub drop_every: Option<u64>,
    /// Sends every n-th datagram twice.
    pub duplicate_every: Option<u64>,
    /// Swaps every n-th datagram with the next one.
    pub swap_every: Option<u64>,
    /// Marks the first packet of every n-th datagram as damaged.
    pub transport_error_every: Option<u64>,
    /// Sends a datagram from this address after every hundredth of the stream.
    pub injector: Option<IpAddr>,
    /// Sends control replies byte by byte.
    pub dribble: bool,
    /// Waits before each control reply.
    pub delay: Option<Duration>,
    /// Sends only the first half of a control reply and closes.
    pub cut_off: bool,
    /// Damages the checksum of control replies.
    pub bad_crc: bool,
    /// Ends control replies inside a two-byte length.
    pub truncated_length: bool,
    /// Adds tags that nobody knows.
    pub unknown_tags: bool,
    /// Sends every control reply twice in one segment.
    pub two_replies: bool,
    /// How many control connections it closes instead of answering.
    pub hang_up: u32,
    /// Answers neither discovery nor control, and sends nothing.
    pub silent: bool,
    /// Replies to discovery from another port.
    pub wrong_reply_port: bool,
    /// Says that this address holds every lock.
    pub locked_by: Option<IpAddr>,
    /// Refuses to tune, as during a channel scan.
    pub busy: bool,
    /// Finds no signal on any channel.
    pub no_signal: bool,
    /// Finds a signal but cannot decode it.
    pub no_lock: bool,
    /// Tunes and accepts the target, but sends nothing.
    pub no_data: bool,
    /// Goes on sending when a host answers that the port is closed.
    pub ignore_icmp: bool,
}

/// Whether the `number`-th event is one of every `every`.
pub(super) fn hits(every: Option<u64>, number: u64) -> bool {
    every.is_some_and(|every| every > 0 && number % every == every - 1)
}
