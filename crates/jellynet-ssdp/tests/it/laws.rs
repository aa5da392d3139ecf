//! The laws of every engine, asked of both.

use std::time::Instant;

use jellynet_ssdp::{Advertiser, Searcher, SearcherConfig, Target};
use jellynet_test::laws::{self, Subject};

use crate::golden;
use crate::support::{SET, config, media_server, search, unicast_search};

struct Device;

impl Subject for Device {
    type Engine = Advertiser;

    fn engine(&self, _: Instant, seed: u64) -> Advertiser {
        let mut config = config();
        config.seed = seed;
        Advertiser::new(config, vec![media_server()]).unwrap()
    }

    fn golden(&self) -> Vec<Vec<u8>> {
        let mut golden = golden::all();
        golden.push(search("ssdp:all", 5).into_bytes());
        golden.push(unicast_search("ssdp:all").into_bytes());
        golden
    }

    fn reply_limit(&self) -> usize {
        SET * 512
    }
}

struct ControlPoint;

impl Subject for ControlPoint {
    type Engine = Searcher;

    fn engine(&self, _: Instant, seed: u64) -> Searcher {
        let targets = [Target::All, Target::media_servers()];
        Searcher::new(SearcherConfig::new(targets, "a/1 UPnP/1.1 b/1", seed)).unwrap()
    }

    fn golden(&self) -> Vec<Vec<u8>> {
        golden::all()
    }

    fn reply_limit(&self) -> usize {
        0
    }
}

#[test]
fn the_advertiser_keeps_the_laws() {
    laws::check(&Device);
}

#[test]
fn the_searcher_keeps_the_laws() {
    laws::check(&ControlPoint);
}
