//! Any published URLs: no panic, bad entries are named, and what is announced is a URL.

#![cfg_attr(fuzzing, no_main)]

use jellynet_netif::{Interface, InterfaceTable};
use jellynet_published::{Ask, Listener, Published, PublishedConfig, PublishedConfigError};
use libfuzzer_sys::fuzz_target;

// The peer, the base path, then an entry per line.
fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let peer = lines.next().and_then(|line| line.parse().ok());
    let mut config = PublishedConfig::default();
    config.base_path = lines.next().unwrap_or_default().to_owned();
    config.overrides = lines.map(str::to_owned).collect();
    let entries = config.overrides.clone();
    let published = match Published::new(config) {
        Ok(published) => published,
        Err(PublishedConfigError::Overrides(error)) => {
            assert!(error.bad().iter().all(|bad| entries[bad.index] == bad.entry));
            return;
        }
        Err(_) => return,
    };
    let eth0 = Interface::new("eth0", 2)
        .with_address("10.77.1.1/24".parse().unwrap())
        .with_address("fd77:1::1/64".parse().unwrap());
    let table = InterfaceTable::new([Interface::loopback(1), eth0]);
    let listeners = [Listener::http("0.0.0.0:8096".parse().unwrap())];
    let Some(peer) = peer else { return };
    let ask = Ask::new(peer).came_by(2);
    let announced = published.for_peer(&ask, &table, &listeners);
    let explained = published.explain(&ask, &table, &listeners).announced();
    assert_eq!(announced, explained, "one answer, whoever asks");
    if let Some(announced) = announced {
        let url = announced.url;
        assert!(url.starts_with("http://") || url.starts_with("https://"), "{url}");
        assert!(!url.ends_with('/') && !url.contains(char::is_whitespace), "{url}");
    }
});
