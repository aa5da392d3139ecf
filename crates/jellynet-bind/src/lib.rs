//! Listening sockets.

#![cfg_attr(docsrs, feature(doc_cfg))]

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
    os::{tcp::SocketOptions, unix::SocketFile},
};

#[cfg(feature = "tokio")]
pub use crate::listeners::{
    AcceptOptions, Connection, DrainReport, Drained, Event, Events, Facts, Handle, Listeners,
    NameCounts,
};

#[cfg(feature = "hyper")]
pub use crate::server::{HttpServer, Protocol, ServeError, ServeOptions, Served};

#[cfg(feature = "axum")]
pub use crate::axum::{FactsLayer, WithFacts};
