//! The binary as its users meet it: in network namespaces, beside real peers.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod cert;
mod cli;
mod explain;
mod found;
mod house;
mod https;
mod proxies;
mod rig;
