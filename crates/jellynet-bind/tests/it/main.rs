//! Tests of the whole crate: sockets, files, namespaces, processes, streams.

#![cfg_attr(feature = "os", expect(clippy::unwrap_used, reason = "helpers of tests fail them"))]
#![cfg_attr(
    feature = "hyper",
    expect(clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail them")
)]

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "os")]
mod child;
#[cfg(feature = "hyper")]
mod deadlines;
#[cfg(feature = "hyper")]
mod http;
#[cfg(feature = "tokio")]
mod namespaces;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "hyper")]
mod slow;
#[cfg(feature = "os")]
mod sockets;
#[cfg(feature = "os")]
mod unix;
