//! The upstream between raw clients and raw servers, and between real ones.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails its test")]

mod ahead;
mod cancel;
mod expect;
mod h2;
mod health;
mod hostile;
mod local_address;
mod meaning;
mod multiplex;
mod nginx;
mod refuse;
mod retry;
mod stage;
mod tls;
mod tunnel;
