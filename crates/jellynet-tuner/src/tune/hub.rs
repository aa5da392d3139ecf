//! One stream for any number of readers, none of which can hold up another.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use super::error::StreamError;
use crate::rx::{Gap, TsBatch};

/// The batches of one stream, the newest few megabytes of them.
#[derive(Debug)]
pub(super) struct Hub {
    state: Mutex<State>,
    idle: Notify,
    limit: usize,
}

#[derive(Debug)]
struct State {
    ring: VecDeque<TsBatch>,
    bytes: usize,
    /// The number of the first batch in the ring.
    first: u64,
    readers: usize,
    waiting: Vec<Waker>,
    end: Option<End>,
    /// Nothing is published any more.
    complete: bool,
}

/// Why nothing comes any more.
#[derive(Clone, Debug)]
enum End {
    /// The last reader left: whoever comes now has to open a new stream.
    Deserted,
    Failed(StreamError),
}

impl Hub {
    /// With its first reader.
    pub(super) fn new(limit: usize) -> (Arc<Self>, Subscription) {
        let hub = Arc::new(Self {
            state: Mutex::new(State {
                ring: VecDeque::new(),
                bytes: 0,
                first: 0,
                readers: 1,
                waiting: Vec::new(),
                end: None,
                complete: false,
            }),
            idle: Notify::new(),
            limit,
        });
        let subscription = Subscription {
            hub: Arc::clone(&hub),
            next: 0,
            lagged: 0,
            until: None,
            finished: false,
        };
        (hub, subscription)
    }

    /// One more reader, from now on; `None` when the stream is over.
    pub(super) fn subscribe(self: &Arc<Self>) -> Option<Subscription> {
        let mut state = self.state();
        if state.end.is_some() {
            return None;
        }
        state.readers += 1;
        let next = state.first + state.ring.len() as u64;
        drop(state);
        Some(Subscription { hub: Arc::clone(self), next, lagged: 0, until: None, finished: false })
    }

    /// Gives a batch to every reader; the oldest ones go when there are too many bytes.
    pub(super) fn publish(&self, batch: TsBatch) {
        let mut state = self.state();
        state.bytes += batch.data.len();
        state.ring.push_back(batch);
        while state.bytes > self.limit && state.ring.len() > 1 {
            if let Some(old) = state.ring.pop_front() {
                state.bytes -= old.data.len();
                state.first += 1;
            }
        }
        state.wake();
    }

    /// Ends the stream for every reader, after what is in the ring.
    pub(super) fn fail(&self, error: StreamError) {
        let mut state = self.state();
        state.end.get_or_insert(End::Failed(error));
        state.wake();
    }

    /// Nothing comes any more: readers that left get what is in the ring, and their end.
    pub(super) fn complete(&self) {
        let mut state = self.state();
        state.complete = true;
        state.wake();
    }

    /// Waits until the last reader has left.
    pub(super) async fn deserted(&self) {
        loop {
            let idle = self.idle.notified();
            if self.state().readers == 0 {
                return;
            }
            idle.await;
        }
    }

    pub(super) fn readers(&self) -> usize {
        self.state().readers
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under the lock can leave the ring half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    /// One reader less; `true` when it was the last one.
    fn leave(&mut self) -> bool {
        self.readers -= 1;
        if self.readers == 0 {
            self.end.get_or_insert(End::Deserted);
        }
        self.readers == 0
    }
}

/// One reader's place in the stream.
#[derive(Debug)]
pub(super) struct Subscription {
    hub: Arc<Hub>,
    next: u64,
    lagged: u64,
    /// Left, and where it ends: at this batch, or with the stream.
    until: Option<u64>,
    finished: bool,
}

impl Subscription {
    /// Is no reader any more, and reads to the end what came until now; the last one to leave
    /// reads what comes until the tuner stops.
    pub(super) fn leave(&mut self) {
        if self.until.is_some() {
            return;
        }
        let mut state = self.hub.state();
        let end = state.first + state.ring.len() as u64;
        self.until = Some(if state.leave() { u64::MAX } else { end });
        drop(state);
        self.hub.idle.notify_waiters();
    }

