//! A tuner's lock, which is always released.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::error::OpenError;
use crate::control::{Control, ControlError, ControlOptions};
use crate::device_id::DeviceId;
use crate::journal::{HeldLock, Journal, JournalError};

/// How long releasing may take.
const RELEASE: Duration = Duration::from_millis(2500);

/// One tuner, locked; the session belongs to it.
#[derive(Debug)]
pub(super) struct TunerLock {
    control: Option<Control>,
    held: HeldLock,
    journal: Arc<Journal>,
}

impl TunerLock {
    /// Writes the lock down and takes it. When the device refuses, the session comes back for
    /// the next tuner.
    pub(super) async fn acquire(
        control: Control,
        journal: Arc<Journal>,
        held: HeldLock,
    ) -> Result<Self, (OpenError, Option<Control>)> {
        if let Err(error) = record(&journal, &held).await {
            return Err((OpenError::Journal(error), None));
        }
        // Before the question goes out: if this future is dropped meanwhile, or the answer is
        // lost, dropping the lock releases what may have been taken.
        let mut lock = Self { control: None, held, journal };
        let held = lock.held.clone();
        let answer = ask_for_lock(lock.control.insert(control), &held).await;
        match answer {
            Ok(()) => Ok(lock),
            Err(error) if error.is_refusal() => {
                let control = lock.give_up().await;
                Err((OpenError::Control(error), control))
            }
            Err(error) => Err((OpenError::Control(error), None)),
        }
    }

    /// Forgets a lock that was never taken.
    async fn give_up(mut self) -> Option<Control> {
        let control = self.control.take();
        strike(&self.journal, &self.held).await;
        control
    }

    pub(super) const fn tuner(&self) -> u8 {
        self.held.tuner
    }

    pub(super) const fn key(&self) -> u32 {
        self.held.key
    }

    pub(super) const fn device(&self) -> SocketAddr {
        self.held.address
    }

    /// Reads a variable of this tuner.
    pub(super) async fn get(&mut self, variable: &str) -> Result<String, ControlError> {
        let name = format!("/tuner{}/{variable}", self.held.tuner);
        self.control().get(&name).await
    }

    /// Sets a variable of this tuner.
    pub(super) async fn set(&mut self, variable: &str, value: &str) -> Result<(), ControlError> {
        let name = format!("/tuner{}/{variable}", self.held.tuner);
        let key = self.held.key;
        self.control().set(&name, value, Some(key)).await.map(drop)
    }

    /// Takes the lock again with the same key, after the device forgot it.
    pub(super) async fn renew(&mut self) -> Result<(), ControlError> {
        let name = format!("/tuner{}/lockkey", self.held.tuner);
        let key = self.held.key;
        self.control().set(&name, &key.to_string(), None).await.map(drop)
    }

    /// Waits until the device closes the connection; for ever while there is none.
    pub(super) async fn hung_up(&self) {
        match &self.control {
            Some(control) => control.closed().await,
            None => std::future::pending().await,
        }
    }

    /// The session; it connects anew where it was taken away.
    pub(super) fn control(&mut self) -> &mut Control {
        let device = self.held.address;
        self.control.get_or_insert_with(|| Control::new(device, ControlOptions::default()))
    }

    /// Stops the stream and gives the tuner back.
    pub(super) async fn release(mut self) {
        if let Some(control) = self.control.take() {
            release(control, self.held.clone(), Arc::clone(&self.journal)).await;
        }
    }
}

impl Drop for TunerLock {
    fn drop(&mut self) {
        let Some(control) = self.control.take() else {
            return;
        };
        // Without a runtime the journal remembers.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (held, journal) = (self.held.clone(), Arc::clone(&self.journal));
            runtime.spawn(release(control, held, journal));
        }
    }
}

/// Writes a lock down, without holding up the streams on this thread while the disk writes.
async fn record(journal: &Arc<Journal>, held: &HeldLock) -> Result<(), JournalError> {
    let (journal, held) = (Arc::clone(journal), held.clone());
    match spawn_blocking(move || journal.record(held)).await {
        Ok(recorded) => recorded,
        // The runtime ends, and this future with it.
        Err(_) => Ok(()),
    }
}

