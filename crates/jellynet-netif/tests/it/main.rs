//! The watcher and the driver over real sockets.

#![cfg(feature = "tokio")]

#[cfg(test)]
mod engines;
#[cfg(test)]
mod lans;
#[cfg(test)]
mod loopback;
#[cfg(test)]
mod watcher;
