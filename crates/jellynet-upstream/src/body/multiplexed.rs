//! The body of a response that comes by HTTP/2.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::BodyError;
use super::framing::may_trail;
use crate::counters::Gauge;
use crate::exchange::BoxUpload;
use crate::multiplex::Watched;
use crate::patience::Patience;

/// A body that is still on its way; dropping it resets its stream, the upload's half too.
pub(crate) struct Multiplexed {
    body: Incoming,
    upload: Watched,
    read_timeout: Duration,
    patience: Patience,
    _stream: Gauge,
}

impl Multiplexed {
    pub(crate) fn new(
        body: Incoming,
        upload: Watched,
        read_timeout: Duration,
        stream: Gauge,
    ) -> Self {
        Self { body, upload, read_timeout, patience: Patience::default(), _stream: stream }
    }

    /// What the upstream left of the request's body, once its response is complete.
    pub(super) fn rest(&self) -> Option<BoxUpload> {
        self.upload.take()
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            ready!(self.patience.poll(self.read_timeout, cx));
            let after = self.read_timeout;
            return Poll::Ready(Some(Err(BodyError::Timeout { after })));
        };
        self.patience.rest();
        Poll::Ready(frame.map(|frame| match frame.map(Frame::into_trailers) {
            Ok(Ok(mut trailers)) => {
                let names: Vec<_> = trailers.keys().filter(|n| !may_trail(n)).cloned().collect();
                for name in names {
                    trailers.remove(name);
                }
                Ok(Frame::trailers(trailers))
            }
            Ok(Err(frame)) => Ok(frame),
            Err(error) => Err(BodyError::Closed { source: Some(io::Error::other(error)) }),
        }))
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Multiplexed {
    fn drop(&mut self) {
        // Whoever reads no more of the response sends no more of the request either.
        self.upload.take();
    }
}
