//! The caller's service, with the facts of the connection on each request.

use std::future::Future;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::activity::{Activity, Busy, Held};
use crate::listeners::Facts;

/// A service that hyper calls.
#[derive(Debug)]
pub(super) struct Tracked<S> {
    pub(super) service: S,
    pub(super) facts: Facts,
    pub(super) activity: Arc<Activity>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Tracked<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone,
{
    type Response = Response<TrackedBody<B>>;
    type Error = S::Error;
    type Future = Answer<S>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let busy = self.activity.request();
        let extensions = request.extensions_mut();
        extensions.insert(self.facts.peer_addr());
        if let Some(local) = self.facts.local_addr() {
            extensions.insert(local);
        }
        Answer {
            state: State::Ready { service: self.service.clone(), request: Some(request) },
            busy: Some(busy),
        }
    }
}

pin_project! {
    /// Waits for the service to be ready, then for its response.
    pub(super) struct Answer<S: Service<Request<Incoming>>> {
        #[pin]
        state: State<S>,
        busy: Option<Busy>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S: Service<Request<Incoming>>> {
        Ready { service: S, request: Option<Request<Incoming>> },
        Called { #[pin] response: S::Future },
    }
}

impl<S, B> Future for Answer<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    type Output = Result<Response<TrackedBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Ready { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let Some(request) = request.take() else {
                        return Poll::Pending;
                    };
                    let response = service.call(request);
                    this.state.set(State::Called { response });
                }
                StateProjection::Called { response } => {
                    let response = ready!(response.poll(cx))?;
                    let busy = this.busy.take();
                    return Poll::Ready(Ok(response.map(|body| TrackedBody { body, busy })));
                }
            }
        }
    }
}

pin_project! {
    /// A response's body; the request is being answered until it and all its pieces are dropped.
    pub(super) struct TrackedBody<B> {
        #[pin]
        body: B,
        busy: Option<Busy>,
    }
}

impl<B: Body> Body for TrackedBody<B> {
    type Data = Piece<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let held = || this.busy.as_ref().map(Busy::hold);
        Poll::Ready(
            frame.map(|frame| {
                frame.map(|frame| frame.map_data(|data| Piece { data, held: held() }))
            }),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A piece of a body, which tells how much of it has gone.
#[derive(Debug)]
pub(super) struct Piece<D> {
    data: D,
    held: Option<Held>,
}

impl<D> Piece<D> {
    fn took(&self, count: usize) {
        if let Some(held) = &self.held {
            held.took(count);
        }
    }
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        self.took(count);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        let bytes = self.data.copy_to_bytes(len);
        self.took(len);
        bytes
    }
}
