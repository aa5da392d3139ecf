//! Any lists of an operator: no panic, bad entries are named, and nobody comes in whom an allow
//! list does not name.

#![cfg_attr(fuzzing, no_main)]

use std::net::{IpAddr, SocketAddr};

use jellynet_access::{FilterMode, Lan, Policy, RemoteFilter};
use jellynet_netif::ClientAddr;
use libfuzzer_sys::fuzz_target;

// A client, the LAN at blanks, then an entry of the remote filter per line.
fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let client = lines.next().and_then(|line| line.parse::<IpAddr>().ok());
    let lan: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let entries: Vec<&str> = lines.collect();
    let lan = match Lan::parse(&lan) {
        Ok(lan) => lan,
        Err(error) => {
            assert!(error.bad().iter().all(|bad| lan[bad.index] == bad.entry));
            return;
        }
    };
    let Some(client) = client.map(|ip| ClientAddr::direct(SocketAddr::new(ip, 1))) else {
        return;
    };
    for mode in [FilterMode::Allow, FilterMode::Block] {
        let Ok(filter) = RemoteFilter::parse(mode, &entries) else { continue };
        assert_eq!(filter.is_none(), entries.is_empty());
        let subnets = filter.as_ref().map(|filter| filter.subnets().clone());
        let policy = Policy::new(lan.subnets()).with_filter(filter);
        let decision = policy.decide(Some(client), None);
        assert_eq!(decision, policy.decide(Some(client), None));
        let closed = policy.with_remote_access(false).decide(Some(client), None);
        assert_eq!(closed.allowed, closed.local, "without remote access only the LAN comes in");
        if let Some(subnets) = subnets.filter(|_| !decision.local) {
            let named = subnets.contains(client.ip);
            assert_eq!(decision.allowed, named == (mode == FilterMode::Allow));
        }
    }
});
