//! The upstream: what a request goes through.

mod attempts;

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::BytesMut;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use http_body::Body;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::answer::{Asked, answer};
use crate::body::multiplexed::Multiplexed;
use crate::body::upload::ahead::read_ahead;
use crate::body::upload::{Upload, UploadLength};
use crate::body::{ResponseBody, Stream};
use crate::config::UpstreamConfig;
use crate::conn::Conn;
use crate::counters::{CounterSnapshot, Counters, Gauge};
use crate::error::ForwardError;
use crate::exchange::{BoxUpload, Exchange};
use crate::head::decode::{ResponseHead, is_bodyless};
use crate::head::encode::{HeadOptions, RequestLength, encode};
use crate::head::hop::has_token;
use crate::health::{Health, StatusWatch};
use crate::local_address::{LocalAddress, Published};
use crate::multiplex::{Multiplex, Way};
use crate::paths::{authority, unmap};
use crate::pool::Pool;
use crate::tunnel::tunnel;
use crate::url::Scheme;

/// A running media server, as a tower service: each request is handed to it without changing its
/// meaning, and each response comes back as it is.
///
/// Cheap to clone; clones share connections, counters and health.
#[derive(Clone, Debug)]
pub struct Upstream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: UpstreamConfig,
    pool: Arc<Pool>,
    multiplex: Multiplex,
    counters: Counters,
    health: Health,
    published: Option<LocalAddress>,
}

type BoxError = Box<dyn StdError + Send + Sync>;

impl Upstream {
    /// Makes an upstream; connects only when a request comes.
    #[must_use]
    pub fn new(config: UpstreamConfig) -> Self {
        Self::build(config, None)
    }

    /// Makes an upstream whose `LocalAddress`, in its public system information, is replaced by
    /// the URL under which *this* client reaches the server, as `published` says; `None` leaves
    /// it. Nothing else of the identity is touched.
    #[must_use]
    pub fn with_published<F>(config: UpstreamConfig, published: F) -> Self
    where
        F: Fn(&Parts) -> Option<String> + Send + Sync + 'static,
    {
        let published: Published = Arc::new(published);
        Self::build(config, Some(LocalAddress::new(published)))
    }

    fn build(config: UpstreamConfig, published: Option<LocalAddress>) -> Self {
        let pool = Arc::new(Pool::new(config.max_idle, config.idle_timeout));
        Self {
            shared: Arc::new(Shared {
                pool,
                multiplex: Multiplex::default(),
                counters: Counters::default(),
                health: Health::new(config.url.to_string()),
                published,
                config,
            }),
        }
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &UpstreamConfig {
        &self.shared.config
    }

    /// What goes on now.
    #[must_use]
    pub fn counters(&self) -> CounterSnapshot {
        let shared = &self.shared;
        shared.counters.snapshot(shared.pool.len() + shared.multiplex.idle())
    }

    /// Follows whether the upstream is up, and who it is.
    #[must_use]
    pub fn status(&self) -> StatusWatch {
        self.shared.health.watch()
    }

    /// Closes the connections that wait for the next request.
    pub fn close_idle(&self) {
        self.shared.pool.clear();
        self.shared.multiplex.clear();
    }

    pub(crate) fn prune(&self) {
        self.shared.pool.prune();
        self.shared.multiplex.prune(self.shared.config.idle_timeout);
    }

    pub(crate) fn health(&self) -> &Health {
        &self.shared.health
    }

    /// Hands a request to the upstream. Never fails: what cannot be answered becomes a small
    /// response (see [`ForwardError::status`]) with [`Failed`](crate::Failed) among its
    /// extensions, and a line in the log.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the response, closes the connection to the upstream
    /// and so cancels the request there.
    pub async fn forward<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let asked = Asked::of(&parts);
        let (length, mut upload) = request_body(body);
        match self.hand_over(parts, length, &mut upload).await {
            Ok(response) => response,
            Err(error) => self.refuse(&error, asked).map(|body| body.holding(upload)),
        }
    }

