//! The driver over real sockets.

#![cfg(feature = "tokio")]

#[cfg(test)]
mod engines;
#[cfg(test)]
mod loopback;
