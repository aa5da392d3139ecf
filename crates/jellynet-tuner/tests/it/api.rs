//! The device's HTTP API, and discovery on this host.

use jellynet_tuner::api::{ApiError, device_info, lineup};
use jellynet_tuner::discover::{Device, SeekConfig, Target, discover};
use jellynet_tuner::sim::{SimConfig, Simulator};

use crate::support::LOCALHOST;

async fn device_with_api() -> (Simulator, SeekConfig) {
    let mut config = SimConfig::on_loopback(LOCALHOST);
    config.http_port = Some(0);
    let sim = Simulator::start(config).await.unwrap();
    let mut seek = SeekConfig::new(Target::Host(LOCALHOST));
    seek.port = sim.address().port();
    (sim, seek)
}

#[tokio::test]
async fn a_device_on_this_host_is_found_by_its_address_and_tells_its_channels() {
    let (sim, seek) = device_with_api().await;
    let found = discover(seek).await.unwrap();
    let [device] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(device.addresses, [sim.address()]);
    let info = device_info(device).await.unwrap();
    assert_eq!((info.device_id, info.tuner_count), (device.id.to_string(), 2));
    let lineup = lineup(device).await.unwrap();
    let channels: Vec<_> = lineup.iter().map(|c| (c.guide_number.as_str(), c.hd)).collect();
    assert_eq!(channels, [("5.1", true), ("5.2", true), ("9.1", true), ("9.2", true)]);
}

#[tokio::test]
async fn an_answer_from_another_port_is_nobodys() {
    let (sim, seek) = device_with_api().await;
    sim.faults(|f| f.wrong_reply_port = true);
    assert_eq!(discover(seek).await.unwrap(), []);
    assert!(sim.stats().discoveries > 0);
}

#[tokio::test]
async fn a_device_without_the_api_is_an_error_with_the_url() {
    let (sim, _) = device_with_api().await;
    let mut device = Device::at(jellynet_tuner::DeviceId::ANY, sim.address());
    // The control port speaks no HTTP.
    device.base_url = Some(format!("http://{}", sim.address()));
    let error = device_info(&device).await.unwrap_err();
    assert!(matches!(&error, ApiError::Fetch { url, .. } if url.ends_with("/discover.json")));
}
