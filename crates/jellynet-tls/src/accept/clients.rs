//! How many handshakes each client has under way.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Room that is kept for the next clients when the last one is gone.
const SPARE: usize = 1024;

/// A count for each client that has any, and so never more of them than connections.
#[derive(Debug)]
pub(super) struct Clients {
    limit: usize,
    busy: Mutex<HashMap<IpAddr, usize>>,
}

/// One handshake of a client; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    clients: &'a Clients,
    client: IpAddr,
}

impl Clients {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, busy: Mutex::default() }
    }

    /// `None` if the client has as many as it may.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<Place<'_>> {
        let client = client(peer);
        let mut busy = self.busy();
        if busy.get(&client).copied().unwrap_or(0) >= self.limit {
            return None;
        }
        *busy.entry(client).or_default() += 1;
        Some(Place { clients: self, client })
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut busy = self.clients.busy();
        match busy.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                busy.remove(&self.client);
                if busy.is_empty() && busy.capacity() > 2 * SPARE {
                    busy.shrink_to(SPARE);
                }
            }
        }
    }
}

/// Whom an address stands for: an IPv6 host has a whole /64 (RFC 4291 § 2.5.4) to choose from.
fn client(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter<'a>(clients: &'a Clients, peer: &str) -> Option<Place<'a>> {
        clients.enter(peer.parse().unwrap())
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        let clients = Clients::new(1);
        let _places = ["192.0.2.1", "2001:db8::1", "2001:db8:0:1::1"]
            .map(|peer| enter(&clients, peer).unwrap());
        for same in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::ffff", "2001:db8:0:1:2:3:4:5"] {
            assert!(enter(&clients, same).is_none(), "{same}");
        }
        assert!(enter(&clients, "192.0.2.2").is_some());
    }

    #[test]
    fn nothing_is_kept_of_who_is_gone() {
        let clients = Clients::new(2);
        let places: Vec<_> = (0..10_000)
            .map(|n| clients.enter(Ipv6Addr::from_bits(n << 64).into()).unwrap())
            .collect();
        assert_eq!(clients.busy().len(), 10_000);
        drop(places);
        assert!(clients.busy().is_empty() && clients.busy().capacity() <= 4 * SPARE);
        // A client that is refused leaves no trace either.
        let none = Clients::new(0);
        assert!(enter(&none, "192.0.2.1").is_none());
        assert!(none.busy().is_empty());
    }
}
