//! What a reader holds.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use tokio::sync::{Notify, watch};

use super::error::StreamError;
use super::hub::{Hub, Subscription};
use crate::channel::Channel;
use crate::device_id::DeviceId;
use crate::ports::{DropCounter, Granted};
use crate::rx::{RxStats, TsBatch};
use crate::status::TunerStatus;

/// How the stream travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// RTP: losses are known.
    Rtp,
    /// Plain UDP, for firmware without RTP: losses show only in continuity counters.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rtp => "rtp",
            Self::Udp => "udp",
        })
    }
}

/// What a stream is and how it comes here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The device.
    pub device: DeviceId,
    /// Where it is controlled.
    pub address: SocketAddr,
    /// Which of its tuners.
    pub tuner: u8,
    /// The channel.
    pub channel: Channel,
    /// How the stream travels.
    pub transport: Transport,
    /// Where this host receives.
    pub local: SocketAddr,
    /// Where the device sends.
    pub target: SocketAddr,
    /// The receive buffer.
    pub granted: Granted,
}

/// What all streams of a program received, also those that ended.
#[derive(Debug, Default)]
pub(super) struct Totals(Mutex<RxStats>);

impl Totals {
    pub(super) fn read(&self) -> RxStats {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, more: &RxStats) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(more);
    }
}

/// What the tasks of a stream and its readers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) info: StreamInfo,
    pub(super) hub: Arc<Hub>,
    account: Mutex<Account>,
    /// By itself, because reading the kernel's table takes longer than a packet may wait.
    drops: Mutex<Option<DropCounter>>,
    totals: Arc<Totals>,
    /// The network answered that nobody takes keepalives.
    pub(super) trouble: Notify,
    /// The receiving task shall end.
    pub(super) stopping: AtomicBool,
    /// Becomes true when tuner and port are given back.
    pub(super) released: watch::Receiver<bool>,
}

#[derive(Debug)]
struct Account {
    stats: RxStats,
    /// What of it is in the totals.
    settled: RxStats,
    status: TunerStatus,
    by_pid: Vec<(u16, u32)>,
}

impl Shared {
    pub(super) fn new(
        info: StreamInfo,
        hub: Arc<Hub>,
        drops: Option<DropCounter>,
        status: TunerStatus,
        totals: Arc<Totals>,
        released: watch::Receiver<bool>,
    ) -> Self {
        let (stats, settled) = (RxStats::default(), RxStats::default());
        let account = Account { stats, settled, status, by_pid: Vec::new() };
        let (account, drops) = (Mutex::new(account), Mutex::new(drops));
        let (trouble, stopping) = (Notify::new(), AtomicBool::new(false));
        Self { info, hub, account, drops, totals, trouble, stopping, released }
    }

    /// Takes over what the receiver counted; the kernel's count stays.
    pub(super) fn count(&self, stats: RxStats) {
        let mut account = self.account();
        let kernel_dropped = account.stats.kernel_dropped;
        account.stats = RxStats { kernel_dropped, ..stats };
    }

    pub(super) fn count_by_pid(&self, by_pid: Vec<(u16, u32)>) {
        self.account().by_pid = by_pid;
    }

    pub(super) fn set_status(&self, status: TunerStatus) {
        self.account().status = status;
    }

    /// The account, with the kernel's count as it is now.
    pub(super) fn stats(&self) -> RxStats {
        let mut counter = self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        let drops = counter.as_mut().and_then(|drops| drops.read().ok()?);
        drop(counter);
        let mut account = self.account();
        if drops.is_some() {
            account.stats.kernel_dropped = drops;
        }
        account.stats
    }

    /// Adds to the totals what came since the last time.
    pub(super) fn settle(&self) {
        // For the kernel's count.
        self.stats();
        let mut account = self.account();
        let stats = account.stats;
        let settled = std::mem::replace(&mut account.settled, stats);
        self.totals.add(&stats.since(&settled));
    }

    /// How many datagrams came so far, without asking the kernel.
    pub(super) fn datagrams(&self) -> u64 {
        let stats = self.account().stats;
        stats.datagrams - stats.foreign_source
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A channel's transport stream, as one reader sees it.
///
/// When the last reader of a channel is dropped the tuner is released, in the background;
/// [`close`](Self::close) waits for it.
#[derive(Debug)]
pub struct TunerStream {
    shared: Arc<Shared>,
    subscription: Subscription,
}

impl TunerStream {
    pub(super) const fn new(shared: Arc<Shared>, subscription: Subscription) -> Self {
        Self { shared, subscription }
    }

    pub(super) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    /// The next packets; `None` after the end. An error is the last item.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<TsBatch, StreamError>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next packets, for those who write a stream or a body.
    #[expect(clippy::needless_pass_by_ref_mut, reason = "the shape of every poll function")]
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<TsBatch, StreamError>>> {
        self.subscription.poll_next(cx)
    }

    /// One more reader of the same stream, from now on; `None` when it is over.
    #[must_use]
    pub fn another(&self) -> Option<Self> {
        let subscription = self.shared.hub.subscribe()?;
        Some(Self::new(Arc::clone(&self.shared), subscription))
    }

    /// What the stream is and how it comes here.
    #[must_use]
    pub fn info(&self) -> &StreamInfo {
        &self.shared.info
    }

    /// What arrived and what did not, so far. Reads the kernel's table: not for every packet.
    #[must_use]
    pub fn stats(&self) -> RxStats {
        self.shared.stats()
    }

    /// The elementary streams with continuity errors and how many each has, to the last second.
    #[must_use]
    pub fn continuity_by_pid(&self) -> Vec<(u16, u32)> {
        self.shared.account().by_pid.clone()
    }

    /// What the tuner last said about its signal; asked every second.
    #[must_use]
    pub fn status(&self) -> TunerStatus {
        self.shared.account().status.clone()
    }

    /// How many readers share the stream.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.shared.hub.readers()
    }

    /// How many batches this reader was too slow for.
    #[must_use]
    pub const fn lagged(&self) -> u64 {
        self.subscription.lagged()
    }

    /// Leaves the stream, and lets [`next`](Self::next) give the rest of it: what came until now,
    /// and for the last reader all that comes until the tuner has stopped; then `None`.
    pub fn leave(&mut self) {
        self.subscription.leave();
    }

    /// Leaves the stream. The last reader waits until tuner and port are given back, and gets
    /// the final account.
    ///
    /// # Cancel safety
    ///
    /// The tuner is released all the same when the future is dropped.
    pub async fn close(self) -> RxStats {
        let Self { shared, subscription } = self;
        drop(subscription);
        if shared.hub.readers() == 0 {
            let mut released = shared.released.clone();
            // An error means that the task is gone, and everything with it.
            let _ = released.wait_for(|released| *released).await;
        }
        shared.stats()
    }
}
