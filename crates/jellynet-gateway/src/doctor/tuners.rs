//! Live TV: are the tuners found, and can they be controlled?

use std::net::IpAddr;

use jellynet_tuner::discover::Target;
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::tune::{self, Tuners, TunersConfig};

use super::{Finding, Patient};

const TEST: &str = "tuners";

/// Those that answer a broadcast, and those that are configured by their address; none is tuned.
pub(super) async fn test(patient: Patient) -> Vec<Finding> {
    let config = &patient.config.tuner;
    if !config.enabled {
        return Vec::new();
    }
    let ports = TunerPorts::new(PortPolicy::in_range(config.ports.clone()));
    // Without a journal nothing on the disk is touched.
    let tuners = ports.ok().and_then(|ports| Tuners::new(ports, TunersConfig::default()).ok());
    let Some(tuners) = tuners else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for target in targets(&config.devices) {
        findings.extend(tuners.examine(target, None).await.into_iter().map(told));
    }
    findings
}

/// A broadcast is not needed where every device is named.
fn targets(devices: &[IpAddr]) -> Vec<Target> {
    match devices {
        [] => vec![Target::All],
        devices => devices.iter().copied().map(Target::Host).collect(),
    }
}

fn told(finding: tune::Finding) -> Finding {
    let advice: Vec<_> = finding.advice.iter().map(ToString::to_string).collect();
    let remedy = advice.join("; ");
    match finding.verdict {
        tune::Verdict::Good => Finding::good(TEST, finding.text),
        tune::Verdict::Bad => Finding::problem(TEST, finding.text, remedy),
        _ => Finding::note(TEST, finding.text, "nothing, if they are meant to be in use"),
    }
}
