//! The rule of base paths, on the pure router and on the tower layer.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails its test")]

mod allocation;
mod layer;
mod properties;
mod resolve;
mod table;
