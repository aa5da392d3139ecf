//! A request's body on its way into HTTP/2, and whether it gets on.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::upload::Waiting;
use crate::config::UpstreamConfig;
use crate::error::ForwardError;
use crate::exchange::BoxUpload;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What is known of an upload, and the upload itself: HTTP/2 lets go of a body when the upstream
/// wants no more of it, and its client still wants to be heard out.
struct Progress {
    upload: Option<BoxUpload>,
    sent: u64,
    waiting: Waiting,
    broken: Option<BoxError>,
    /// Whoever drives the upload, to be told when it is taken away.
    driver: Option<Waker>,
    taken: bool,
}

/// Tells of an upload that HTTP/2 drives.
#[derive(Clone)]
pub(crate) struct Watched(Arc<Mutex<Progress>>);

/// The body of a request.
pub(super) struct UploadBody {
    watched: Watched,
    size: SizeHint,
    over: bool,
}

impl UploadBody {
    pub(super) fn new(upload: Option<BoxUpload>) -> (Self, Watched) {
        let left = upload.as_ref().map_or(Some(0), |upload| upload.left());
        let size = left.map_or_else(SizeHint::default, SizeHint::with_exact);
        let over = upload.is_none();
        let watched = Watched(Arc::new(Mutex::new(Progress {
            upload,
            sent: 0,
            waiting: Waiting::Upstream,
            broken: None,
            driver: None,
            taken: false,
        })));
        (Self { watched: watched.clone(), size, over }, watched)
    }
}

impl fmt::Debug for UploadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadBody").field("over", &self.over).finish_non_exhaustive()
    }
}

impl Body for UploadBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut progress = self.watched.lock();
        let frame = ready!(progress.poll_frame(cx));
        let over = progress.upload.is_none() && !progress.taken;
        drop(progress);
        self.over |= over;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}

impl Progress {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(upload) = &mut self.upload else {
            // Never an end, which would make it look whole.
            let taken = || Err("the response came to its end before the request".into());
            return Poll::Ready(self.taken.then(taken));
        };
        let Poll::Ready(frame) = upload.as_mut().poll_piece(cx) else {
            self.waiting = Waiting::Client;
            self.driver = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.waiting = Waiting::Upstream;
        match &frame {
            Some(Ok(frame)) => {
                let len = frame.data_ref().map_or(0, Bytes::len);
                self.sent += u64::try_from(len).unwrap_or(u64::MAX);
            }
            Some(Err(error)) => self.broken = Some(error.to_string().into()),
            None => {}
        }
        if upload.is_over() || !matches!(frame, Some(Ok(ref frame)) if frame.is_data()) {
            self.upload = None;
        }
        Poll::Ready(frame)
    }
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left of the upload; its stream is given up.
    pub(crate) fn take(&self) -> Option<BoxUpload> {
        let mut progress = self.lock();
        let upload = progress.upload.take()?;
        progress.taken = true;
        if let Some(driver) = progress.driver.take() {
            driver.wake();
        }
        Some(upload)
    }

    /// Why the client's body broke off, if it did.
    pub(super) fn broken(&self) -> Option<BoxError> {
        self.lock().broken.take()
    }

    fn now(&self) -> (u64, bool) {
        let progress = self.lock();
        (progress.sent, progress.waiting == Waiting::Client && progress.upload.is_some())
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
