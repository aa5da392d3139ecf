//! A request's body on its way into HTTP/2, and whether it gets on.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::upload::Waiting;
use crate::config::UpstreamConfig;
use crate::error::ForwardError;
use crate::exchange::BoxUpload;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What is known of an upload.
#[derive(Debug)]
struct Progress {
    sent: u64,
    waiting: Waiting,
    done: bool,
    broken: Option<BoxError>,
}

/// Tells of an upload that HTTP/2 drives.
#[derive(Clone, Debug)]
pub(super) struct Watched(Arc<Mutex<Progress>>);

/// The body of a request.
pub(super) struct UploadBody {
    upload: Option<BoxUpload>,
    watched: Watched,
}

impl UploadBody {
    pub(super) fn new(upload: Option<BoxUpload>) -> (Self, Watched) {
        let done = upload.is_none();
        let progress = Progress { sent: 0, waiting: Waiting::Upstream, done, broken: None };
        let watched = Watched(Arc::new(Mutex::new(progress)));
        (Self { upload, watched: watched.clone() }, watched)
    }
}

impl std::fmt::Debug for UploadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadBody").field("watched", &self.watched).finish_non_exhaustive()
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(upload) = &mut self.upload else {
            return Poll::Ready(None);
        };
        let polled = upload.as_mut().poll_piece(cx);
        let mut progress = self.watched.lock();
        progress.waiting = if polled.is_pending() { Waiting::Client } else { Waiting::Upstream };
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                let len = frame.data_ref().map_or(0, Bytes::len);
                progress.sent += u64::try_from(len).unwrap_or(u64::MAX);
                progress.done = frame.is_trailers();
            }
            Some(Err(error)) => {
                progress.broken = Some(error.to_string().into());
                progress.done = true;
            }
            None => progress.done = true,
        }
        drop(progress);
        if !matches!(frame, Some(Ok(ref frame)) if frame.is_data()) {
            self.upload = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.upload.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.upload {
            None => SizeHint::with_exact(0),
            Some(upload) => upload.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the client's body broke off, if it did.
    pub(super) fn broken(&self) -> Option<BoxError> {
        self.lock().broken.take()
    }

    fn now(&self) -> (u64, bool) {
        let progress = self.lock();
        (progress.sent, progress.waiting == Waiting::Client && !progress.done)
    }

    /// Waits until the client or the upstream took too long: the same limits as over HTTP/1.1.
    pub(super) async fn expire(&self, config: &UpstreamConfig) -> ForwardError {
        loop {
            let (sent, client) = self.now();
            let after = if client { config.upload_timeout } else { config.first_byte_timeout };
            tokio::time::sleep(after).await;
            let (sent_now, client_now) = self.now();
            let least = config.min_upload_rate.saturating_mul(after.as_secs());
            match (client, client_now) {
                (true, true) if sent_now - sent < least.max(1) => {
                    return ForwardError::ClientTimeout { after };
                }
                (false, false) if sent_now == sent => {
                    return ForwardError::FirstByteTimeout { after };
                }
                _ => {}
            }
        }
    }
}
