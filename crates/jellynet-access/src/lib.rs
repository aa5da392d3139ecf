//! May this client come in: LAN, remote access, allow and block lists that fail closed?
//!
//! # The rules of this crate
//!
//! 1. A [`Policy`] decides by the client's address *and how it is known*; its table is the whole
//!    rule. It is a pure function that allocates nothing.
//! 2. It fails closed: without an address nobody comes in; a list with an entry that cannot be
//!    read is an error ([`ParseSubnetSetError`](jellynet_netif::ParseSubnetSetError), [`ParseRemoteFilterError`]), never a shorter list; an
//!    allow list never becomes "all", unless it is cleared on purpose.
//! 3. A known proxy that names no client is remote, wherever the proxy stands.
//! 4. Loopback is let in always, but only when the client itself connected from there.
//! 5. The lists are Jellyfin's in syntax and default ([`Lan`], [`RemoteFilter`]); sets such as
//!    `tailscale` or `cgnat` count only where they are named.
//! 6. The layer answers before anything else does: 403 with a short body, the [`Decision`] in the
//!    response's extensions, one log line, one counter. A changed policy counts from the next
//!    request on.
//!
//! # The log line
//!
//! With the feature `tracing`, each refusal is one event at level `warn`, target
//! `jellynet_access`, with fields in this order and nothing in it that a client can write:
//!
//! ```text
//! 2026-11-23T18:12:29.123456Z  WARN jellynet_access: refuse request client=203.0.113.9 peer=10.0.0.2 reason=not-allow-listed
//! ```
//!
//! A client that a proxy did not name has no `client=`. The repository has a fail2ban filter for
//! this line, and a test that fail2ban finds it.
//!
//! # What this crate does not do
//!
//! It does not find the client behind a proxy: `jellynet-forwarded` does, and tells by
//! [`ClientAddr`](jellynet_netif::ClientAddr). It knows no users and no passwords, limits no
//! rates, and bans nobody.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `tower` | yes | [`AccessLayer`], [`LivePolicy`], [`Counters`] |
//! | `tracing` | no | the log line |
//! | `serde` | no | `Serialize` for decisions, and both ways for [`FilterMode`] |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod decision;
mod filter;
mod lan;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod live;
mod policy;

pub use crate::decision::{Decision, Reason};
pub use crate::filter::{FilterMode, ParseRemoteFilterError, RemoteFilter};
pub use crate::lan::Lan;
#[cfg(feature = "tower")]
pub use crate::layer::{Access, AccessLayer, Counters, ResponseFuture};
#[cfg(feature = "tower")]
pub use crate::live::LivePolicy;
pub use crate::policy::{Policy, UnixPeers};

#[cfg(all(doctest, feature = "tower"))]
#[doc = include_str!("../README.md")]
struct Readme;
