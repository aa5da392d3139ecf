//! The driver over real sockets.

#![cfg(feature = "tokio")]

mod engines;
mod loopback;
