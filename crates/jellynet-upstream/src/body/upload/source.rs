//! A body of which some may have been read ahead.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use super::BoxError;

pin_project! {
    /// A body, and what was read of it before it was wanted.
    pub(super) struct Source<B> {
        #[pin]
        body: B,
        // A piece that was enough by itself, or small ones put together: they would hold on to the
        // buffers that they came in.
        whole: Bytes,
        joined: BytesMut,
        trailers: Option<HeaderMap>,
        over: bool,
    }
}

impl<B> Source<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, whole: Bytes::new(), joined: BytesMut::new(), trailers: None, over: false }
    }

    pub(super) fn ahead(&self) -> usize {
        self.whole.len() + self.joined.len()
    }
}

impl<B> Source<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Reads until so many bytes are here, or the end is; how many there are.
    pub(super) fn poll_ahead(
        mut self: Pin<&mut Self>,
        enough: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, BoxError>> {
        while self.ahead() < enough && !self.over {
            let frame = ready!(self.as_mut().poll_body(cx)?);
            let this = self.as_mut().project();
            match frame.map(Frame::into_data) {
                Some(Ok(data)) if this.joined.is_empty() && data.len() >= enough => {
                    *this.whole = data;
                }
                Some(Ok(data)) => this.joined.extend_from_slice(&data),
                Some(Err(frame)) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        *this.trailers = Some(trailers);
                        *this.over = true;
                    }
                }
                None => {}
            }
        }
        Poll::Ready(Ok(self.ahead()))
    }

    /// Whether nothing follows: known before the end was asked for, where the body tells.
    pub(super) fn is_over(&self) -> bool {
        let ahead = self.ahead() > 0 || self.trailers.is_some();
        !ahead && (self.over || self.body.is_end_stream())
    }

    /// The next frame, first what was read ahead.
    pub(super) fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.as_mut().project();
        let frame = if !this.whole.is_empty() {
            Some(Frame::data(std::mem::take(this.whole)))
        } else if !this.joined.is_empty() {
            Some(Frame::data(std::mem::take(this.joined).freeze()))
        } else if let Some(trailers) = this.trailers.take() {
            Some(Frame::trailers(trailers))
        } else if *this.over {
            None
        } else {
            ready!(self.poll_body(cx)?)
        };
        Poll::Ready(frame.map(Ok))
    }

    fn poll_body(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, BoxError>> {
        let this = self.project();
        Poll::Ready(match ready!(this.body.poll_frame(cx)) {
            Some(Ok(frame)) => {
                Ok(Some(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))))
            }
            Some(Err(error)) => {
                *this.over = true;
                Err(error.into())
            }
            None => {
                *this.over = true;
                Ok(None)
            }
        })
    }
}
