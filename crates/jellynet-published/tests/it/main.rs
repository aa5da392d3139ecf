//! The rule, as a table and as properties.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail them")]

mod host;
mod properties;
mod truth_table;