async fn ask_for_lock(control: &mut Control, held: &HeldLock) -> Result<(), ControlError> {
    let name = format!("/tuner{}/lockkey", held.tuner);
    let key = held.key.to_string();
    let before = control.reconnects();
    match control.set(&name, &key, None).await {
        // The first question may have got through and only its answer been lost: then the
        // holder is this very key.
        Err(ControlError::Locked { .. }) if control.reconnects() > before => {
            control.set(&name, &key, Some(held.key)).await.map(drop)
        }
        answer => answer.map(drop),
    }
}

async fn release(mut control: Control, held: HeldLock, journal: Arc<Journal>) {
    let outcome = timeout(RELEASE, let_go(&mut control, &held)).await;
    match outcome {
        Ok(Ok(())) => {
            debug!(device = %held.address, tuner = held.tuner, "released the tuner");
            strike(&journal, &held).await;
        }
        // It holds somebody else's lock, or none: nothing of ours is left on it.
        Ok(Err(error)) if error.is_refusal() => {
            debug!(device = %held.address, tuner = held.tuner, %error, "the tuner was not ours");
            strike(&journal, &held).await;
        }
        Ok(Err(error)) => {
            warn!(device = %held.address, tuner = held.tuner, %error,
                "could not release the tuner, it will do so itself within 30 s");
        }
        Err(_) => {
            warn!(device = %held.address, tuner = held.tuner,
                "the tuner took too long to be released, it will do so itself within 30 s");
        }
    }
}

async fn let_go(control: &mut Control, held: &HeldLock) -> Result<(), ControlError> {
    let HeldLock { tuner, key, .. } = held;
    let target = format!("/tuner{tuner}/target");
    let stopped = control.set(&target, "none", Some(*key)).await;
    if stopped.as_ref().is_err_and(|error| !error.is_refusal()) {
        return stopped.map(drop);
    }
    let channel = format!("/tuner{tuner}/channel");
    // Back to idle, so that others see a free tuner; not every model has the variable set so.
    if let Err(error) = control.set(&channel, "none", Some(*key)).await
        && !error.is_refusal()
    {
        return Err(error);
    }
    let lock = format!("/tuner{tuner}/lockkey");
    control.set(&lock, "none", Some(*key)).await.map(drop)
}

/// Strikes a lock out, in the same way.
async fn strike(journal: &Arc<Journal>, held: &HeldLock) {
    let (journal, held) = (Arc::clone(journal), held.clone());
    let struck = spawn_blocking(move || journal.strike(&held)).await;
    if let Ok(Err(error)) = struck {
        warn!(%error, "could not strike a released lock out");
    }
}

/// What became of a lock that an earlier run left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The device.
    pub device: DeviceId,
    /// Where it was.
    pub address: SocketAddr,
    /// Which of its tuners.
    pub tuner: u8,
    /// What became of it.
    pub outcome: RecoverOutcome,
}

/// What became of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecoverOutcome {
    /// It was still held, and is released.
    Released,
    /// It had expired, or someone else has the tuner by now: nothing was touched.
    NotOurs,
    /// The device does not answer; it lets locks expire after 30 s by itself.
    Unreachable,
}

/// Releases one lock of an earlier run, with its own key and never by force.
pub(super) async fn recover(
    held: HeldLock,
    options: ControlOptions,
    journal: &Arc<Journal>,
) -> Recovered {
    let mut control = Control::new(held.address, options);
    let outcome = match timeout(RELEASE * 2, reclaim(&mut control, &held)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) if error.is_refusal() => RecoverOutcome::NotOurs,
        Ok(Err(_)) | Err(_) => RecoverOutcome::Unreachable,
    };
    strike(journal, &held).await;
    Recovered { device: held.device, address: held.address, tuner: held.tuner, outcome }
}

async fn reclaim(control: &mut Control, held: &HeldLock) -> Result<RecoverOutcome, ControlError> {
    let owner = control.get(&format!("/tuner{}/lockkey", held.tuner)).await?;
    if owner == "none" {
        // Somebody may use it without a lock.
        return Ok(RecoverOutcome::NotOurs);
    }
    // Setting our own lock anew proves that it is ours: any other key is refused.
    let name = format!("/tuner{}/lockkey", held.tuner);
    control.set(&name, &held.key.to_string(), Some(held.key)).await?;
    let_go(control, held).await?;
    Ok(RecoverOutcome::Released)
}
