use std::time::Duration;

/// How connections are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptOptions {
    /// How many connections may be open at once, over all listeners; further ones wait in the
    /// kernel's queue. Default: 16,384.
    pub max_connections: usize,
    /// How long a socket stays open after its address went, in case it comes back. Default: 3 s.
    pub lost_grace: Duration,
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self { max_connections: 16_384, lost_grace: Duration::from_secs(3) }
    }
}
