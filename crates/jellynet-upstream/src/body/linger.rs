//! A request's body behind the response that came before its end.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::exchange::BoxUpload;
use crate::patience::Patience;

/// How much of a request's body is still read behind its response, for how long, and how long it
/// may pause: as long as a client takes to see that it was answered.
const MOST: usize = 64 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(1);

/// Reads what a client still sends after its response is complete, and forgets it. Were the body
/// dropped at once, HTTP/2 would reset the stream and HTTP/1.1 the connection, and there are clients
/// that then lose the response; were the end of the response held back instead, clients that stop
/// sending when they see its status would end their stream short of its length, for which HTTP/2
/// resets it too.
pub(super) fn linger(upload: BoxUpload) {
    // Outside a runtime there is no connection that could be reset.
    if let Ok(runtime) = Handle::try_current() {
        let mut rest = Rest {
            upload,
            left: MOST,
            until: Instant::now() + LONGEST,
            patience: Patience::default(),
        };
        runtime.spawn(async move { poll_fn(|cx| rest.poll(cx)).await });
    }
}

struct Rest {
    upload: BoxUpload,
    left: usize,
    until: Instant,
    patience: Patience,
}

impl Rest {
    /// Ready when the client has sent it all, or enough of it, or took too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.left;
        let over = self.upload.as_mut().poll_discard(&mut self.left, cx).is_ready();
        if over || Instant::now() >= self.until {
            return Poll::Ready(());
        }
        if self.left != before {
            self.patience.rest();
        }
        self.patience.poll(SILENCE, cx)
    }
}