    /// As [`Self::forward`], with the error in place of a response made from it.
    ///
    /// # Errors
    ///
    /// When the upstream gave no response that can be passed on.
    pub async fn try_forward<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, ForwardError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let (length, mut upload) = request_body(body);
        self.hand_over(parts, length, &mut upload).await
    }

    /// Takes `upload` only when there is a response for it.
    async fn hand_over(
        &self,
        mut parts: Parts,
        length: RequestLength,
        upload: &mut Option<BoxUpload>,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        let flight = self.shared.counters.request();
        if parts.method == Method::CONNECT {
            return Err(ForwardError::Request { what: "it asks for a tunnel" });
        }
        let client = take_upgrade(&mut parts);
        let published = self.shared.published.as_ref();
        let local_address = published.and_then(|published| published.wanted(&parts));
        let options =
            HeadOptions { length, upgrade: client.is_some(), plain: local_address.is_some() };
        let mut head = BytesMut::with_capacity(1024);
        encode(&mut head, &parts, &self.shared.config, options)?;
        let multiplexed = self.shared.config.url.scheme() == Scheme::H2c && !options.upgrade;
        let expects_continue =
            upload.is_some() && has_token(&parts.headers, &header::EXPECT, "100-continue");
        if let Some(upload) = upload.as_mut().filter(|_| multiplexed || !expects_continue) {
            read_ahead(upload, &self.shared.config).await?;
        }
        if multiplexed {
            let mut response = self.multiplex(&head, &parts.method, upload, flight).await?;
            unmap(response.headers_mut(), &self.shared.config.url, authority(&parts));
            return Ok(told(response, local_address).await);
        }
        let exchange = Exchange {
            head: &head,
            method: &parts.method,
            upgrade: options.upgrade,
            expects_continue,
            first_byte_timeout: self.shared.config.first_byte_timeout,
            upload_timeout: self.shared.config.upload_timeout,
            min_upload_rate: self.shared.config.min_upload_rate,
        };
        let (conn, mut head) = self.exchange(&exchange, upload).await?;
        if expects_continue && upload.as_ref().is_some_and(|upload| upload.progress().0 == 0) {
            // Who was not told to go on sends nothing that could be read behind the response.
            head.keep_alive = false;
            *upload = None;
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(self.switch(conn, head, client, flight));
        }
        let mut response = self.respond(conn, head, upload.take(), flight);
        unmap(response.headers_mut(), &self.shared.config.url, authority(&parts));
        Ok(told(response, local_address).await)
    }

    /// The same by HTTP/2, which takes care of the upload itself.
    async fn multiplex(
        &self,
        head: &[u8],
        method: &Method,
        upload: &mut Option<BoxUpload>,
        flight: Gauge,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        let Shared { config, counters, health, multiplex, .. } = &*self.shared;
        let way = Way { config, counters, health };
        let answered = multiplex.exchange(way, head, method, upload).await?;
        let (parts, body) = answered.response.into_parts();
        let body = if is_bodyless(method, parts.status) {
            ResponseBody::whole(bytes::Bytes::new(), Some(flight)).holding(answered.upload.take())
        } else {
            let timeout = config.read_timeout;
            let body = Multiplexed::new(body, answered.upload, timeout, answered.stream);
            ResponseBody::multiplexed(body, flight)
        };
        Ok(response(parts.status, parts.headers, body))
    }

    /// Makes the response; a body that is already here frees its connection at once.
    fn respond(
        &self,
        mut conn: Conn,
        head: ResponseHead,
        upload: Option<BoxUpload>,
        flight: Gauge,
    ) -> Response<ResponseBody> {
        use crate::body::framing::Framing;
        let here = match head.framing {
            Framing::Length(left) => {
                usize::try_from(left).ok().filter(|&left| left <= conn.buffer.len())
            }
            Framing::Chunked(_) | Framing::Close => None,
        };
        let body = match here {
            Some(len) if upload.is_none() => {
                let bytes = conn.buffer.split_to(len).freeze();
                if head.keep_alive {
                    self.shared.pool.put(conn);
                }
                ResponseBody::whole(bytes, Some(flight))
            }
            _ => {
                let stream = Stream {
                    conn: Some(conn),
                    framing: head.framing,
                    upload,
                    keep_alive: head.keep_alive,
                    pool: Arc::clone(&self.shared.pool),
                    read_timeout: self.shared.config.read_timeout,
                };
                ResponseBody::stream(stream, flight)
            }
        };
        response(head.status, head.headers, body)
    }

    /// Answers 101 and starts the tunnel behind it.
    fn switch(
        &self,
        conn: Conn,
        head: ResponseHead,
        client: Option<OnUpgrade>,
        flight: Gauge,
    ) -> Response<ResponseBody> {
        let gauge = self.shared.counters.tunnels.enter();
        let idle = self.shared.config.tunnel_timeout;
        tokio::spawn(async move {
            let _gauge = gauge;
            let Some(client) = client else { return };
            match client.await {
                Ok(upgraded) => {
                    let mut conn = conn;
                    let early = conn.buffer.split();
                    let client = TokioIo::new(upgraded);
                    let end = tunnel(client, &mut conn.io, &early, idle).await;
                    tracing::debug!(?end, "tunnel ended");
                }
                Err(error) => tracing::debug!(%error, "client did not switch protocols"),
            }
        });
        let mut response = Response::new(ResponseBody::whole(bytes::Bytes::new(), Some(flight)));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        response
    }

    /// Tells the client little and the log all.
    fn refuse(&self, error: &ForwardError, asked: Asked) -> Response<ResponseBody> {
        self.shared.counters.failure();
        let response = answer(error, asked, self.shared.config.retry_after);
        let failed = response.extensions().get::<crate::Failed>();
        let request = failed.map_or("", |failed| failed.request_id.as_str());
        let cause = failed.map_or("", |failed| failed.cause.as_str());
        let upstream = &self.shared.config.url;
        let blame_client = response.status().is_client_error();
        // While it is down, the change of state has been told; each request need not repeat it.
        if blame_client || error.is_down() {
            tracing::debug!(request, %upstream, cause, "cannot forward a request");
        } else {
            tracing::warn!(request, %upstream, cause, "cannot forward a request");
        }
        response
    }
}

