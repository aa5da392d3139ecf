//! The helpers, tried on this machine.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail them")]

mod echo;
mod law;
mod real;
mod virtual_network;
