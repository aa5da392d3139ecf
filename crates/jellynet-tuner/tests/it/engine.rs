//! The laws of engines, asked of the seeker.

use std::time::{Duration, Instant};

use jellynet_test::laws::{self, Subject};
use jellynet_tuner::DeviceId;
use jellynet_tuner::discover::{SeekConfig, Seeker};
use jellynet_tuner::wire::{DiscoverReply, DiscoverRequest, RequestForm};

struct ASeeker;

impl Subject for ASeeker {
    type Engine = Seeker;

    fn engine(&self, _: Instant, _: u64) -> Seeker {
        let mut config = SeekConfig::default();
        config.every = Some(Duration::from_secs(60));
        Seeker::new(config)
    }

    fn golden(&self) -> Vec<Vec<u8>> {
        let mut modern = DiscoverReply::tuner(DeviceId::mint(0x1322_F2F0));
        modern.tuner_count = Some(4);
        modern.base_url = Some("http://10.77.1.9".into());
        vec![
            DiscoverRequest::tuners().encode(RequestForm::Old).to_vec(),
            DiscoverReply::tuner(DeviceId::mint(0x1012_8730)).encode().unwrap().to_vec(),
            modern.encode().unwrap().to_vec(),
        ]
    }

    fn reply_limit(&self) -> usize {
        // A seeker asks; it answers nobody.
        0
    }
}

#[test]
fn the_seeker_keeps_the_laws() {
    laws::check(&ASeeker);
}
