//! The `jellynet` binary.
fn main() {}
