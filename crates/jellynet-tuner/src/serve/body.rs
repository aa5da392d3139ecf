//! A response body that is a tuner's stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::tune::{StreamError, TunerStream};

/// The stream of a channel, a short text, or nothing.
#[derive(Debug)]
pub struct StreamBody {
    content: Content,
}

#[derive(Debug)]
enum Content {
    Stream(Box<TunerStream>),
    Text(Bytes),
    Done,
}

impl StreamBody {
    /// Everything that comes from the tuner, until the body is dropped.
    #[must_use]
    pub fn streaming(stream: TunerStream) -> Self {
        Self { content: Content::Stream(Box::new(stream)) }
    }

    pub(super) fn text(text: String) -> Self {
        Self { content: Content::Text(text.into()) }
    }

    pub(super) const fn empty() -> Self {
        Self { content: Content::Done }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match &mut self.content {
            Content::Stream(stream) => stream
                .poll_next(cx)
                .map(|item| item.map(|batch| batch.map(|batch| Frame::data(batch.data)))),
            Content::Text(text) => {
                let text = std::mem::take(text);
                self.content = Content::Done;
                Poll::Ready(Some(Ok(Frame::data(text))))
            }
            Content::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Stream(_) => SizeHint::default(),
            Content::Text(text) => SizeHint::with_exact(text.len() as u64),
            Content::Done => SizeHint::with_exact(0),
        }
    }
}
