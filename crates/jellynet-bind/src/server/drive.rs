//! Polling a hyper connection under deadlines.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::activity::{Activity, Doing};
use super::alarm::Alarm;
use super::pace::{Pace, Stall, Verdict};
use crate::listeners::{Facts, Phase};

/// How long the other side of a connection that is told to end may take to agree.
const FAREWELL: Duration = Duration::from_secs(1);

/// A hyper connection.
pub(super) trait Http: Future<Output = hyper::Result<()>> {
    /// Answers what is being asked, and ends.
    fn finish(self: Pin<&mut Self>);
}

/// What ended a drive.
#[derive(Debug)]
pub(super) enum Driven {
    /// The connection itself.
    Done(hyper::Result<()>),
    /// It has been idle for the first of its two idle times.
    Resting {
        since: Instant,
    },
    HeadersTimeout,
    IdleTimeout,
    SendTimeout,
    Cut,
}

/// What a drive waits for, besides its connection.
enum Next {
    /// Nothing: a request is being answered.
    Never,
    /// To look again whether the client takes what it asked for.
    Look(Instant),
    End(Instant, Driven),
}

/// For how long a connection may do what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) headers: Duration,
    pub(super) idle: Duration,
    /// After how much idle time the drive is interrupted.
    pub(super) rest: Option<Duration>,
    pub(super) pace: Pace,
}

/// How many connections have HTTP state, busy or not.
#[derive(Debug, Default)]
pub(super) struct Crowd(AtomicUsize);

impl Crowd {
    /// Counts one more for as long as the guard lives.
    pub(super) fn join(&self) -> Member<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Member(self)
    }

    /// Whether an idle connection should give its state back at once: so many together would
    /// cost more memory than making it again costs time.
    fn is_large(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 128
    }
}

pub(super) struct Member<'a>(&'a Crowd);

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) struct Drive<'a> {
    facts: &'a Facts,
    activity: &'a Activity,
    alarm: &'a mut Alarm,
    limits: Limits,
    crowd: &'a Crowd,
    seen: Option<(Doing, u32)>,
    since: Instant,
    ending: Option<Instant>,
    stall: Stall,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        facts: &'a Facts,
        activity: &'a Activity,
        alarm: &'a mut Alarm,
        limits: Limits,
        crowd: &'a Crowd,
    ) -> Self {
        Self {
            facts,
            activity,
            alarm,
            limits,
            crowd,
            seen: None,
            since: Instant::now(),
            ending: None,
            stall: Stall::default(),
        }
    }

    pub(super) async fn run<C: Http>(mut self, mut connection: Pin<&mut C>) -> Driven {
        poll_fn(|cx| self.poll(connection.as_mut(), cx)).await
    }

    fn poll<C: Http>(&mut self, mut connection: Pin<&mut C>, cx: &mut Context<'_>) -> Poll<Driven> {
        loop {
            let phase = self.facts.watch(cx.waker());
            if phase == Phase::Cut {
                return Poll::Ready(Driven::Cut);
            }
            // First of all: a request that has come before the drain is answered.
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                // Whoever is told to end need not listen to the end.
                let told = self.ending.is_some() && self.activity.now().0 != Doing::Request;
                return Poll::Ready(Driven::Done(if told { Ok(()) } else { result }));
            }
            if self.ending.is_none() && phase == Phase::Draining {
                self.ending = Some(Instant::now());
                connection.as_mut().finish();
                continue;
            }
            let (at, driven) = match self.deadline() {
                Next::Never => return Poll::Pending,
                Next::Look(at) => {
                    ready!(self.alarm.poll(cx, at));
                    continue;
                }
                Next::End(at, driven) => (at, driven),
            };
            // A timer for this very moment would ring in the next millisecond, and so for ever.
            let at_once = match driven {
                Driven::Resting { .. } => self.crowd.is_large(),
                Driven::SendTimeout => true,
                _ => false,
            };
            if !at_once && self.alarm.poll(cx, at).is_pending() {
                return Poll::Pending;
            }
            // HTTP/2 says goodbye first.
            if matches!(driven, Driven::IdleTimeout) && self.ending.is_none() {
                self.ending = Some(Instant::now());
                connection.as_mut().finish();
                continue;
            }
            return Poll::Ready(driven);
        }
    }

    /// The next moment that ends this, and how.
    fn deadline(&mut self) -> Next {
        let taken = self.activity.waits_for_peer();
        let crowded = || self.facts.is_crowded();
        match self.stall.judge(taken, self.limits.pace, crowded) {
            Some(Verdict::TooSlow) => {
                self.facts.abort();
                return Next::End(Instant::now(), Driven::SendTimeout);
            }
            Some(Verdict::Wait(at)) => {
                self.seen = None;
                return Next::Look(at);
            }
            None => {}
        }
        let now = self.activity.now();
        if now.0 == Doing::Request {
            self.seen = None;
            return Next::Never;
        }
        if self.seen != Some(now) {
            self.seen = Some(now);
            self.since = Instant::now();
        }
        if let Some(ending) = self.ending {
            let since = ending.max(self.since);
            return Next::End(since + FAREWELL, Driven::IdleTimeout);
        }
        let since = self.since;
        match (now.0, self.limits.rest) {
            (Doing::Head, _) => Next::End(since + self.limits.headers, Driven::HeadersTimeout),
            (_, Some(rest)) if rest < self.limits.idle => {
                Next::End(since + rest, Driven::Resting { since })
            }
            _ => Next::End(since + self.limits.idle, Driven::IdleTimeout),
        }
    }
}
