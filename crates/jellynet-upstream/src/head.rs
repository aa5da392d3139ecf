//! Heads of messages: pure, on bytes.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod hop;
