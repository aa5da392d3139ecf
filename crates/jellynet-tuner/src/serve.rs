//! Channels over HTTP: a tower service that streams one tuned mux or programme to any number of
//! clients.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /{device}/{channel}` | 200, `video/mp2t`, the stream until the client leaves |
//! | `GET /{device}/{channel}?tuner=1` | the same, on that tuner only |
//! | `HEAD` of the same | 200 without tuning |
//! | a tuner that is no number | 400 |
//! | another method | 405 |
//! | another path, or a channel that is none | 404 |
//! | a device that is not found | 404 |
//! | a device that is known but does not answer | 502 |
//! | anything that keeps the device from streaming | 503 with `X-HDHomeRun-Error`, as the device itself answers |
//!
//! The device is its id, or the address of one that is remembered or configured; the channel is what
//! [`Channel`] parses. Mount it below any prefix that is stripped before.

mod body;

use std::convert::Infallible;
use std::future::Future;
use std::iter;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tracing::debug;

pub use self::body::StreamBody;
use crate::channel::Channel;
use crate::control::ControlError;
use crate::device_id::DeviceId;
use crate::discover::{Device, DiscoverError, SeekConfig, Target, discover};
use crate::tune::{OpenError, TuneRequest, TunerStream, Tuners};

/// Streams channels; see the [module](self) for its answers.
///
/// A device that [`Tuners`] does not remember is looked for by its id, and remembered; one that
/// does not answer where it was is looked for again. An address is never contacted on a client's
/// word: only those of [`with_hosts`](Self::with_hosts) are.
#[derive(Clone, Debug)]
pub struct TunerService {
    tuners: Tuners,
    hosts: Arc<[IpAddr]>,
}

impl TunerService {
    /// Serves the channels of these tuners.
    #[must_use]
    pub fn new(tuners: Tuners) -> Self {
        Self { tuners, hosts: Arc::default() }
    }

    /// Also asks these hosts, which a broadcast does not reach: tuners in another network. They
    /// may be named by their address.
    #[must_use]
    pub fn with_hosts(mut self, hosts: impl IntoIterator<Item = IpAddr>) -> Self {
        self.hosts = hosts.into_iter().collect();
        self
    }

    /// The tuners, whose streams are these.
    #[must_use]
    pub const fn tuners(&self) -> &Tuners {
        &self.tuners
    }

    async fn answer(self, method: Method, path: String, query: String) -> Response<StreamBody> {
        if method != Method::GET && method != Method::HEAD {
            let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD".into());
            let allow = HeaderValue::from_static("GET, HEAD");
            refusal.headers_mut().insert(ALLOW, allow);
            return refusal;
        }
        let Some((name, channel)) = split(&path) else {
            return plain(StatusCode::NOT_FOUND, "the path is /{device}/{channel}".into());
        };
        let channel: Channel = match channel.parse() {
            Ok(channel) => channel,
            Err(error) => return plain(StatusCode::NOT_FOUND, error.to_string()),
        };
        let mut request = TuneRequest::new(channel);
        if let Some(tuner) = query.split('&').find_map(|q| q.strip_prefix("tuner=")) {
            let Ok(tuner) = tuner.parse() else {
                return plain(StatusCode::BAD_REQUEST, format!("no tuner number: {tuner}"));
            };
            request.tuner = Some(tuner);
        }
        let device = match self.device(&name).await {
            Ok(Some(device)) => device,
            Ok(None) => return plain(StatusCode::NOT_FOUND, format!("no such device: {name}")),
            Err(error) => return plain(StatusCode::BAD_GATEWAY, chain(&error)),
        };
        if method == Method::HEAD {
            return stream(StreamBody::empty());
        }
        match self.open(&device, &request).await {
            Ok(opened) => stream(StreamBody::streaming(opened)),
            Err(error) => refuse(&device, &error),
        }
    }

    /// Opens the channel; a device that takes no connections where it was last seen is looked for
    /// once more, because it may have another address by now.
    async fn open(&self, device: &Device, request: &TuneRequest) -> Result<TunerStream, OpenError> {
        let opened = self.tuners.open(device, request).await;
        let Err(OpenError::Control(error)) = &opened else { return opened };
        if !error.is_unreachable() {
            return opened;
        }
        self.tuners.forget(device.id);
        match self.device(&device.id.to_string()).await {
            Ok(Some(found)) if found.address() != device.address() => {
                self.tuners.open(&found, request).await
            }
            _ => opened,
        }
    }

