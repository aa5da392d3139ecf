//! Who is JellyfinServer? Jellyfin client discovery on 7359/udp, both sides.
//!
//! A client that starts knows no server. It broadcasts a question, and each server on its link
//! answers with a URL, an id and a name. This crate is both: the [`Responder`] that is asked and
//! the [`Seeker`] that asks, as pure [engines](jellynet_netif::Engine), and around them
//! `DiscoveryService` and `seek` with real sockets.
//!
//! # The rules of this crate
//!
//! 1. A server is a [`ServerId`], a name, and a rule that gives the URL under which *this* asker
//!    reaches it ([`Identity`]). A responder may speak for several.
//! 2. The answer leaves at once, from the address that was asked, by the interface the question
//!    came by.
//! 3. The answer is less than 1024 bytes, its members in the order and letters that clients look
//!    for, and never names an endpoint address ([`Answer`]).
//! 4. Only who is on the link is answered, unless listed; each source and all together are
//!    limited; answers are never answered ([`Responder`]).
//! 5. No URL, no answer: a wrong address is worse than none.
//!
//! # Examples
//!
//! ```
//! use jellynet_discovery::{Identity, Responder, ResponderConfig, ServerId};
//!
//! let id: ServerId = "0123456789abcdef0123456789abcdef".parse()?;
//! let responder = Responder::new(ResponderConfig::default())
//!     .with_identity(Identity::new(id, "Living room", |asker| Some(asker.http(8096))));
//! assert_eq!(responder.identities().len(), 1);
//! # Ok::<(), jellynet_discovery::ParseServerIdError>(())
//! ```
//!
//! # What this crate does not do
//!
//! It does not choose the URL (`jellynet-published` does), speak SSDP (`jellynet-ssdp` does), or
//! fetch anything from a server that it found. It speaks IPv4, as all clients do: IPv6 has no
//! broadcast.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `udp` | yes | `DiscoveryService` and `seek` over real sockets (tokio) |
//! | `id-file` | yes | `ServerId::load_or_create` |
//! | `stream` | no | `futures_core::Stream` for a search |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod id;
#[cfg(feature = "id-file")]
mod id_file;
mod json;
mod limit;
mod question;
mod responder;
#[cfg(feature = "udp")]
mod search;
mod seeker;
#[cfg(feature = "udp")]
mod service;

pub use crate::answer::{Answer, DecodeAnswerError};
pub use crate::id::{ParseServerIdError, ServerId};
#[cfg(feature = "id-file")]
pub use crate::id_file::LoadServerIdError;
pub use crate::limit::Rate;
pub use crate::question::Probes;
pub use crate::responder::{
    Asker, Identity, Responder, ResponderConfig, ResponderEvent, ResponderStats,
};
#[cfg(feature = "udp")]
pub use crate::search::{Search, seek};
pub use crate::seeker::{Found, SeekEvent, Seeker, SeekerConfig, SeekerStats, Server};
#[cfg(feature = "udp")]
pub use crate::service::{DiscoveryEvent, DiscoveryService};

/// The port that clients ask: 7359/udp.
pub const PORT: u16 = 7359;

#[cfg(all(doctest, feature = "udp", feature = "id-file"))]
#[doc = include_str!("../README.md")]
struct Readme;