    pub(super) fn poll_next(
        &mut self,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<TsBatch, StreamError>>> {
        if self.finished {
            return Poll::Ready(None);
        }
        let mut state = self.hub.state();
        if self.until.is_some_and(|until| self.next >= until) {
            self.finished = true;
            return Poll::Ready(None);
        }
        let missed = state.first.saturating_sub(self.next);
        self.next += missed;
        self.lagged += missed;
        let index = usize::try_from(self.next - state.first).unwrap_or(usize::MAX);
        if let Some(batch) = state.ring.get(index) {
            self.next += 1;
            let mut batch = batch.clone();
            if missed > 0 {
                batch.gap_before = Some(Gap::Lagged { batches: missed });
            }
            return Poll::Ready(Some(Ok(batch)));
        }
        match &state.end {
            Some(End::Deserted) if self.until.is_some() && !state.complete => {
                state.wait(cx);
                Poll::Pending
            }
            None => {
                state.wait(cx);
                Poll::Pending
            }
            Some(end) => {
                self.finished = true;
                Poll::Ready(match end {
                    End::Deserted => None,
                    End::Failed(error) => Some(Err(error.clone())),
                })
            }
        }
    }

    /// How many batches this reader was too slow for.
    pub(super) const fn lagged(&self) -> u64 {
        self.lagged
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn batch(number: u8) -> TsBatch {
        TsBatch {
            data: Bytes::from(vec![number; 188]),
            gap_before: None,
            received: tokio::time::Instant::now().into_std(),
        }
    }

    fn read(reader: &mut Subscription) -> Poll<Option<(u8, Option<Gap>)>> {
        let cx = Context::from_waker(Waker::noop());
        let batch = reader.poll_next(&cx);
        batch.map(|b| b.and_then(Result::ok).map(|b| (b.data[0], b.gap_before)))
    }

    #[test]
    fn every_reader_gets_every_batch_from_when_it_came() {
        let (hub, mut first) = Hub::new(10_000);
        hub.publish(batch(1));
        let mut second = hub.subscribe().unwrap();
        hub.publish(batch(2));
        assert_eq!(read(&mut first), Poll::Ready(Some((1, None))));
        assert_eq!(read(&mut first), Poll::Ready(Some((2, None))));
        assert_eq!(read(&mut second), Poll::Ready(Some((2, None))));
        assert_eq!(read(&mut second), Poll::Pending);
    }

    #[test]
    fn a_slow_reader_loses_the_oldest_and_is_told_how_many() {
        let (hub, mut slow) = Hub::new(3 * 188);
        (0..10).for_each(|n| hub.publish(batch(n)));
        assert_eq!(read(&mut slow), Poll::Ready(Some((7, Some(Gap::Lagged { batches: 7 })))));
        assert_eq!(read(&mut slow), Poll::Ready(Some((8, None))));
        assert_eq!(slow.lagged(), 7);
    }

    #[test]
    fn who_leaves_gets_what_came_and_the_last_one_what_still_comes() {
        let (hub, mut first) = Hub::new(1000);
        let mut last = hub.subscribe().unwrap();
        hub.publish(batch(1));
        first.leave();
        hub.publish(batch(2));
        assert_eq!(read(&mut first), Poll::Ready(Some((1, None))));
        assert_eq!(read(&mut first), Poll::Ready(None), "others read on");
        last.leave();
        assert_eq!(hub.readers(), 0);
        assert_eq!(read(&mut last), Poll::Ready(Some((1, None))));
        assert_eq!(read(&mut last), Poll::Ready(Some((2, None))));
        assert_eq!(read(&mut last), Poll::Pending, "the tuner has not stopped yet");
        hub.publish(batch(3));
        hub.complete();
        assert_eq!(read(&mut last), Poll::Ready(Some((3, None))));
        assert_eq!(read(&mut last), Poll::Ready(None));
    }

    #[test]
    fn after_the_last_reader_nobody_can_join() {
        let (hub, first) = Hub::new(1000);
        let second = hub.subscribe().unwrap();
        drop(first);
        assert_eq!(hub.readers(), 1);
        drop(second);
        assert!(hub.subscribe().is_none());
    }
}
