//! Host names, asked for once and not for long.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than a resolver that works takes, for all names together.
const LIMIT: Duration = Duration::from_secs(2);

/// What host names resolve to.
pub(crate) type Resolved = HashMap<String, Vec<IpAddr>>;

/// Asks this host's resolver for all names side by side; whatever does not resolve within two
/// seconds of the one before is left out. Blocks until then.
pub(crate) fn resolve<'a>(names: impl Iterator<Item = &'a str>) -> Resolved {
    let (tell, told) = mpsc::channel();
    let mut waiting = 0_usize;
    for name in names {
        waiting += 1;
        let (name, tell) = (name.to_owned(), tell.clone());
        // A resolver that hangs keeps its thread, and nobody waits for it.
        thread::spawn(move || {
            let found = (name.as_str(), 0).to_socket_addrs();
            let found = found.map(|all| all.map(|address| address.ip()).collect::<Vec<_>>());
            let _ = tell.send((name, found.unwrap_or_default()));
        });
    }
    let mut resolved = Resolved::new();
    while waiting > 0 {
        // Each answer gives the next one as much time again: three names are three times as long
        // at worst.
        let Ok((name, addresses)) = told.recv_timeout(LIMIT) else { break };
        waiting -= 1;
        if !addresses.is_empty() {
            resolved.insert(name, addresses);
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_is_left_out() {
        let resolved = resolve(["localhost", "nowhere.invalid"].into_iter());
        assert!(resolved["localhost"].iter().all(IpAddr::is_loopback));
        assert!(!resolved.contains_key("nowhere.invalid"));
        assert!(resolve([].into_iter()).is_empty());
    }
}
