//! Looks after a running stream: silence, the signal, the last reader.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{debug, info};

use super::error::{OpenError, StreamError};
use super::inlet::Inlet;
use super::lock::TunerLock;
use super::open::{AbortOnDrop, set_channel, set_program, set_target};
use super::stream::Shared;
use crate::control::ControlError;
use crate::ports::Reservation;
use crate::status::TunerStatus;

/// How often the tuner is asked for its signal.
const POLL: Duration = Duration::from_secs(1);

/// How long nothing comes before what the network says is believed.
const LULL: Duration = Duration::from_millis(200);

/// Keeps one stream going and ends it in order.
pub(super) struct Supervisor {
    pub(super) lock: TunerLock,
    pub(super) shared: Arc<Shared>,
    pub(super) inlet: Arc<Inlet>,
    pub(super) pump: AbortOnDrop,
    pub(super) reservation: Reservation,
    pub(super) released: watch::Sender<bool>,
    pub(super) stall: Duration,
    pub(super) recoveries: u32,
}

impl Supervisor {
    /// Until the last reader leaves or the stream fails; then everything is given back.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            () = shared.hub.deserted() => {}
            error = self.watch() => {
                info!(device = %self.lock.device(), tuner = self.lock.tuner(), %error, "a stream ended");
                // Readers get what came, and the reason without waiting for the release.
                stop(&shared, &mut self.pump).await;
                shared.hub.fail(error);
            }
        }
        self.end().await;
    }

    /// The tuner first, while the port still takes what is under way; then the port.
    async fn end(self) {
        let Self { lock, shared, mut pump, inlet, reservation, released, .. } = self;
        lock.release().await;
        stop(&shared, &mut pump).await;
        // The kernel's count is known only while the socket is open.
        shared.settle();
        shared.hub.complete();
        pump.0.abort();
        drop((pump, inlet));
        drop(reservation);
        released.send_replace(true);
    }

    /// Returns why the stream cannot go on.
    async fn watch(&mut self) -> StreamError {
        let mut tick = interval(POLL.min(self.stall));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.shared.datagrams();
        let mut since = Instant::now();
        let mut quiet = since;
        let mut tried = 0;
        loop {
            let alarmed = tokio::select! {
                _ = tick.tick() => false,
                () = self.shared.trouble.notified() => true,
                () = self.lock.hung_up() => {
                    self.lock.control().disconnect();
                    true
                }
            };
            if alarmed {
                if let Some(error) = self.is_gone().await {
                    return error;
                }
                continue;
            }
            let datagrams = self.shared.datagrams();
            if datagrams != seen {
                (seen, tried) = (datagrams, 0);
                since = Instant::now();
                quiet = since;
            }
            if quiet.elapsed() < self.stall {
                // What it says about its signal is worth knowing, not worth ending a stream for.
                if let Ok(status) = self.lock.get("status").await {
                    self.shared.set_status(TunerStatus::parse(&status));
                }
                continue;
            }
            tried += 1;
            let last = tried > self.recoveries;
            match self.recover().await {
                Ok(()) => quiet = Instant::now(),
                Err(Setback::Final(error)) => return error,
                Err(Setback::Maybe(error)) if last => return error,
                Err(Setback::Maybe(error)) => debug!(%error, "the stream is silent"),
            }
            if last {
                return StreamError::Silent { device: self.lock.device(), silent: since.elapsed() };
            }
        }
    }

    /// The network says that nobody is there: ICMP answered a keepalive, or the control connection
    /// was closed. Old firmware does the first and an idle device the second while its stream goes
    /// on, so that only a device that takes no connection any more is gone.
    async fn is_gone(&mut self) -> Option<StreamError> {
        let before = self.shared.datagrams();
        sleep(LULL).await;
        if self.shared.datagrams() != before {
            return None;
        }
        let error = self.lock.get("status").await.err().filter(ControlError::is_closed_port)?;
        let device = self.lock.device();
        Some(StreamError::DeviceGone { device, source: Arc::new(error) })
    }

    /// Sets the stream up anew, on the same port and with the same key.
    async fn recover(&mut self) -> Result<(), Setback> {
        let device = self.lock.device();
        let gone =
            |source| Setback::Maybe(StreamError::DeviceGone { device, source: Arc::new(source) });
        let owner = self.lock.get("lockkey").await.map_err(gone)?;
        if owner.trim() == "none" {
            // It expired, or the device has started anew.
            debug!(%device, tuner = self.lock.tuner(), "the tuner forgot its lock");
            self.lock.renew().await.map_err(|error| self.setback(error))?;
        } else if let Some(lost) = self.lost_to(&owner).await {
            return Err(Setback::Final(lost));
        }
        let channel = self.shared.info.channel.clone();
        let target = self.shared.info.target;
        self.inlet.disconnect();
        let tuned = async {
            set_channel(&mut self.lock, &channel).await?;
            set_program(&mut self.lock, &channel).await?;
            set_target(&mut self.lock, target).await.map(drop)
        };
        match tuned.await {
            Ok(()) => Ok(()),
            Err(OpenError::Rejected { source, .. }) => Err(self.setback(*source)),
            Err(OpenError::Control(source)) => Err(self.setback(source)),
            Err(_) => Ok(()),
        }
    }

    /// The lock has a holder: this key, or another one. Only the key tells, because a second
    /// program on this host has the same address.
    async fn lost_to(&mut self, owner: &str) -> Option<StreamError> {
        let key = self.lock.key().to_string();
        match self.lock.set("lockkey", &key).await {
            Err(ControlError::Locked { .. }) => {
                Some(StreamError::LockLost { tuner: self.lock.tuner(), owner: owner.to_owned() })
            }
            _ => None,
        }
    }

    fn setback(&self, error: ControlError) -> Setback {
        let device = self.lock.device();
        match error {
            ControlError::Locked { owner, .. } => {
                Setback::Final(StreamError::LockLost { tuner: self.lock.tuner(), owner })
            }
            error if error.is_refusal() => {
                Setback::Maybe(StreamError::Refused { device, source: Arc::new(error) })
            }
            error => Setback::Maybe(StreamError::DeviceGone { device, source: Arc::new(error) }),
        }
    }
}

/// Lets the receiving task hand out what it has, and end.
async fn stop(shared: &Shared, pump: &mut AbortOnDrop) {
    shared.stopping.store(true, Ordering::Relaxed);
    if !pump.0.is_finished() {
        // An error means that it is gone, which is what was wanted.
        let _ = (&mut pump.0).await;
    }
}

/// Why setting up anew failed.
enum Setback {
    /// It cannot succeed.
    Final(StreamError),
    /// It may succeed next time.
    Maybe(StreamError),
}
