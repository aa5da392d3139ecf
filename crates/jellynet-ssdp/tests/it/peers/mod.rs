//! Real programs on real sockets: a server on two LANs, and a client on each.

mod beside;
mod finding;
mod flapping;
mod flood;
mod seen;
mod stage;
mod wire;
