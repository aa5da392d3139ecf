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
//! 5. What cannot be read or opened is told and tried again; the rest works meanwhile.
//!
//! # Examples
//!
//! ```
//! use jellynet_netif::{Interface, InterfaceTable, SubnetSet};
//!
//! let table = InterfaceTable::new([
//!     Interface::loopback(1),
//!     Interface::new("eth0", 2).with_address("192.168.1.10/24".parse()?),
//! ]);
//! let (interface, address) = table.on_link("192.168.1.50".parse()?).expect("it is on the link");
//! assert_eq!((interface.name.as_str(), address.ip()), ("eth0", "192.168.1.10".parse()?));
//!
//! let lan = SubnetSet::parse(["private", "!192.168.1.128/25"])?;
//! assert!(lan.contains("192.168.1.50".parse()?));
//! assert!(!lan.contains("192.168.1.200".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this crate does not do
//!
//! It configures nothing: no address, no route, no interface. It reads no routing table and
//! resolves no name.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `os` | by `tokio` | `interfaces`: reads this host's interfaces |
//! | `tokio` | yes | `Interfaces`, which follows them, and `drive`, which runs engines over UDP |
//! | `serde` | no | tables as JSON, [`SubnetSet`] from and to a list of entries |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod addr;
mod change;
#[cfg(feature = "tokio")]
mod drive;
mod engine;
mod interface;
mod list;
#[cfg(feature = "os")]
mod os;
mod request_id;
mod subnet;
#[cfg(feature = "tokio")]
mod udp;
#[cfg(feature = "tokio")]
mod watch;

pub use crate::addr::{ClientAddr, LocalAddr, PeerAddr, Provenance, ProxyOnlyReason, unmapped};
pub use crate::change::Change;
#[cfg(feature = "tokio")]
pub use crate::drive::{Driver, Events, drive};
pub use crate::engine::{Engine, Received, Transmit, Via};
pub use crate::interface::{Interface, InterfaceAddr, InterfaceFlags, InterfaceTable};
pub use crate::list::{BadEntry, ParseListError};
#[cfg(feature = "os")]
pub use crate::os::interfaces;
pub use crate::request_id::RequestId;
pub use crate::subnet::{BadSubnet, BadSubnetReason, NamedSubnets, ParseSubnetSetError, SubnetSet};
#[cfg(feature = "tokio")]
pub use crate::udp::{
    Families, Membership, SendFailures, Sharing, SocketRole, SocketState, UdpConfig, UdpCounters,
    UdpSocketStatus, UdpStatus,
};
#[cfg(feature = "tokio")]
pub use crate::watch::{Interfaces, InterfacesSender, InterfacesUpdate};
