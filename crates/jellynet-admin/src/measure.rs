//! The outermost layer: counts, times and logs each request to the end of its response.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Buf;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use jellynet_netif::{ClientAddr, RequestId};
use pin_project_lite::pin_project;
use time::OffsetDateTime;
use tower_layer::Layer;
use tower_service::Service;

use crate::access_log::{AccessLog, End, Record};
use crate::metrics::{InFlight, ListenerMetrics};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Counts, times and logs the requests of one listener.
#[derive(Clone, Debug)]
pub struct MeasureLayer {
    name: Arc<str>,
    metrics: ListenerMetrics,
    log: AccessLog,
}

impl MeasureLayer {
    /// Measures the listener called `name`.
    #[must_use]
    pub fn new(name: &str, metrics: ListenerMetrics, log: AccessLog) -> Self {
        Self { name: name.into(), metrics, log }
    }
}

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Measure { inner, layer: self.clone() }
    }
}

/// A service that is measured; see [`MeasureLayer`].
#[derive(Clone, Debug)]
pub struct Measure<S> {
    inner: S,
    layer: MeasureLayer,
}

impl<S, B, R> Service<Request<B>> for Measure<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<MeasureBody<R>>;
    type Error = S::Error;
    type Future = MeasureFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let log = &self.layer.log;
        let record = log.is_on().then(|| {
            let id = log.names_requests().then(|| name(&mut request));
            let record = Record::new(&self.layer.name, id, &request, now_utc());
            Box::new((record, log.clone()))
        });
        MeasureFuture {
            method: request.method().clone(),
            metrics: self.layer.metrics.clone(),
            running: Some(Running { in_flight: self.layer.metrics.begin(), began: now(), record }),
            inner: self.inner.call(request),
        }
    }
}

/// Gives a request its id, for all that is said of it.
fn name<B>(request: &mut Request<B>) -> RequestId {
    let client = request.extensions().get::<ClientAddr>();
    let given = request.headers().get(&X_REQUEST_ID);
    let id = RequestId::of(client, given.map(HeaderValue::as_bytes));
    request.extensions_mut().insert(id.clone());
    id
}

/// A request that has not ended.
#[derive(Debug)]
struct Running {
    #[expect(dead_code, reason = "counts the request for as long as it lives")]
    in_flight: InFlight,
    began: Instant,
    /// Only while the access log is on.
    record: Option<Box<(Record, AccessLog)>>,
}

#[expect(clippy::disallowed_methods, reason = "measuring time is what this layer is for")]
fn now() -> Instant {
    Instant::now()
}

fn now_utc() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

pin_project! {
    /// The response of a measured service, in the making.
    #[derive(Debug)]
    pub struct MeasureFuture<F> {
        #[pin]
        inner: F,
        method: Method,
        metrics: ListenerMetrics,
        running: Option<Running>,
    }
}

impl<F, R, E> Future for MeasureFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<MeasureBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        let running = this.running.take();
        if let Some(running) = &running {
            let took = now().saturating_duration_since(running.began);
            this.metrics.answered(this.method, response.status(), took);
        }
        let status = response.status();
        Poll::Ready(Ok(response.map(|inner| {
            let complete = inner.is_end_stream();
            MeasureBody { inner, ending: Ending { running, status, bytes: 0, complete } }
        })))
    }
}

/// Writes the line when the response has ended, or was given up.
#[derive(Debug)]
struct Ending {
    running: Option<Running>,
    status: StatusCode,
    bytes: u64,
    complete: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        let Some(record) = &running.record else {
            return;
        };
        let took = now().saturating_duration_since(running.began);
        let end = End { status: self.status, bytes: self.bytes, took, complete: self.complete };
        record.1.write(&record.0, &end);
    }
}

pin_project! {
    /// A response body that counts its bytes.
    #[derive(Debug)]
    pub struct MeasureBody<B> {
        #[pin]
        inner: B,
        ending: Ending,
    }
}

impl<B: Body> Body for MeasureBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let mut inner = this.inner;
        let frame = ready!(inner.as_mut().poll_frame(cx));
        match &frame {
            None => this.ending.complete = true,
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let more = u64::try_from(data.remaining()).unwrap_or(u64::MAX);
                    this.ending.bytes = this.ending.bytes.saturating_add(more);
                }
                // Who knows the length does not ask again for the end.
                this.ending.complete = inner.is_end_stream();
            }
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
