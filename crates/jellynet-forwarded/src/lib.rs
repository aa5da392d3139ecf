//! Who is the client really, and by which scheme and host did it come?
//!
//! # The rules of this crate
//!
//! 1. A peer that is no [known proxy](KnownProxies) is the client itself, whatever it claims. Every
//!    forwarding header of its request is ignored. Loopback and Unix sockets are known only where
//!    they are listed.
//! 2. Of a known proxy, one [`Family`] of headers is read: all lines of the header as one list,
//!    from the right, byte for byte. The walk goes on while the address is a known proxy, at most
//!    32 hops or the [`HopLimit`], and stops at the first that is not: the client. Nothing left of
//!    the stop is read.
//! 3. An entry is an address by the table of [`Node`], or the walk ends there without a client.
//!    Addresses are compared without zone and in IPv4 where they are IPv4-mapped.
//! 4. Scheme and host pair with their hop from the right; fewer values than hops mean the nearest;
//!    without `X-Forwarded-For` the rightmost counts. Schemes are http, https, ws and wss; a host
//!    is a [`Host`], and one of the [`AllowedHosts`].
//! 5. What a proxy sets is its [`Contract`]. By default that is address, scheme and host;
//!    `X-Forwarded-Port` and `-Prefix` count only where the contract has them.
//! 6. `Forwarded` is read by the grammar of RFC 7239: quoted strings, escapes, no parameter twice.
//!    `unknown`, `_hidden` and an element without `for` end the walk.
//! 7. With [`Family::Both`], two families that disagree about client, scheme or host both count
//!    for nothing.
//! 8. The result says how the client is known:
//!
//! | provenance | the peer is | the address is |
//! | --- | --- | --- |
//! | `Direct` | no known proxy | the peer's |
//! | `Forwarded { hops }` | a known proxy | that of the first who is none |
//! | `ProxyOnly { reason }` | a known proxy that names no client | the last proxy's: **no policy may take it for a client on the LAN** |
//!
//! 9. The [PROXY protocol](proxy_protocol) is required or refused by listener and peer, never
//!    guessed. It is the first hop; headers are read behind it only if it names a known proxy.
//! 10. What is odd is [flagged](AuditFlag) and counted; what an operator should put right is told,
//!     once in ten minutes. The normal end of a walk is not odd.
//!
//! # Examples
//!
//! ```
//! use jellynet_forwarded::{Connection, KnownProxies, Rules};
//! use jellynet_netif::PeerAddr;
//!
//! let rules = Rules::new(KnownProxies::parse(["10.0.0.2", "172.18.0.0/16"])?.to_set());
//!
//! let headers = [
//!     ("Host", "jellyfin:8096"),
//!     ("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 172.18.0.5"),
//!     ("X-Forwarded-Proto", "https"),
//!     ("X-Forwarded-Host", "tv.example"),
//! ];
//! let proxy = Connection::from_peer(PeerAddr::inet("10.0.0.2:4711".parse()?));
//! let resolved = rules.resolve(&proxy, headers.as_slice());
//! assert_eq!(resolved.client.map(|client| client.ip.to_string()), Some("203.0.113.9".into()));
//! assert_eq!((resolved.scheme.as_str(), resolved.hops), ("https", 2));
//! assert_eq!(resolved.host.map(|host| host.name()), Some("tv.example"));
//!
//! let stranger = Connection::from_peer(PeerAddr::inet("10.0.0.3:4711".parse()?));
//! let resolved = rules.resolve(&stranger, headers.as_slice());
//! assert_eq!(resolved.provenance(), "direct");
//! assert_eq!(resolved.host.map(|host| host.name()), Some("jellyfin"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this crate does not do
//!
//! It refuses nobody: that is for a policy behind it, such as `jellynet-access`. It writes no
//! forwarding headers for a server further up. It takes no client from `X-Real-IP` and the like,
//! resolves no names while a request waits, and does not tell a local client from a remote one.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `tower` | yes | [`ForwardedLayer`]; with `http` and `live` |
//! | `http` | yes | [`Headers`] for `http::HeaderMap` |
//! | `live` | yes | [`LiveRules`], which change while requests run, and [`AuditLog`] |
//! | `tokio` | no | [`proxy_protocol::accept`], which reads from a stream with a deadline |
//! | `dns` | no | [`HostNames`], which follows proxies that are known by name |
//! | `tracing` | no | audit events as log lines |
//! | `serde` | no | `Serialize` for [`Resolved`] and its parts |
//!
//! Without features it is the walk alone: no allocation for a request, no tokio, no http.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod audit;
mod contract;
#[cfg(feature = "dns")]
mod dns;
mod headers;
mod host;
#[cfg(feature = "tower")]
mod layer;
mod list;
#[cfg(feature = "live")]
mod live;
#[cfg(feature = "dns")]
mod names;
mod proxies;
pub mod proxy_protocol;
mod resolve;
mod rfc7239;
mod rules;
mod scheme;

pub use crate::address::{Node, NotAnAddress};
pub use crate::audit::{Audit, AuditFlag};
#[cfg(feature = "live")]
pub use crate::audit::{AuditEvent, AuditLog};
pub use crate::contract::{Contract, ParseContractError};
#[cfg(feature = "dns")]
pub use crate::dns::{HostNames, NamesConfig, Resolve, SystemResolver};
pub use crate::headers::{Field, Headers};
pub use crate::host::{AllowedHosts, Host, ParseAllowedHostsError};
#[cfg(feature = "tower")]
pub use crate::layer::{EffectiveOrigin, Forwarded, ForwardedLayer, Strip};
#[cfg(feature = "live")]
pub use crate::live::LiveRules;
#[cfg(feature = "dns")]
pub use crate::names::NameEvent;
pub use crate::proxies::{
    BadProxy, BadProxyReason, KnownProxies, ParseKnownProxiesError, ProxySet,
};
pub use crate::resolve::{Connection, PreambleClient, Resolved};
pub use crate::rules::{Family, HopLimit, HopLimitError, Rules};
pub use crate::scheme::Scheme;

#[cfg(all(doctest, feature = "tower"))]
#[doc = include_str!("../README.md")]
struct Readme;
