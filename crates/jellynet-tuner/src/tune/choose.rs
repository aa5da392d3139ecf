//! Which tuner to take, and taking it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::error::{BusyReason, OpenError};
use super::lock::TunerLock;
use super::open::Opening;
use crate::control::{Control, ControlError};
use crate::device_id::DeviceId;
use crate::discover::Device;
use crate::journal::HeldLock;
use crate::status::TunerStatus;

/// More tuners than any device has.
pub(super) const MOST_TUNERS: u8 = 16;

/// Why a tuner was not locked.
enum Refusal {
    /// Another client has it; the session is free for the next tuner.
    Busy(BusyReason, Control),
    Failed(OpenError),
}

impl Opening<'_> {
    /// The first free tuner, locked; without one, the first that is tuned but neither locked nor
    /// streaming: somebody left it so.
    pub(super) async fn lock(
        &self,
        device: &Device,
        wanted: Option<u8>,
        mut control: Control,
    ) -> Result<TunerLock, OpenError> {
        let address = control.device();
        let count = match device.tuner_count {
            0 => MOST_TUNERS,
            count => count,
        };
        let mut candidates: VecDeque<u8> = match wanted {
            Some(tuner) => VecDeque::from([tuner]),
            None => self.order.iter().copied().filter(|t| *t < count).collect(),
        };
        let mut busy: Vec<(u8, BusyReason)> = Vec::new();
        while let Some(tuner) = candidates.pop_front() {
            let second = busy.iter().any(|(t, _)| *t == tuner);
            match busy_reason(&mut control, tuner).await {
                Ok(None) => {}
                Ok(Some(BusyReason::Tuned { .. })) if second => {}
                Ok(Some(reason)) => {
                    if !second && matches!(reason, BusyReason::Tuned { .. }) {
                        candidates.push_back(tuner);
                    }
                    note(&mut busy, tuner, reason);
                    continue;
                }
                // The device has fewer tuners than it was asked for.
                Err(ControlError::UnknownVariable { .. }) if !busy.is_empty() => continue,
                Err(ControlError::UnknownVariable { .. }) => {
                    return Err(OpenError::NoSuchTuner { device: address, tuner });
                }
                Err(error) => return Err(OpenError::Control(error)),
            }
            match self.take(control, device.id, tuner).await {
                Ok(lock) => return Ok(lock),
                Err(Refusal::Busy(reason, back)) => {
                    note(&mut busy, tuner, reason);
                    control = back;
                }
                Err(Refusal::Failed(error)) => return Err(error),
            }
        }
        busy.sort_by_key(|(tuner, _)| *tuner);
        Err(OpenError::AllBusy { tuners: busy })
    }

    /// Locks a tuner that looked free; another client may have been quicker.
    async fn take(
        &self,
        control: Control,
        device: DeviceId,
        tuner: u8,
    ) -> Result<TunerLock, Refusal> {
        let held = HeldLock { device, address: control.device(), tuner, key: self.key };
        let locked = TunerLock::acquire(control, Arc::clone(self.journal), held).await;
        locked.map_err(|refused| match refused {
            (OpenError::Control(ControlError::Locked { owner, .. }), Some(back)) => {
                Refusal::Busy(BusyReason::Locked { owner }, back)
            }
            (OpenError::Control(ControlError::Busy { .. }), Some(back)) => {
                Refusal::Busy(BusyReason::Scanning, back)
            }
            (error, _) => Refusal::Failed(error),
        })
    }
}

/// Keeps the latest reason of each tuner.
fn note(busy: &mut Vec<(u8, BusyReason)>, tuner: u8, reason: BusyReason) {
    busy.retain(|(t, _)| *t != tuner);
    busy.push((tuner, reason));
}

/// Why a tuner cannot be taken; `None` when it can. "Not locked" alone is not free: a client
/// that takes no lock may be watching.
pub(super) async fn busy_reason(
    control: &mut Control,
    tuner: u8,
) -> Result<Option<BusyReason>, ControlError> {
    let owner = control.get(&format!("/tuner{tuner}/lockkey")).await?;
    if !is_none(&owner) {
        return Ok(Some(BusyReason::Locked { owner }));
    }
    let target = control.get(&format!("/tuner{tuner}/target")).await?;
    if !is_none(&target) {
        return Ok(Some(BusyReason::InUse { target }));
    }
    let status = control.get(&format!("/tuner{tuner}/status")).await?;
    let status = TunerStatus::parse(&status);
    Ok((!status.is_idle()).then_some(BusyReason::Tuned { channel: status.channel }))
}

fn is_none(value: &str) -> bool {
    matches!(value.trim(), "" | "none")
}
