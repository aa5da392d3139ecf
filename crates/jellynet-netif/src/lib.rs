//! Which interfaces and addresses has this host now, what changed, and is this address in that
//! set of subnets?
//!
//! # The rules of this crate
//!
//! 1. Addresses say whose they are: [`PeerAddr`], [`LocalAddr`], [`ClientAddr`].
//! 2. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is undone once, where it enters
//!    ([`unmapped`]), and never appears behind that point.
//! 3. Protocol [engines](Engine) see datagrams, a clock reading and interfaces as arguments;
//!    only the driver has sockets and a clock.
//! 4. A list of subnets is read whole: a [`SubnetSet`] holds every entry, or the error names every
//!    bad one. Exclusions win.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod addr;
#[cfg(feature = "tokio")]
mod drive;
mod engine;
mod interface;
#[cfg(feature = "os")]
mod os;
mod subnet;
#[cfg(feature = "tokio")]
mod udp;
#[cfg(feature = "tokio")]
mod watch;

pub use crate::addr::{ClientAddr, LocalAddr, PeerAddr, Provenance, ProxyOnlyReason, unmapped};
#[cfg(feature = "tokio")]
pub use crate::drive::{Driver, Events, drive};
pub use crate::engine::{Engine, Received, Transmit, Via};
pub use crate::interface::{Change, Interface, InterfaceAddr, InterfaceFlags, InterfaceTable};
#[cfg(feature = "os")]
pub use crate::os::interfaces;
pub use crate::subnet::{BadSubnet, BadSubnetReason, NamedSubnets, ParseSubnetSetError, SubnetSet};
#[cfg(feature = "tokio")]
pub use crate::udp::{
    Families, Membership, SendFailures, Sharing, SocketRole, SocketState, UdpConfig, UdpCounters,
    UdpSocketStatus, UdpStatus,
};
#[cfg(feature = "tokio")]
pub use crate::watch::{Interfaces, InterfacesSender, InterfacesUpdate};