    /// The device with this name, where it is known or found.
    async fn device(&self, name: &str) -> Result<Option<Device>, DiscoverError> {
        if let Some(device) = self.tuners.device(name) {
            return Ok(Some(device));
        }
        let targets: Vec<Target> = match name.parse() {
            Ok(Target::Device(id)) if id != DeviceId::ANY => {
                let hosts = self.hosts.iter().copied().map(Target::Host);
                iter::once(Target::Device(id)).chain(hosts).collect()
            }
            Ok(Target::Host(host)) if self.hosts.contains(&host) => vec![Target::Host(host)],
            _ => Vec::new(),
        };
        for target in targets {
            for device in discover(SeekConfig::new(target)).await? {
                self.tuners.remember(device);
            }
            if let Some(device) = self.tuners.device(name) {
                return Ok(Some(device));
            }
        }
        Ok(None)
    }
}

impl<B> tower_service::Service<Request<B>> for TunerService {
    type Response = Response<StreamBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(method, path, query).await) })
    }
}

/// Device and channel of a path, decoded.
fn split(path: &str) -> Option<(String, String)> {
    let (device, channel) = path.strip_prefix('/').unwrap_or(path).split_once('/')?;
    if device.is_empty() || channel.contains('/') {
        return None;
    }
    Some((decode(device)?, decode(channel)?))
}

/// Undoes percent-encoding (RFC 3986 § 2.1), which clients apply to the colon.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii_graphic)?;
        out.push(char::from(byte));
        out.push_str(rest);
    }
    Some(out)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn stream(body: StreamBody) -> Response<StreamBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp2t"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, mut text: String) -> Response<StreamBody> {
    text.push('\n');
    let mut response = Response::new(StreamBody::text(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(device: &Device, error: &OpenError) -> Response<StreamBody> {
    debug!(device = %device.id, %error, "cannot stream a channel");
    let (status, code) = verdict(error);
    let mut response = plain(status, chain(error));
    if let Some(code) = code {
        let code = HeaderValue::from_static(code);
        response.headers_mut().insert("x-hdhomerun-error", code);
    }
    response
}

/// The status, and the device's own words for the same failure.
fn verdict(error: &OpenError) -> (StatusCode, Option<&'static str>) {
    let (status, code) = match error {
        OpenError::Rejected { source, .. } if matches!(**source, ControlError::Locked { .. }) => {
            (StatusCode::SERVICE_UNAVAILABLE, "804 Tuner In Use")
        }
        OpenError::Rejected { .. } => (StatusCode::NOT_FOUND, "801 Unknown Channel"),
        OpenError::AllBusy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "805 All Tuners In Use"),
        OpenError::NoSignal { .. } | OpenError::NoLock { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "806 Tune Failed")
        }
        OpenError::LockedNoData { .. } | OpenError::DataBlocked(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "807 No Video Data")
        }
        OpenError::NoSuchTuner { .. } => return (StatusCode::NOT_FOUND, None),
        OpenError::Control(_) | OpenError::NoAddress { .. } => {
            return (StatusCode::BAD_GATEWAY, None);
        }
        OpenError::Port(_) | OpenError::Journal(_) | OpenError::Socket(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "803 System Busy")
        }
    };
    (status, Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_device_and_a_channel() {
        for (path, expected) in [
            ("/10A5B1C0/v5.1", Some(("10A5B1C0", "v5.1"))),
            ("/10.0.0.5/8vsb%3A183000000-3", Some(("10.0.0.5", "8vsb:183000000-3"))),
            ("/[fd99::2]/33", Some(("[fd99::2]", "33"))),
            ("/10A5B1C0", None),
            ("//33", None),
            ("/a/b/c", None),
            ("/a/%", None),
            ("/a/%00", None),
            ("/a/%é", None),
        ] {
            let expected = expected.map(|(d, c)| (d.to_owned(), c.to_owned()));
            assert_eq!(split(path), expected, "{path}");
        }
    }
}
