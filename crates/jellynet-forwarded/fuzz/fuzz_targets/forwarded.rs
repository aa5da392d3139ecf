//! Any bytes as the lines of `Forwarded`, split at line ends.

#![cfg_attr(fuzzing, no_main)]

use jellynet_forwarded::{Connection, Family, KnownProxies, Rules};
use jellynet_netif::PeerAddr;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let lines = bytes.split(|byte| *byte == b'\n');
    let mut headers: Vec<_> = lines.map(|line| ("Forwarded", line)).collect();
    let known = KnownProxies::parse(["10.0.0.0/8"]).unwrap();
    let rules = Rules::new(known.to_set()).with_family(Family::Forwarded);
    let connection = Connection::from_peer(PeerAddr::inet(([10, 0, 0, 2], 1).into()));
    let resolved = rules.resolve(&connection, headers.as_slice());
    assert!(resolved.hops <= 32);

    // Whatever stands left of what a proxy adds changes nothing.
    headers.push(("Forwarded", b"for=192.0.2.1;proto=https"));
    let appended = rules.resolve(&connection, headers.as_slice());
    let client = appended.client.map(|client| client.ip);
    assert_eq!(client, Some([192, 0, 2, 1].into()));
});
