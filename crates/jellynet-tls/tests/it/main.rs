//! Integration tests of jellynet-tls.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that cannot go on says where"
)]

mod accept;
mod acme;
mod convert;
mod corpus;
mod layers;
mod local;
mod store;
mod support;
