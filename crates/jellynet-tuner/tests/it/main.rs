//! The crate as its users see it: against simulated devices, the vendor's client, real kernels.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod api;
mod control;
mod engine;
mod firewall;
mod official;
mod ports;
mod rx;
mod share;
mod stream;
mod support;
mod wire;