/// The client's end of an upgrade that it asks for (RFC 9110 § 7.8), where its server can switch.
fn take_upgrade(parts: &mut Parts) -> Option<OnUpgrade> {
    let asked = parts.version == Version::HTTP_11
        && parts.headers.contains_key(header::UPGRADE)
        && has_token(&parts.headers, &header::CONNECTION, "upgrade")
        // `h2c` would change what the connection carries for good; it is between neighbours.
        && !has_token(&parts.headers, &header::UPGRADE, "h2c");
    if asked { parts.extensions.remove::<OnUpgrade>() } else { None }
}

fn response(status: StatusCode, headers: HeaderMap, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The response with the URL that this client is to be told.
async fn told(
    response: Response<ResponseBody>,
    local_address: Option<String>,
) -> Response<ResponseBody> {
    match local_address {
        Some(url) => crate::local_address::rewrite(response, &url).await,
        None => response,
    }
}

/// The body with its length, as the upstream is told.
fn request_body<B>(body: B) -> (RequestLength, Option<BoxUpload>)
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return (RequestLength::None, None);
    }
    match body.size_hint().exact() {
        Some(0) => (RequestLength::None, None),
        Some(exact) => {
            let upload = Upload::new(body, UploadLength::Exact(exact));
            (RequestLength::Exact(exact), Some(Box::pin(upload)))
        }
        None => {
            let upload = Upload::new(body, UploadLength::Chunked);
            (RequestLength::Chunked, Some(Box::pin(upload)))
        }
    }
}
