//! Tests of the crate as its users see it.

#![expect(clippy::unwrap_used, reason = "the helpers fail the test that calls them")]

#[cfg(all(feature = "tower", feature = "tracing"))]
mod fail2ban;
#[cfg(feature = "tower")]
mod layer;
mod policy;
