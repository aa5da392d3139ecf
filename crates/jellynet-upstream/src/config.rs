//! Settings of one upstream.

use std::time::Duration;

use http::HeaderValue;

use crate::tls::UpstreamTls;
use crate::url::UpstreamUrl;

/// Which `Host` the upstream is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostPolicy {
    /// The client's, as a media server needs it to write right URLs.
    #[default]
    Preserve,
    /// The upstream's own, from its URL.
    Upstream,
    /// This one.
    Fixed(HeaderValue),
}

/// Settings of one upstream. None of them limits how long a transfer may take in all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamConfig {
    /// Where it is.
    pub url: UpstreamUrl,
    /// How it is spoken to at `https://`; of no use elsewhere. Without it, no connection there
    /// succeeds. Default: none, since a library does not choose whom to believe.
    pub tls: Option<UpstreamTls>,
    /// Which `Host` it is told. Default: the client's.
    pub host: HostPolicy,
    /// Longest wait for a connection, for each address of a name. Default: 5 s.
    pub connect_timeout: Duration,
    /// Longest wait for the head of a response, counted from the last byte of the request that
    /// went out. Default: 60 s.
    pub first_byte_timeout: Duration,
    /// Longest silence of the upstream within a body while the client is ready to read.
    /// Default: 5 min.
    pub read_timeout: Duration,
    /// Longest silence of a client within an upload while the upstream is ready to read, or has
    /// not been asked yet. Default: 60 s.
    pub upload_timeout: Duration,
    /// Least bytes per second of an upload, measured over each [`Self::upload_timeout`] while it
    /// is the client that is waited for: who drips bytes to hold a connection is cut off. Default:
    /// 240, as Kestrel.
    pub min_upload_rate: u64,
    /// How many bytes of an upload are read before the upstream is asked, or the whole of a shorter
    /// one: a client that sends a head and then drips holds no connection to the upstream.
    /// An upload of unknown length goes on with its first byte, or after 1 s; one with
    /// `Expect: 100-continue` at once, since the upstream has the first word. 0 is no wait at all.
    /// Default: 64 KiB.
    pub read_ahead: usize,
    /// Longest silence in both directions of a tunnel (WebSocket and other upgrades).
    /// Default: 10 min.
    pub tunnel_timeout: Duration,
    /// How long an unused connection is kept. Default: 30 s, less than the servers that are
    /// usual upstreams keep one (nginx 75 s, Kestrel 130 s).
    pub idle_timeout: Duration,
    /// How many unused connections are kept. Default: 64.
    pub max_idle: usize,
    /// What `Retry-After` says while the upstream is down. Default: 5 s.
    pub retry_after: Duration,
    /// Whether `X-Forwarded-Prefix` is passed on: only where a layer in front sets or removes it.
    /// Default: no, it is removed.
    pub pass_prefix: bool,
}

impl UpstreamConfig {
    /// The defaults for the upstream at `url`.
    #[must_use]
    pub fn new(url: UpstreamUrl) -> Self {
        Self {
            url,
            tls: None,
            host: HostPolicy::default(),
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(300),
            upload_timeout: Duration::from_secs(60),
            min_upload_rate: 240,
            read_ahead: 64 * 1024,
            tunnel_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(30),
            max_idle: 64,
            retry_after: Duration::from_secs(5),
            pass_prefix: false,
        }
    }
}
