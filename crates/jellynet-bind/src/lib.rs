//! On which sockets do I listen, and why can I not?
//!
//! # The rules of this crate
//!
//! 1. What is asked for is a [`Listen`]; what that means on the interfaces of this moment is a
//!    [`BindPlan`], a pure value; what became of it is a list of [`Outcome`]s.
//! 2. All sockets are tried before any serves. One that cannot be opened is reported with its
//!    reason and remedy, and keeps no other from serving.
//! 3. Nothing ever widens: where nothing that was asked for is there, nothing listens.
//! 4. One socket per family, `IPV6_V6ONLY` always set; the same address and port once.
//! 5. [`Listeners`] live: they wait for addresses and ports, follow interfaces, pause when the
//!    system is exhausted, and never spin or die.
//! 6. Each connection knows its peer, its local address and its listener's name, and counts as open
//!    until it is dropped, wherever it has gone.
//! 7. In `HttpServer` (feature `hyper`) a client that does nothing is closed in bounded time at
//!    each step, one that takes next to nothing of a response in the end too; a response that
//!    moves is never cut but by a drain's deadline.
//!
//! ```
//! use jellynet_bind::{BindPlan, Listen, Request};
//! use jellynet_netif::{Interface, InterfaceTable};
//!
//! let listen: Listen = "eth0:8096".parse()?;
//! let eth0 = Interface::new("eth0", 2).with_address("192.168.1.10/24".parse()?);
//! let plan = BindPlan::new(
//!     &[Request::new("http", listen)],
//!     &InterfaceTable::new([eth0]),
//! );
//! assert_eq!(plan.sockets[0].endpoint.to_string(), "192.168.1.10:8096");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What this crate does not do
//!
//! TLS, the PROXY protocol, resolving host names, UDP, changing the environment, dropping
//! privileges.
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | none | [`Listen`], [`BindPlan`]: reading and planning, no system call |
//! | `os` | [`Bind`]: opening sockets, [`systemd`] (Linux) |
//! | `tokio` (default) | [`Listeners`]: accepting, following interfaces, draining |
//! | `hyper` | `HttpServer`: HTTP/1.1 and HTTP/2 with a deadline on every step |
//! | `axum` | `axum::serve` on [`Listeners`], `FactsLayer` |
//! | `serde` | [`Listen`] as a string |
//! | `tracing` | one log line per [`Event`] |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod listen;
mod plan;

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "os")]
mod bind;
#[cfg(feature = "os")]
mod error;
#[cfg(feature = "os")]
mod holder;
#[cfg(feature = "tokio")]
mod listeners;
#[cfg(feature = "os")]
mod os;
#[cfg(feature = "hyper")]
mod server;
#[cfg(feature = "os")]
pub mod systemd;

pub use crate::listen::{
    Account, Families, Listen, ParseListenError, ParseListenListError, UnixListen, UnixName,
};
pub use crate::plan::{
    BindPlan, Clash, Endpoint, PlannedSocket, Presence, Repeated, Request, WaitReason, Waiting,
};

#[cfg(feature = "os")]
pub use crate::{
    bind::{Bind, Bound, BoundAddr, BoundSocket, IfMissing, Outcome, OutcomeKind, StdListener},
    error::{ActivationProblem, BindError, DeniedHint, DescriptorProblem},
    holder::{Holder, HolderProcess, Kinship},
    os::{
        tcp::SocketOptions,
        unix::SocketFile,
        who::{Transport, holders},
    },
};

#[cfg(feature = "tokio")]
pub use crate::listeners::{
    AcceptOptions, Connection, DrainReport, Drained, Event, Events, Facts, Handle, Listeners,
    NameCounts,
};

#[cfg(feature = "hyper")]
pub use crate::server::{HttpServer, Protocol, ServeError, ServeOptions, Served, Serving};

#[cfg(feature = "axum")]
pub use crate::axum::{FactsLayer, WithFacts};
