//! Runs the engines on this host's network.

mod host;
mod ladder;
mod minissdpd;
mod search;
mod service;
mod sockets;

pub use self::host::{boot_id, product_line, seed};
pub use self::minissdpd::MINISSDPD_SOCKET;
pub use self::search::Search;
pub use self::service::{Rung, SsdpService, SsdpServiceConfig};
