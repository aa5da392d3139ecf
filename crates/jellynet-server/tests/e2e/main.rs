//! The binary as its users meet it: in network namespaces, beside real peers.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

// Stands in for it in the fuzz targets, which are modules of `seeds`.
extern crate jellynet_test as libfuzzer_sys;

mod acme;
mod acme_strict;
mod admin;
mod cert;
mod cli;
mod doctor;
mod explain;
mod found;
mod house;
mod https;
mod live_tv;
mod local_ca;
mod passes;
mod proxies;
mod reload;
mod restart;
mod rig;
mod secrets;
mod seeds;
mod seen;
mod sites;
mod slow;
mod trust;
