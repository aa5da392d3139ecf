//! UPnP discovery (SSDP), both sides: advertise, answer, search, describe.
//!
//! Who is there on UPnP? A television, VLC or the Jellyfin client for Roku find a media server by
//! the announcements of an [`Advertiser`], or by a search that it answers, and then read its
//! [`Description`](description::Description). A [`Searcher`] is the other side of that.
//!
//! # The rules of this crate
//!
//! 1. **Every interface has its own truth.** A device is announced and answered for on each link,
//!    IPv4 and IPv6, with the URL that is right there; an answer leaves from the address and the
//!    interface that the question came by. A device without a URL on a link is not seen there.
//! 2. **The network is followed.** Interfaces and addresses come, go and change; each change is
//!    told in the order of the UPnP Device Architecture, a flapping link makes no storm, and what
//!    is gone is never named again. Starting before the first address is there is fine.
//! 3. **Port 1900 is shared.** Another program that has it for itself is a status
//!    and not a failure: announcements go on, unicast searches go to another port, `minissdpd` is
//!    asked to answer the rest.
//! 4. **Strangers are told nothing.** Searches count when they come from the link; there are limits
//!    per source and for all, bounds on everything that is kept, and no answer is sent twice.
//! 5. **Read leniently, write strictly.** What real control points write is understood, what is no
//!    message is silence, and no name given by a user can become a header or an element.
//! 6. **Engines are functions.** [`Advertiser`] and [`Searcher`] have no sockets, no clock and no
//!    random source; `SsdpService` and `Search` run them with tokio.
//!
//! # Examples
//!
//! Advertises a media server on every network that this host is on:
//!
//! ```no_run
//! # #[cfg(feature = "udp")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::net::SocketAddr;
//!
//! use jellynet_netif::Interfaces;
//! use jellynet_ssdp::{
//!     Advertiser, AdvertiserConfig, Device, RootDevice, SsdpService, SsdpServiceConfig, boot_id,
//!     product_line, seed,
//! };
//!
//! let uuid = "2fac1234-31f8-11b4-a222-08002b34c003".parse()?;
//! let device = RootDevice::new(Device::media_server(uuid), |_interface, address| {
//!     let here = SocketAddr::new(address, 8096);
//!     Some(format!("http://{here}/dlna/description.xml"))
//! });
//! let config = AdvertiserConfig::new(product_line("example", "1.0"), boot_id(), seed());
//! let advertiser = Advertiser::new(config, vec![device])?;
//! let (service, mut events) =
//!     SsdpService::start(advertiser, SsdpServiceConfig::default(), Interfaces::watch()?);
//! println!("{:?}", events.next().await);
//! service.stop().await;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "udp"))]
//! # fn main() {}
//! ```
//!
//! # What this crate does not do
//!
//! - It serves descriptions and icons, not content: browsing (`ContentDirectory`) and events
//!   belong to the media server. [`check_callbacks`] is for servers that send events.
//! - It fetches nothing by itself: a `LOCATION` is a stranger's word. `Found::summary` (feature
//!   `fetch`) gets a description from the very host that answered, within narrow bounds.
//! - It does not search for Jellyfin servers; that is another protocol on another port.
//! - It opens no port on a router.
//!
//! # Features
//!
//! | feature | adds | default |
//! | --- | --- | --- |
//! | `udp` | `SsdpService` and `Search`: the engines on this host's network, with tokio | no |
//! | `fetch` | `Found::summary`: gets and reads the description of a device that was found | no |
//! | `http` | `description::DescribeLayer`: serves descriptions and icons before any tower service | no |
//!
//! Without any of them there are the messages, the engines and the XML, and neither tokio nor a socket.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod advertiser;
mod bucket;
mod callback;
pub mod description;
mod device;
mod hash;
mod link;
pub mod message;
mod random;
mod searcher;
mod target;
#[cfg(feature = "udp")]
mod udp;
mod uuid;

pub use self::advertiser::{
    Advertiser, AdvertiserConfig, AdvertiserConfigError, AdvertiserCounters, AdvertiserEvent,
    Limits, LinkStatus, MAX_DEVICES, SkipReason,
};
pub use self::callback::{Callback, CallbackError, MAX_CALLBACKS, check_callbacks};
pub use self::device::{Advertisement, Device, LocationFn, RootDevice};
pub use self::link::{Families, GROUP_V4, GROUP_V6_LINK, GROUP_V6_SITE, InterfaceFilter, PORT};
pub use self::searcher::{
    Found, MAX_TARGETS, Searcher, SearcherConfig, SearcherConfigError, SearcherCounters,
    SearcherEvent, Way,
};
pub use self::target::{ParseTargetError, Target, TypeName};
#[cfg(feature = "udp")]
#[cfg_attr(docsrs, doc(cfg(feature = "udp")))]
pub use self::udp::{
    MINISSDPD_SOCKET, Rung, Search, SsdpService, SsdpServiceConfig, boot_id, product_line, seed,
};
pub use self::uuid::{ParseUuidError, Uuid};

#[cfg(all(doctest, feature = "http", feature = "udp"))]
#[doc = include_str!("../README.md")]
struct Readme;
