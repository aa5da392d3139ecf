//! How do I hand a request to a running media server without changing its meaning?
//!
//! A streaming reverse proxy for one upstream, as a tower service over `http` types: for axum,
//! plain hyper, or any other server.
//!
//! # The rule
//!
//! 1. Bodies stream both ways, with back-pressure, in bounded memory. No time-out counts a transfer
//!    that makes progress. An upload has to begin before the upstream is asked: all of a short one,
//!    the first 64 KiB of a long one, the first byte of one whose length is unknown (or 1 s).
//! 2. Method, target, `Range`, conditions, content codings, status and fields pass as they are.
//!    What belongs to one connection ends at it (RFC 9110 § 7.6.1), whatever `Connection`
//!    nominates included; trailers and `TE: trailers` pass.
//! 3. Nothing is guessed: a response with ambiguous lengths, obsolete folding, a bare CR or an
//!    unclear chunk is a 502, never a message that looks whole.
//! 4. Who the client is comes from the layers in front (`ClientAddr`, else `PeerAddr` among the
//!    extensions; scheme and authority in the target). The client's own `X-Forwarded-*`,
//!    `X-Original-*`, `X-Real-IP` and `Forwarded` go no further.
//! 5. A request goes out again only when its connection broke, no byte of an answer came, its body
//!    is untouched, and it is idempotent or was not sent at all: twice at most, the last time on a
//!    new connection, so that a restart is met with an answer or an honest 503.
//! 6. Upgrades become tunnels with half-close and a time-out of their own.
//! 7. A client that goes away takes its request with it: the connection to the upstream closes.
//! 8. An answer before the end of an upload reaches the client: what it still sends is read and
//!    forgotten, up to 64 MiB, 5 s, and 1 s of silence; then the rest is cut off.
//! 9. `Expect: 100-continue` is asked of the upstream, and the body waits for its word, or for 1 s;
//!    over HTTP/2 the body goes at once, and the field goes no further.
//!
//! | what happened | the client gets | counted as |
//! | --- | --- | --- |
//! | nothing listens, the name has no address | 503, `Retry-After` | down |
//! | it does not speak TLS, or its certificate is not believed | 502 | down |
//! | no connection or no head in time | 504 | failure |
//! | the connection broke, the answer is malformed | 502 | failure |
//! | the answer breaks off within its body | an incomplete message | – |
//! | the client's body broke off, or stopped | 400, 408 | failure |
//!
//! Each with `Cache-Control: no-store` and a request number that stands in the log beside the
//! cause.
//!
//! # Example
//!
//! ```
//! use jellynet_upstream::{ProbeConfig, Upstream, UpstreamConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = UpstreamConfig::new("http://127.0.0.1:8097".parse()?);
//! let upstream = Upstream::with_published(config, |_request| Some("http://tv.lan".to_owned()));
//!
//! // In the application's runtime: keep `upstream.status()` true.
//! let health = upstream.clone();
//! let task = async move { health.probe(ProbeConfig::default()).await };
//! // `upstream` is a `tower::Service<http::Request<B>>`.
//! # drop(task);
//! # Ok(())
//! # }
//! ```
//!
//! # What this crate does not do
//!
//! * One [`Upstream`] is one server: [`Routes`] chooses among several, and balances nothing.
//! * It does not send interim responses (103) on, since Rust's HTTP servers cannot.
//! * It caches and compresses nothing.
//! * It speaks HTTP/2 to the upstream without TLS only, and upgrades nothing there: WebSockets go by
//!   HTTP/1.1 to the same port.
//! * It chooses no cryptography and trusts nobody: at `https://` that is the caller's
//!   [`UpstreamTls`].

#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod body;
mod config;
mod conn;
mod connect;
mod counters;
mod error;
mod exchange;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod head;
mod health;
mod local_address;
mod multiplex;
mod paths;
mod patience;
mod pool;
mod routes;
mod service;
mod tls;
mod tunnel;
mod upstream;
mod url;

pub use crate::answer::Failed;
pub use crate::body::{BodyError, ResponseBody};
pub use crate::config::{HostPolicy, UpstreamConfig};
pub use crate::counters::CounterSnapshot;
pub use crate::error::{ForwardError, HeadFault, ResponseError};
pub use crate::health::{Identity, ProbeConfig, State, Status, StatusWatch};
pub use crate::routes::{RouteMatch, Routes};
pub use crate::service::ForwardFuture;
pub use crate::tls::{UpstreamTls, UpstreamTlsError};
pub use crate::upstream::Upstream;
pub use crate::url::{ParseUpstreamUrlError, UpstreamUrl};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
