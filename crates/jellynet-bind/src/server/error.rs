use std::error::Error;
use std::io;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Served {
    /// One side closed it after whole requests, or it became a tunnel.
    Finished,
    /// The client closed it, or the listeners drained, before it asked for anything.
    Unused,
    /// The client sent nothing in time.
    FirstByteTimeout,
    /// The client sent half a request and no more in time.
    HeadersTimeout,
    /// The client asked nothing more in time.
    IdleTimeout,
    /// The client took too little of its responses in time.
    SendTimeout,
    /// The deadline of a drain passed.
    Cut,
}

/// Why a connection broke.
///
/// That happens all the time, whenever a client goes away in the middle: log it at `debug`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The first bytes could not be read.
    #[error("cannot read the first bytes")]
    FirstBytes(#[source] io::Error),
    /// The client broke HTTP or went away, or the service failed.
    #[error("the connection broke")]
    Http(#[source] Box<dyn Error + Send + Sync>),
}
