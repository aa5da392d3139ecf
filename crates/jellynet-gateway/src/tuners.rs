//! Live TV: the channels of HDHomeRun tuners at `/tuner/{device}/{channel}`.

use std::path::Path;

use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::serve::TunerService;
use jellynet_tuner::tune::{Tuners, TunersConfig};

use crate::config::Tuner;
use crate::gateway::OpenError;

/// Opens the tuners, and frees those that a crash left locked.
pub(crate) fn open(config: &Tuner, data: &Path) -> Result<Option<TunerService>, OpenError> {
    if !config.enabled {
        return Ok(None);
    }
    let failed = |source| OpenError::Tuners { source };
    let mut policy = PortPolicy::in_range(config.ports.clone());
    policy.advertise = config.advertise;
    let ports = TunerPorts::new(policy).map_err(|error| failed(Box::new(error)))?;
    let mut tuning = TunersConfig::default();
    tuning.journal = Some(data.join("tuner-locks"));
    let _ = std::fs::create_dir_all(data);
    let tuners = Tuners::new(ports, tuning).map_err(|error| failed(Box::new(error)))?;
    let freed = tuners.clone();
    tokio::spawn(async move {
        for recovered in freed.recover().await {
            tracing::info!(?recovered, "free a tuner that was left locked");
        }
    });
    Ok(Some(TunerService::new(tuners)))
}
