//! Under which URL does *this* peer reach this server, and why that one?
//!
//! A server with several addresses, behind a router, a proxy or inside a container has no one
//! URL. Whoever asks (discovery on 7359, `LocalAddress` in `/System/Info/Public`, SSDP) gets the
//! answer of one pure function, and so all of them say the same.
//!
//! # The rule
//!
//! The first line that applies, whose URL is not [rejected](Rejection) and is of the peer's family
//! (or names a host by name), is the answer. Where there is none, the first of the other family is:
//! a published one, or an address of this host if it has none of the peer's family at all.
//!
//! | | candidate | for whom | among several |
//! | --- | --- | --- | --- |
//! | 1 | the scheme and host of the request | a request, with [`by_request`](PublishedConfig::by_request) | |
//! | 2 | a [published URL](#published-urls) | whom its key names | the most specific key |
//! | 3 | a loopback address | this host itself | the one that asked |
//! | 4 | an address on the peer's link | peers in its subnet; link-local and point-to-point peers that came by its interface | longest prefix, then the interface it came by, then hardware, then lasting addresses |
//! | 5 | an address that routers lead to | peers elsewhere | the interface it came by, then lasting addresses, then the most leading bits in common |
//! | 6 | the scheme and host of the request | a request, without `by_request` | |
//! | 7 | an address of the other family | peers near that interface, then peers elsewhere | the interface it came by, then lasting addresses |
//!
//! Never announced, whatever else there is:
//!
//! | what | to whom |
//! | --- | --- |
//! | loopback | a peer that is not this host |
//! | an address of the other family | a peer of whose family there is an answer, or an address that is merely of no use to it |
//! | an address of a container or another software network | a peer outside its subnet; anybody for whom a URL is published |
//! | a private address | a public peer, or one of another kind of private network (RFC 1918 and RFC 4193 against 100.64.0.0/10) |
//! | a link-local address | peers off the link, and for IPv6 everybody: a URL has no zone |
//! | an address that is tentative, on an interface that is down, or that nothing listens on | anybody |
//! | `https`, or a name | a peer that asked for a [plain address](Ask::plain_address) |
//!
//! A server that answers only under names, as one of several behind one address, has its
//! [`OwnHost`] written in place of this host's address; where no name can be told, only published
//! URLs are left.
//!
//! When nothing is left there is no answer. No answer is better than a wrong one.
//!
//! A peer is *internal* when it is on a link of this host or in [`lan`](PublishedConfig::lan), and
//! is not excluded there. Internal peers get the port of the listener, external ones the public
//! port. Plain HTTP goes before HTTPS unless [`prefer_https`](PublishedConfig::prefer_https).
//!
//! # Published URLs
//!
//! | entry | for | specific as |
//! | --- | --- | --- |
//! | `https://media.example` or `all=https://media.example` | everybody | 0 |
//! | `internal=…`, `external=…` | internal or external peers | 1 |
//! | `10.8.0.0/16=…`, `192.168.1.7=…`, `fd00::/8=…`, `tailscale=…` | peers in that subnet or [named set](jellynet_netif::NamedSubnets) | 2 + its prefix |
//! | `eth0=…` | peers in a subnet of that interface, or that came by it | 2 + that subnet's prefix |
//!
//! Jellyfin: `all` drops every other entry, and an entry that cannot be read drops the whole list.
//! Here `all` is for whom nothing else is, and every bad entry is an
//! [error](PublishedConfigError) that shows the corrected text: a URL without a scheme, with a
//! query, or with a path that lacks the base URL; one without any path gets it.
//!
//! # Examples
//!
//! ```
//! use jellynet_netif::{Interface, InterfaceTable};
//! use jellynet_published::{Ask, Listener, Published, PublishedConfig};
//!
//! let mut config = PublishedConfig::default();
//! config.base_path = "/tv".into();
//! config.overrides = vec!["external=https://media.example/tv".into()];
//! let published = Published::new(config)?;
//!
//! let interfaces = InterfaceTable::new([
//!     Interface::loopback(1),
//!     Interface::new("eth0", 2).with_address("192.168.1.10/24".parse()?),
//! ]);
//! let listeners = [Listener::http("0.0.0.0:8096".parse()?)];
//! let url = |peer: &str| {
//!     let ask = Ask::new(peer.parse().ok()?);
//!     Some(published.for_peer(&ask, &interfaces, &listeners)?.url)
//! };
//! assert_eq!(url("192.168.1.50").as_deref(), Some("http://192.168.1.10:8096/tv"));
//! assert_eq!(url("203.0.113.9").as_deref(), Some("https://media.example/tv"));
//! assert_eq!(url("127.0.0.1").as_deref(), Some("http://127.0.0.1:8096/tv"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this crate does not do
//!
//! It opens no socket, resolves no name and tries no URL. It does not find out the public address
//! of a router, nor who the client behind a proxy is.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod answer;
mod candidate;
mod overrides;
mod published;
mod scope;
mod target;
mod url;

pub use crate::answer::{Announced, Because, Considered, Explanation, Rejection, Verdict};
pub use crate::overrides::{BadOverride, BadOverrideReason, PublishedConfigError};
pub use crate::published::{Ask, Listener, OwnHost, Published, PublishedConfig};
pub use crate::url::BadUrl;
