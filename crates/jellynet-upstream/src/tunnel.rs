//! What follows an upgrade: bytes, both ways, until both ends are done.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Bytes that are on their way in one direction, at most.
const BUFFER: usize = 16 * 1024;

/// Why a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TunnelEnd {
    /// Both ends were done, in whatever order.
    Done,
    /// Silence in both directions.
    Idle,
    /// An end broke off.
    Broken,
}

/// Passes bytes both ways. An end that stops sending still receives (half-close); silence of both
/// for `idle` ends the tunnel.
///
/// `early` are bytes that came from `right` before the tunnel stood.
pub(crate) async fn tunnel<L, R>(
    mut left: L,
    mut right: R,
    early: &[u8],
    idle: Duration,
) -> TunnelEnd
where
    L: AsyncRead + AsyncWrite + Unpin,
    R: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Direction::new(&[]);
    let mut down = Direction::new(early);
    let mut timer = std::pin::pin!(tokio::time::sleep(idle));
    let mut last = Instant::now();
    std::future::poll_fn(|cx| {
        let up_now = up.poll(&mut left, &mut right, cx);
        let down_now = down.poll(&mut right, &mut left, cx);
        match (up_now, down_now) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => {
                return Poll::Ready(TunnelEnd::Broken);
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(TunnelEnd::Done),
            _ => {}
        }
        if std::mem::take(&mut up.moved) | std::mem::take(&mut down.moved) {
            last = Instant::now();
        }
        poll_idle(timer.as_mut(), last + idle, cx)
    })
    .await
}

/// Moves the timer only when it fires, not with each byte.
fn poll_idle(
    mut timer: Pin<&mut Sleep>,
    deadline: Instant,
    cx: &mut Context<'_>,
) -> Poll<TunnelEnd> {
    loop {
        ready!(timer.as_mut().poll(cx));
        if timer.deadline() >= deadline {
            return Poll::Ready(TunnelEnd::Idle);
        }
        timer.as_mut().reset(deadline);
    }
}

/// One direction of a tunnel.
struct Direction {
    buffer: Box<[u8]>,
    /// What lies in the buffer: from here to there.
    from: usize,
    to: usize,
    ended: bool,
    done: bool,
    moved: bool,
}

impl Direction {
    fn new(early: &[u8]) -> Self {
        let mut buffer = vec![0; BUFFER.max(early.len())];
        if let Some(front) = buffer.get_mut(..early.len()) {
            front.copy_from_slice(early);
        }
        Self {
            buffer: buffer.into(),
            from: 0,
            to: early.len(),
            ended: false,
            done: false,
            moved: false,
        }
    }

    fn poll<S, D>(
        &mut self,
        source: &mut S,
        sink: &mut D,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncRead + Unpin,
        D: AsyncWrite + Unpin,
    {
        loop {
            if self.done {
                return Poll::Ready(Ok(()));
            }
            if self.from < self.to {
                let bytes = self.buffer.get(self.from..self.to).unwrap_or_default();
                let count = ready!(Pin::new(&mut *sink).poll_write(cx, bytes))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.from += count;
                self.moved = true;
                continue;
            }
            if self.ended {
                ready!(Pin::new(&mut *sink).poll_shutdown(cx))?;
                self.done = true;
                continue;
            }
            let mut buffer = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut *source).poll_read(cx, &mut buffer)? {
                Poll::Pending => {
                    ready!(Pin::new(&mut *sink).poll_flush(cx))?;
                    return Poll::Pending;
                }
                Poll::Ready(()) => {
                    (self.from, self.to) = (0, buffer.filled().len());
                    self.ended = self.to == 0;
                    self.moved = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn an_end_that_stops_sending_still_receives() {
        let (mut client, left) = duplex(64);
        let (mut server, right) = duplex(64);
        let idle = Duration::from_secs(60);
        let task = tokio::spawn(async move { tunnel(left, right, b"early ", idle).await });
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut asked = Vec::new();
        server.read_to_end(&mut asked).await.unwrap();
        assert_eq!(asked, b"question");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut told = Vec::new();
        client.read_to_end(&mut told).await.unwrap();
        assert_eq!(told, b"early answer");
        assert_eq!(task.await.unwrap(), TunnelEnd::Done);
    }

    #[tokio::test(start_paused = true)]
    async fn only_silence_of_both_ends_it() {
        let (mut client, left) = duplex(64);
        let (mut server, right) = duplex(64);
        let idle = Duration::from_secs(60);
        let task = tokio::spawn(async move { tunnel(left, right, &[], idle).await });
        let start = Instant::now();
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(50)).await;
            client.write_all(b"x").await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), b'x');
        }
        assert_eq!(task.await.unwrap(), TunnelEnd::Idle);
        assert!(start.elapsed() >= Duration::from_secs(559));
    }
}
