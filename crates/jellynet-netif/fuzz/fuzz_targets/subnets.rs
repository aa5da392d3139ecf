//! Any list of subnets: no panic, every bad entry is named, and what is printed is read again.

#![cfg_attr(fuzzing, no_main)]

use jellynet_netif::SubnetSet;
use libfuzzer_sys::fuzz_target;

// An address, then an entry per line.
fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let address = lines.next().and_then(|line| line.parse().ok());
    let entries: Vec<&str> = lines.collect();
    match SubnetSet::parse(&entries) {
        Ok(set) => {
            let (included, excluded): (Vec<_>, Vec<_>) =
                (set.included().collect(), set.excluded().collect());
            let printed = included.iter().map(ToString::to_string);
            let printed = printed.chain(excluded.iter().map(|net| format!("!{net}")));
            let again = SubnetSet::parse(printed).unwrap();
            assert_eq!(again, set);
            if let Some(ip) = address {
                assert_eq!(set.contains(ip), set.longest_match(ip).is_some());
                if let Some(net) = set.longest_match(ip) {
                    assert!(included.contains(&net));
                }
            }
        }
        Err(error) => {
            assert!(!error.bad().is_empty());
            for bad in error.bad() {
                assert_eq!(entries[bad.index], bad.entry);
                let _ = bad.to_string();
            }
        }
    }
});
