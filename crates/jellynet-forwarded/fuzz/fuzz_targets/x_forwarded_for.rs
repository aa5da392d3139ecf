//! Any bytes as the lines of `X-Forwarded-*`, split at line ends.

#![cfg_attr(fuzzing, no_main)]

use std::str;

use jellynet_forwarded::{Connection, Host, KnownProxies, Node, Rules};
use jellynet_netif::PeerAddr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(node) = Node::parse(bytes) {
        // What was read is an address however it is written.
        let again = Node::parse(node.ip.to_string().as_bytes());
        assert_eq!(again.map(|again| again.ip), Ok(node.ip));
    }
    if let Some(host) = Host::parse(bytes) {
        assert!(str::from_utf8(bytes).is_ok());
        assert_eq!(Host::parse(host.to_string().as_bytes()), Some(host));
    }
    let names = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"];
    let lines = bytes.split(|byte| *byte == b'\n');
    let headers: Vec<_> = names.into_iter().cycle().zip(lines).collect();
    let known = KnownProxies::parse(["10.0.0.0/8"]).unwrap();
    let rules = Rules::new(known.to_set());
    let peer = PeerAddr::inet(([10, 0, 0, 2], 1).into());
    let resolved = rules.resolve(&Connection::from_peer(peer), headers.as_slice());
    assert!(resolved.hops <= 32);
});
