//! Deadlines and limits of HTTP connections.

use std::time::Duration;

/// Deadlines and limits of HTTP connections.
///
/// | a client that … | is closed after | HTTP/1.1 | HTTP/2 |
/// | --- | --- | --- | --- |
/// | connects and sends nothing | [`first_byte`](Self::first_byte) | yes | yes |
/// | sends half a request, or half a preface | [`headers`](Self::headers) | yes | yes |
/// | sends the HTTP/2 preface and no request | `headers` | – | yes |
/// | keeps its connection and asks nothing | [`idle`](Self::idle) | yes | yes |
/// | takes too little of a response | [`send`](Self::send) | yes | yes |
/// | vanishes without a word | [`SocketOptions::keepalive`](crate::SocketOptions::keepalive) | yes | [`h2_ping`](Self::h2_ping) sooner |
///
/// None of them counts how long a response takes in all: a film may take hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeOptions {
    /// How long a new connection may send nothing. Default: 10 s.
    pub first_byte: Duration,
    /// How long a request's head may take from its first byte to its last. Default: 15 s.
    pub headers: Duration,
    /// How long a connection may ask nothing between two requests. Default: 75 s, as nginx.
    pub idle: Duration,
    /// After how long an idle HTTP/1.1 connection gives its buffers back (about 17 KiB); they come
    /// again with its next request. Default: 1 s.
    pub rest: Duration,
    /// How long a client may hold a response up, taking less than [`min_send_rate`] of it: a player
    /// that pauses takes nothing for as long as it likes. Only the time counts in which something
    /// waits for the client. Default: 1 h.
    ///
    /// [`min_send_rate`]: Self::min_send_rate
    pub send: Duration,
    /// The same while three quarters of
    /// [`AcceptOptions::max_connections`](crate::AcceptOptions::max_connections) are open.
    /// Default: 60 s, as nginx at all times.
    pub send_crowded: Duration,
    /// How many bytes per second a client has to take, on average since it first held a response
    /// up; over all requests of its connection. Default: 240, as Kestrel.
    pub min_send_rate: u64,
    /// How large a request's head may be, in bytes; beyond it the answer is 431. Default: 64 KiB.
    pub max_head: u32,
    /// How many requests an HTTP/2 client may have open at once. Default: 128, as nginx.
    pub max_streams: u32,
    /// How many bytes of request bodies an HTTP/2 client may send ahead, per stream and per
    /// connection. Default: 1 MiB each.
    pub h2_window: u32,
    /// How often an HTTP/2 connection is asked whether it is alive; it has 20 s to answer.
    /// Default: 60 s.
    pub h2_ping: Option<Duration>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            headers: Duration::from_secs(15),
            idle: Duration::from_secs(75),
            rest: Duration::from_secs(1),
            send: Duration::from_secs(3600),
            send_crowded: Duration::from_secs(60),
            min_send_rate: 240,
            max_head: 64 * 1024,
            max_streams: 128,
            h2_window: 1024 * 1024,
            h2_ping: Some(Duration::from_secs(60)),
        }
    }
}

/// Which version of HTTP a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// What the first bytes say: the HTTP/2 preface (RFC 9113 § 3.4), else HTTP/1.1.
    #[default]
    Sniff,
    /// HTTP/1.1, as ALPN `http/1.1` says.
    Http1,
    /// HTTP/2, as ALPN `h2` says.
    Http2,
}
