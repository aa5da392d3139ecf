//! Tests of the crate as its users see it.

#![expect(clippy::unwrap_used, reason = "the helpers fail the test that calls them")]

mod allocations;
#[cfg(feature = "dns")]
mod host_names;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tokio")]
mod preamble;
mod properties;
mod proxies;
mod real_proxies;
mod request;
mod rfc7239;
mod walk;
