//! Integration tests of jellynet-tls.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a helper of a test that cannot go on says where"
)]

mod accept;
mod acme;
mod authority;
mod clients;
mod convert;
mod corpus;
mod guide;
mod layers;
mod local;
mod store;
mod strict;
mod support;
mod update;
