//! The engines on a virtual network, the wire format, and real peers in network namespaces.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail them like tests do"
)]

mod announcing;
mod answering;
mod changes;
#[cfg(feature = "http")]
mod describing;
mod floods;
mod golden;
mod laws;
mod messages;
#[cfg(all(feature = "http", feature = "udp", target_os = "linux"))]
mod peers;
mod searching;
mod support;
