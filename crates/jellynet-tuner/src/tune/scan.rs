//! Which channels have a signal, and what is on them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::OpenError;
use super::lock::TunerLock;
use super::open::{Opening, POLL};
use crate::control::{Control, ControlError};
use crate::discover::Device;
use crate::status::{Program, TunerStatus};

/// How long the programmes of a mux may take to be complete.
const PROGRAMS: Duration = Duration::from_secs(5);

/// What is on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanStep {
    /// The channel's number in the device's map.
    pub number: u16,
    /// The signal.
    pub status: TunerStatus,
    /// The programmes; none without a lock.
    pub programs: Vec<Program>,
}

impl Opening<'_> {
    pub(super) async fn scan(
        self,
        device: &Device,
        numbers: impl IntoIterator<Item = u16>,
        mut report: impl FnMut(ScanStep),
    ) -> Result<(), OpenError> {
        let address = device.address().ok_or(OpenError::NoAddress { device: device.id })?;
        let control = Control::new(address, self.config.control);
        let mut lock = self.lock(device, None, control).await?;
        let mut outcome = Ok(());
        for number in numbers {
            match self.look(&mut lock, number).await {
                Ok(Some(step)) => report(step),
                // The map has no such number.
                Ok(None) => {}
                Err(error) => {
                    outcome = Err(OpenError::Control(error));
                    break;
                }
            }
        }
        lock.release().await;
        outcome
    }

    async fn look(
        &self,
        lock: &mut TunerLock,
        number: u16,
    ) -> Result<Option<ScanStep>, ControlError> {
        match lock.set("channel", &format!("auto:{number}")).await {
            Err(ControlError::Rejected { .. }) => return Ok(None),
            other => other?,
        }
        let deadline = Instant::now() + self.config.signal_wait;
        let status = loop {
            sleep(POLL).await;
            let status = TunerStatus::parse(&lock.get("status").await?);
            if status.is_locked() || !status.has_signal() || Instant::now() >= deadline {
                break status;
            }
        };
        let programs = if status.is_locked() { programs(lock).await? } else { Vec::new() };
        Ok(Some(ScanStep { number, status, programs }))
    }
}

/// The programmes once two readings agree: names come later than numbers.
async fn programs(lock: &mut TunerLock) -> Result<Vec<Program>, ControlError> {
    let deadline = Instant::now() + PROGRAMS;
    let mut before = None;
    loop {
        let info = lock.get("streaminfo").await?;
        let agreed = before.as_ref() == Some(&info) && info.trim() != "none";
        if agreed || Instant::now() >= deadline {
            return Ok(Program::parse_all(&info));
        }
        before = Some(info);
        sleep(POLL).await;
    }
}
