//! What works between this host and a tuner, and what does not: the checks of a doctor.

use std::fmt;
use std::iter;
use std::net::IpAddr;

use super::choose::{MOST_TUNERS, busy_reason};
use super::config::TuneRequest;
use super::error::OpenError;
use super::tuners::Tuners;
use crate::channel::Channel;
use crate::control::Control;
use crate::discover::{Device, SeekConfig, Target, discover};
use crate::doctor::{Advice, discovery_advice};
use crate::ports::PortError;

/// What is looked at, in this order; each needs the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// Does the device answer on 65001/udp?
    Discovery,
    /// Does it answer on 65001/tcp?
    Control,
    /// Is one of its tuners free?
    Tuner,
    /// Does a stream arrive? Needs a channel.
    Stream,
}

impl Check {
    /// One word, for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Control => "control",
            Self::Tuner => "tuner",
            Self::Stream => "stream",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It works.
    Good,
    /// It cannot be told now, but nothing is broken: every tuner is in use, or there is no signal
    /// on the channel.
    Unclear,
    /// It does not work.
    Bad,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it ended.
    pub verdict: Verdict,
    /// A sentence without a full stop that names the device.
    pub text: String,
    /// What to do, the likeliest first.
    pub advice: Vec<Advice>,
}

impl Finding {
    const fn new(check: Check, verdict: Verdict, text: String) -> Self {
        Self { check, verdict, text, advice: Vec::new() }
    }

    /// An error with all its causes.
    fn failed(check: Check, verdict: Verdict, text: &str, error: &dyn std::error::Error) -> Self {
        let causes = iter::successors(Some(error), |cause| cause.source());
        let text = causes.fold(text.to_owned(), |text, cause| format!("{text}: {cause}"));
        Self::new(check, verdict, text)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Tuners {
    /// Looks for `target` and at every device that answers: is it found, can it be controlled, is
    /// a tuner free, does the stream of `channel` arrive, and what blocks it. A check that fails
    /// is the last one of its device. Without a channel nothing is tuned.
    ///
    /// Takes half a second for the search, and up to
    /// [`signal_wait`](super::TunersConfig::signal_wait) and
    /// [`data_wait`](super::TunersConfig::data_wait) for a stream; the tuner is then released.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the tuner is released in the background.
    pub async fn examine(&self, target: Target, channel: Option<&Channel>) -> Vec<Finding> {
        let failed = |text: String| {
            let mut finding = Finding::new(Check::Discovery, Verdict::Bad, text);
            finding.advice = discovery_advice();
            finding
        };
        let found = match discover(SeekConfig::new(target)).await {
            Ok(found) => found,
            Err(error) => {
                let (check, text) = (Check::Discovery, "cannot look for tuners");
                return vec![Finding::failed(check, Verdict::Bad, text, &error)];
            }
        };
        if found.is_empty() {
            return vec![failed(match target {
                Target::All => "no tuner answers to a broadcast on 65001/udp".to_owned(),
                Target::Device(id) => {
                    format!("device {id} does not answer to a broadcast on 65001/udp")
                }
                Target::Host(address) => format!("{address} does not answer on 65001/udp"),
            })];
        }
        let mut findings = Vec::new();
        for device in found {
            self.examine_device(&device, channel, &mut findings).await;
        }
        findings
    }

    async fn examine_device(
        &self,
        device: &Device,
        channel: Option<&Channel>,
        findings: &mut Vec<Finding>,
    ) {
        let (id, count) = (device.id, device.tuner_count);
        let Some(address) = device.address() else { return };
        let at = address.ip();
        let good = |check, text| Finding::new(check, Verdict::Good, text);
        findings.push(good(Check::Discovery, format!("device {id} answers at {at}")));

        let mut control = Control::new(address, self.config().control);
        let model = match control.get("/sys/model").await {
            Ok(model) => model,
            Err(error) => {
                let text = format!("device {id} cannot be controlled");
                let mut finding = Finding::failed(Check::Control, Verdict::Bad, &text, &error);
                finding.advice = vec![control_advice(at)];
                findings.push(finding);
                return;
            }
        };
        findings.push(good(Check::Control, format!("device {id} can be controlled, a {model}")));
        let (mut free, mut seen) = (0, 0);
        for tuner in 0..if count == 0 { MOST_TUNERS } else { count } {
            match busy_reason(&mut control, tuner).await {
                Ok(busy) => free += u8::from(busy.is_none()),
                // It has fewer.
                Err(_) => break,
            }
            seen += 1;
        }
        drop(control);
        let verdict = if free > 0 { Verdict::Good } else { Verdict::Unclear };
        let text = format!("{free} of {seen} tuners of device {id} are free");
        findings.push(Finding::new(Check::Tuner, verdict, text));
        if let (Some(channel), Verdict::Good) = (channel, verdict) {
            findings.push(self.examine_stream(device, channel).await);
        }
    }

    async fn examine_stream(&self, device: &Device, channel: &Channel) -> Finding {
        match self.open(device, &TuneRequest::new(channel.clone())).await {
            Ok(stream) => {
                let (info, status) = (stream.info().clone(), stream.status());
                stream.close().await;
                let text = format!(
                    "{channel} of device {} arrives at {} by {}: {status}",
                    info.device, info.local, info.transport
                );
                Finding::new(Check::Stream, Verdict::Good, text)
            }
            Err(error) => {
                let text = format!("{channel} of device {} does not arrive", device.id);
                let mut finding = Finding::failed(Check::Stream, verdict_of(&error), &text, &error);
                finding.advice = error.advice();
                finding
            }
        }
    }
}

/// Whether an error is a fault, or only the state of the moment or of the aerial.
const fn verdict_of(error: &OpenError) -> Verdict {
    match error {
        OpenError::AllBusy { .. }
        | OpenError::NoSignal { .. }
        | OpenError::NoLock { .. }
        | OpenError::Rejected { .. } => Verdict::Unclear,
        _ => Verdict::Bad,
    }
}

impl OpenError {
    /// What to do about it, the likeliest first; nothing where there is only to wait.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let one = |when, command: &str| vec![Advice { when, command: command.to_owned() }];
        match self {
            Self::DataBlocked(blocked) => blocked.advice(),
            Self::NoSignal { .. } => one(
                "at the aerial",
                "check its cable; `jellynet tuner scan` tells what it receives",
            ),
            Self::NoLock { .. } => {
                one("at the aerial", "a better signal; or the modulation is not this device's")
            }
            Self::Rejected { variable: "channel" | "vchannel" | "program", .. } => {
                one("the channel", "`jellynet tuner scan` tells what there is")
            }
            Self::Port(PortError::Exhausted { .. }) => {
                one("the ports", "a wider range: tuner.ports, or --ports")
            }
            _ => Vec::new(),
        }
    }
}

fn control_advice(device: IpAddr) -> Advice {
    let command = format!("let 65001/tcp to {device} through, and see that it is reached: ping");
    Advice { when: "in a firewall", command }
}
