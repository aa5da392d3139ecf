//! What was found, by which ways, and until when.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use super::{Found, SearcherEvent, Way};
use crate::message::Details;

/// The most ways to one device; of more, the one that ends first is forgotten.
const MAX_WAYS: usize = 8;

/// One answer or announcement.
pub(super) struct Sighting<'a> {
    pub(super) usn: &'a str,
    pub(super) target: &'a str,
    pub(super) location: &'a str,
    pub(super) details: &'a Details<'a>,
    pub(super) interface: u32,
    pub(super) source: IpAddr,
    pub(super) expires: Instant,
}

/// There is no room for one more.
#[derive(Debug)]
pub(super) struct Full;

/// The devices and services, by their `USN` without the version of its type: answers carry the
/// version that was asked for, announcements that of the device.
#[derive(Debug)]
pub(super) struct Cache {
    most: usize,
    entries: BTreeMap<String, Found>,
}

impl Cache {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, entries: BTreeMap::new() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Found> {
        self.entries.values().cloned()
    }

    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let ways = self.entries.values().flat_map(|found| &found.ways);
        ways.map(|way| way.expires).min()
    }

    /// Takes a sighting, and says what is new about it.
    pub(super) fn see(&mut self, seen: &Sighting<'_>) -> Result<Option<SearcherEvent>, Full> {
        let key = key(seen.usn);
        if let Some(found) = self.entries.get_mut(key) {
            let changed = refresh(found, seen);
            return Ok(changed.then(|| SearcherEvent::Update(found.clone())));
        }
        if self.entries.len() >= self.most || self.named_by(seen.source) >= self.most.div_ceil(4) {
            return Err(Full);
        }
        let found = Found {
            usn: seen.usn.to_owned(),
            target: seen.target.to_owned(),
            location: seen.location.to_owned(),
            server: seen.details.server.map(|s| s.to_string()),
            boot_id: seen.details.boot_id,
            config_id: seen.details.config_id,
            search_port: seen.details.search_port,
            ways: vec![way(seen)],
        };
        self.entries.insert(key.to_owned(), found.clone());
        Ok(Some(SearcherEvent::Alive(found)))
    }

    fn named_by(&self, source: IpAddr) -> usize {
        let first = |found: &&Found| found.ways.first().is_some_and(|w| w.source == source);
        self.entries.values().filter(first).count()
    }

    /// Takes a byebye that came by that interface.
    pub(super) fn leave(&mut self, usn: &str, interface: u32) -> Option<SearcherEvent> {
        let found = self.entries.get_mut(key(usn))?;
        let before = found.ways.len();
        found.ways.retain(|way| way.interface != interface);
        if found.ways.is_empty() {
            return self.entries.remove(key(usn)).map(SearcherEvent::ByeBye);
        }
        (found.ways.len() != before).then(|| shrunk(found))
    }

    pub(super) fn expire(&mut self, now: Instant) -> Vec<SearcherEvent> {
        self.drop_ways(|way| way.expires > now)
    }

    pub(super) fn keep_interfaces(&mut self, up: impl Fn(u32) -> bool) -> Vec<SearcherEvent> {
        self.drop_ways(|way| up(way.interface))
    }

    fn drop_ways(&mut self, keep: impl Fn(&Way) -> bool) -> Vec<SearcherEvent> {
        let mut events = Vec::new();
        self.entries.retain(|_, found| {
            let before = found.ways.len();
            found.ways.retain(|way| keep(way));
            if found.ways.is_empty() {
                events.push(SearcherEvent::Expired(found.clone()));
                return false;
            }
            if found.ways.len() != before {
                events.push(shrunk(found));
            }
            true
        });
        events
    }
}

/// The rest of a device that lost a way; what it is known by is a way that is left.
fn shrunk(found: &mut Found) -> SearcherEvent {
    choose_location(found);
    SearcherEvent::Update(found.clone())
}

/// Takes the URL that most programs can open: that of an IPv4 way before IPv6, and a link-local
/// one last; of equals the newest.
fn choose_location(found: &mut Found) {
    let rank = |way: &&Way| {
        let link_local = way.location.to_ascii_lowercase().contains("://[fe80:");
        (!link_local, way.source.is_ipv4())
    };
    if let Some(way) = found.ways.iter().max_by_key(rank) {
        found.location.clone_from(&way.location);
    }
}

/// Writes a sighting into what is known, and says whether anything but its end has changed.
fn refresh(found: &mut Found, seen: &Sighting<'_>) -> bool {
    let mut changed = false;
    let same = |way: &&mut Way| way.interface == seen.interface && way.source == seen.source;
    match found.ways.iter_mut().find(same) {
        Some(way) => {
            way.expires = seen.expires;
            if way.location != seen.location {
                seen.location.clone_into(&mut way.location);
                changed = true;
            }
        }
        None => {
            make_room(&mut found.ways);
            found.ways.push(way(seen));
            changed = true;
        }
    }
    changed |= renew(&mut found.boot_id, seen.details.boot_id);
    changed |= renew(&mut found.config_id, seen.details.config_id);
    changed |= renew(&mut found.search_port, seen.details.search_port);
    if changed {
        choose_location(found);
        seen.usn.clone_into(&mut found.usn);
        seen.target.clone_into(&mut found.target);
    }
    changed
}

/// Takes a value that is there; a message that leaves it out says nothing about it.
fn renew<T: PartialEq>(known: &mut Option<T>, seen: Option<T>) -> bool {
    let changed = seen.is_some() && *known != seen;
    if changed {
        *known = seen;
    }
    changed
}

fn make_room(ways: &mut Vec<Way>) {
    if ways.len() < MAX_WAYS {
        return;
    }
    let first = ways.iter().enumerate().min_by_key(|(_, way)| way.expires);
    if let Some(at) = first.map(|(at, _)| at) {
        ways.remove(at);
    }
}

fn way(seen: &Sighting<'_>) -> Way {
    Way {
        interface: seen.interface,
        source: seen.source,
        location: seen.location.to_owned(),
        expires: seen.expires,
    }
}

/// The `USN` without the version of a type: `uuid:…::urn:…:device:MediaServer`.
fn key(usn: &str) -> &str {
    match usn.rsplit_once(':') {
        Some((stem, version))
            if usn.contains("::urn:") && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            stem
        }
        _ => usn,
    }
}
