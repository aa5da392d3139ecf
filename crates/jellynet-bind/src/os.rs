//! What touches this host: sockets, `/proc`, the environment. Unix only.

pub(crate) mod accounts;
pub(crate) mod passed;
pub(crate) mod tcp;
pub(crate) mod unix;
pub(crate) mod who;
