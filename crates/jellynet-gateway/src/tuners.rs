//! Live TV: the channels of HDHomeRun tuners at `/tuner/{device}/{channel}`.

use std::path::Path;

use jellynet_admin::{Kind, Metrics, Sample};
use jellynet_tuner::ports::{PortPolicy, TunerPorts};
use jellynet_tuner::rx::RxStats;
use jellynet_tuner::serve::TunerService;
use jellynet_tuner::tune::{StreamInfo, Tuners, TunersConfig};

use serde::Serialize;

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
    Ok(Some(TunerService::new(tuners).with_hosts(config.devices.iter().copied())))
}

/// Waits until every tuner is given back, for a short time.
pub(crate) async fn released(service: Option<TunerService>) {
    if let Some(service) = service {
        service.tuners().released().await;
    }
}

/// A stream, for `/status.json`.
#[derive(Serialize)]
pub(crate) struct StreamStatus {
    device: String,
    tuner: u8,
    channel: String,
    transport: String,
    target: String,
    viewers: usize,
    bytes: u64,
    lost_in_network: u64,
    lost_in_host: u64,
    damaged: u64,
    discontinuities: u64,
}

/// The streams that somebody watches.
pub(crate) fn streams(service: Option<&TunerService>) -> Vec<StreamStatus> {
    let status = |(info, stats, viewers): (StreamInfo, RxStats, usize)| StreamStatus {
        device: info.device.to_string(),
        tuner: info.tuner,
        channel: info.channel.to_string(),
        transport: info.transport.to_string(),
        target: info.target.to_string(),
        viewers,
        bytes: stats.bytes,
        lost_in_network: stats.network_lost(),
        lost_in_host: stats.kernel_dropped.unwrap_or_default(),
        damaged: stats.transport_errors,
        discontinuities: stats.continuity_errors,
    };
    let streams = service.map(|service| service.tuners().streams());
    streams.into_iter().flatten().map(status).collect()
}

/// Adds what the tuners count.
pub(crate) fn count(metrics: &Metrics, tuners: &Tuners) {
    let sample = |labels, value: u64| Sample { labels, value: value as f64 };
    let (now, watched, all, lost) =
        (tuners.clone(), tuners.clone(), tuners.clone(), tuners.clone());
    let name = "jellynet_tuner_streams";
    metrics.add(name, "Tuners that stream now.", Kind::Gauge, move || {
        vec![sample(vec![], now.streams().len() as u64)]
    });
    let name = "jellynet_tuner_viewers";
    metrics.add(name, "Clients that watch a tuner now.", Kind::Gauge, move || {
        vec![sample(vec![], watched.streams().iter().map(|stream| stream.2 as u64).sum())]
    });
    let name = "jellynet_tuner_received_bytes_total";
    metrics.add(name, "Bytes of transport stream received.", Kind::Counter, move || {
        vec![sample(vec![], all.totals().bytes)]
    });
    let name = "jellynet_tuner_lost_total";
    let help = "What did not arrive whole: datagrams lost in the network or in this host, packets \
                damaged on the air, discontinuities that none of these explains.";
    metrics.add(name, help, Kind::Counter, move || {
        let totals = lost.totals();
        let by_kind = [
            ("network", totals.network_lost()),
            ("host", totals.kernel_dropped.unwrap_or_default()),
            ("signal", totals.transport_errors),
            ("continuity", totals.continuity_errors),
        ];
        by_kind.map(|(kind, n)| sample(vec![("kind", kind.to_owned())], n)).into()
    });
}
