//! Accepting on one socket without ever spinning or dying.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;

/// The first pause after the system ran out of something.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often at most a pause is told.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How many failed connections in a row look like the socket's own trouble.
const TOO_MANY_FAULTS: u32 = 64;

/// A socket that connections come from.
pub(super) trait RawAccept {
    type Io;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Io>>;
}

/// One listening socket with its pauses.
#[derive(Debug)]
pub(super) struct Intake<L> {
    pub(super) listener: L,
    faults: u32,
    next_pause: Duration,
    paused_until: Option<Instant>,
    told_at: Option<Instant>,
    told: bool,
}

/// What came of looking at a socket.
#[derive(Debug)]
pub(super) enum Taken<Io> {
    Connection(Io),
    /// The system ran out of something; `tell` when this was not told lately.
    Paused {
        error: io::Error,
        tell: bool,
    },
    /// The pause is over, and its begin was told.
    Resumed,
    /// The socket itself is unusable.
    Broken(io::Error),
}

impl<L: RawAccept> Intake<L> {
    pub(super) const fn new(listener: L) -> Self {
        Self {
            listener,
            faults: 0,
            next_pause: FIRST_PAUSE,
            paused_until: None,
            told_at: None,
            told: false,
        }
    }

    /// When this socket must be looked at again though nothing woke it.
    pub(super) const fn wake_at(&self) -> Option<Instant> {
        self.paused_until
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Taken<L::Io>> {
        if self.paused_until.is_some_and(|until| until > Instant::now()) {
            return Poll::Pending;
        }
        loop {
            match self.listener.poll_accept(cx) {
                Poll::Ready(Err(error)) => {
                    if let Some(taken) = self.fault(error) {
                        return Poll::Ready(taken);
                    }
                }
                Poll::Ready(Ok(io)) => {
                    self.faults = 0;
                    // The pause's end is told by the next look, so that no connection waits.
                    return Poll::Ready(Taken::Connection(io));
                }
                Poll::Pending if self.paused_until.take().is_some() => {
                    self.next_pause = FIRST_PAUSE;
                    if std::mem::take(&mut self.told) {
                        return Poll::Ready(Taken::Resumed);
                    }
                    return Poll::Pending;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// `None` to look again at once.
    fn fault(&mut self, error: io::Error) -> Option<Taken<L::Io>> {
        match blame(&error) {
            Blame::Connection if self.faults < TOO_MANY_FAULTS => {
                self.faults += 1;
                return None;
            }
            Blame::Socket => return Some(Taken::Broken(error)),
            Blame::Connection | Blame::System => {}
        }
        self.faults = 0;
        let now = Instant::now();
        self.paused_until = Some(now + self.next_pause);
        self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
        let tell = !self.told && self.told_at.is_none_or(|at| now - at >= TELL_EVERY);
        if tell {
            self.told = true;
            self.told_at = Some(now);
        }
        Some(Taken::Paused { error, tell })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    /// This one connection failed before it was accepted (accept(2): "should be treated like
    /// EAGAIN").
    Connection,
    /// The process or the system ran out of something.
    System,
    /// This is no listening socket any more.
    Socket,
}

fn blame(error: &io::Error) -> Blame {
    let Some(errno) = Errno::from_io_error(error) else {
        return Blame::System;
    };
    match errno {
        Errno::CONNABORTED
        | Errno::CONNRESET
        | Errno::PROTO
        | Errno::NOPROTOOPT
        | Errno::NETDOWN
        | Errno::NETUNREACH
        | Errno::HOSTDOWN
        | Errno::HOSTUNREACH
        | Errno::NONET
        | Errno::OPNOTSUPP
        | Errno::TIMEDOUT
        | Errno::INTR
        // A firewall's refusal.
        | Errno::PERM => Blame::Connection,
        Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::FAULT => Blame::Socket,
        // EMFILE, ENFILE, ENOBUFS, ENOMEM, and whatever is not known: never spin.
        _ => Blame::System,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::future::poll_fn;

    use super::*;

    /// Answers from a script, then `Pending`.
    #[derive(Debug, Default)]
    struct Script(RefCell<VecDeque<Result<u32, Errno>>>);

    impl RawAccept for Script {
        type Io = u32;

        fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<u32>> {
            match self.0.borrow_mut().pop_front() {
                Some(Ok(n)) => Poll::Ready(Ok(n)),
                Some(Err(errno)) => Poll::Ready(Err(errno.into())),
                None => Poll::Pending,
            }
        }
    }

    fn script(steps: impl IntoIterator<Item = Result<u32, Errno>>) -> Intake<Script> {
        Intake::new(Script(RefCell::new(steps.into_iter().collect())))
    }

    async fn look(intake: &mut Intake<Script>) -> Poll<Taken<u32>> {
        poll_fn(|cx| Poll::Ready(intake.poll(cx))).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_connection_does_not_hold_up_the_next() {
        let mut intake = script([
            Err(Errno::CONNABORTED),
            Err(Errno::PROTO),
            Err(Errno::NETDOWN),
            Err(Errno::PERM),
            Ok(7),
        ]);
        assert!(matches!(look(&mut intake).await, Poll::Ready(Taken::Connection(7))));
    }

    #[tokio::test(start_paused = true)]
    async fn an_exhausted_system_is_given_longer_and_longer_pauses() {
        let mut intake = script((0..6).map(|_| Err(Errno::MFILE)).chain([Ok(1)]));
        let start = Instant::now();
        let mut told = 0;
        for pause in [100, 200, 400, 800, 1000, 1000] {
            let Poll::Ready(Taken::Paused { tell, .. }) = look(&mut intake).await else {
                panic!("a pause");
            };
            told += u32::from(tell);
            let until = intake.wake_at().unwrap();
            assert_eq!(until - Instant::now(), Duration::from_millis(pause));
            assert!(look(&mut intake).await.is_pending(), "no spinning");
            tokio::time::advance(Duration::from_millis(pause)).await;
        }
        assert_eq!(start.elapsed(), Duration::from_millis(3500));
        assert_eq!(told, 1);
        assert!(matches!(look(&mut intake).await, Poll::Ready(Taken::Connection(1))));
        assert!(matches!(look(&mut intake).await, Poll::Ready(Taken::Resumed)));
        assert!(look(&mut intake).await.is_pending());
        assert_eq!(intake.wake_at(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_told_every_five_seconds_at_most() {
        let mut intake = script([]);
        let mut told = Vec::new();
        for second in 0..12 {
            intake.listener.0.borrow_mut().push_back(Err(Errno::NFILE));
            if let Poll::Ready(Taken::Paused { tell: true, .. }) = look(&mut intake).await {
                told.push(second);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
            // The system has room again, for a moment.
            while look(&mut intake).await.is_ready() {}
        }
        assert_eq!(told, [0, 5, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn endless_failures_pause_too_and_a_broken_socket_is_given_up() {
        let mut intake = script((0..200).map(|_| Err(Errno::CONNABORTED)));
        assert!(matches!(look(&mut intake).await, Poll::Ready(Taken::Paused { .. })));
        let mut intake = script([Err(Errno::BADF)]);
        assert!(matches!(look(&mut intake).await, Poll::Ready(Taken::Broken(_))));
    }
}
