//! The links on which the devices are seen, and what a change of interfaces does to them.

use std::net::IpAddr;
use std::time::Instant;

use jellynet_netif::{Interface, InterfaceTable};

use super::{Advertiser, AdvertiserEvent, SkipReason};
use crate::device::RootDevice;
use crate::link::{Group, Link, MAX_LINKS, links};
use crate::message::FieldValue;
use crate::uuid::Uuid;

/// One link with the URL of each device there.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) link: Link,
    /// One per device; `None` where it cannot be seen.
    pub(super) locations: Vec<Option<String>>,
    pub(super) standing: Standing,
    /// Whether no device was known on this interface before: what a crash left behind there is
    /// revoked.
    pub(super) first: bool,
    /// Whether something that was known here is gone, which a byebye tells.
    pub(super) lost: bool,
}

/// What others know of the devices on a link since it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Unknown,
    /// A search was answered while the announcement was still to come.
    Answered,
    /// An alive was sent.
    Announced,
}

impl Endpoint {
    /// A link that nobody has heard of yet.
    const fn new(link: Link, locations: Vec<Option<String>>) -> Self {
        Self { link, locations, standing: Standing::Unknown, first: false, lost: false }
    }

    /// Whether anybody may know a device from here, and has to hear that it goes.
    pub(super) fn is_known(&self) -> bool {
        self.standing >= Standing::Answered
    }

    pub(super) fn is_announced(&self) -> bool {
        self.standing == Standing::Announced
    }

    /// Whether a byebye goes before the next alive. Whoever has just been answered does not lose
    /// the device again.
    pub(super) fn is_revoked(&self) -> bool {
        self.lost || (self.first && !self.is_known())
    }

    /// Whether it is the same to a control point: the same way and the same URLs.
    fn is_same(&self, other: &Self) -> bool {
        self.link == other.link && self.locations == other.locations
    }

    const fn is_beside(&self, other: &Self) -> bool {
        self.link.interface == other.link.interface
    }
}

/// A network on which devices are announced, and how that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStatus {
    /// The index of the interface.
    pub index: u32,
    /// The name of the interface.
    pub interface: String,
    /// The group that is spoken to: 239.255.255.250, ff02::c or ff05::c.
    pub group: IpAddr,
    /// The address under which this host is reached there.
    pub address: IpAddr,
    /// Whether an announcement has been sent; it may wait for others to be over.
    pub announced: bool,
    /// The URL of each device that is seen there.
    pub locations: Vec<String>,
    /// Why searches to the group are not heard there; `None` where they are, as far as this is
    /// known.
    pub deaf: Option<String>,
}

impl Advertiser {
    /// The networks on which there is something to announce. What the sockets can hear is not
    /// known here: `SsdpService::links` adds that.
    #[must_use]
    pub fn links(&self) -> Vec<LinkStatus> {
        let status = |endpoint: &Endpoint| {
            let index = endpoint.link.interface;
            LinkStatus {
                index,
                interface: self.table.by_index(index).map_or_else(String::new, |i| i.name.clone()),
                group: endpoint.link.group.ip(),
                address: endpoint.link.address,
                announced: endpoint.is_announced(),
                locations: endpoint.locations.iter().flatten().cloned().collect(),
                deaf: None,
            }
        };
        self.endpoints.iter().map(status).collect()
    }

    /// Makes the endpoints anew and decides what has to be said about the difference.
    pub(super) fn adopt_endpoints(&mut self, now: Instant) {
        let new = self.read_endpoints();
        let old = std::mem::replace(&mut self.endpoints, new);
        let mut changed = false;
        for endpoint in &mut self.endpoints {
            if let Some(before) = old.iter().find(|o| o.is_same(endpoint)) {
                endpoint.standing = before.standing;
                endpoint.first = before.first;
                endpoint.lost = before.lost;
            } else {
                endpoint.first = !old.iter().any(|o| o.is_known() && o.is_beside(endpoint));
                changed = true;
            }
        }
        for gone in &old {
            if self.endpoints.iter().any(|e| e.is_same(gone)) {
                continue;
            }
            changed |= self.withdraw(gone);
        }
        self.answers.keep(&self.endpoints);
        if changed {
            self.schedule_wave(now);
        } else if self.endpoints.is_empty() {
            self.wave = None;
            self.wave_due = None;
            self.refresh_due = None;
        }
    }

    /// Keeps what is known of the links when other devices than those `before` are spoken for.
    pub(super) fn carry_over(&mut self, before: &[RootDevice]) {
        let same: Vec<Option<usize>> =
            self.devices.iter().map(|d| before.iter().position(|b| b.is_same(d))).collect();
        let fresh = same.iter().enumerate().filter(|(_, same)| same.is_none());
        self.fresh = fresh.map(|(at, _)| at).collect();
        for endpoint in &mut self.endpoints {
            let Some(interface) = self.table.by_index(endpoint.link.interface) else {
                continue;
            };
            let locations = self.devices.iter().zip(&same).map(|(device, same)| match same {
                Some(at) => endpoint.locations.get(*at).cloned().flatten(),
                None => locate(device, interface, endpoint.link.address).ok(),
            });
            endpoint.locations = locations.collect();
        }
    }

    /// Notes that an endpoint is gone, and says whether the rest has to hear of it.
    ///
    /// Where the interface has another address of the family, the byebye leaves from that one.
    /// An interface that is gone altogether needs nothing elsewhere (UPnP Device Architecture
    /// 2.0 § 1.2).
    fn withdraw(&mut self, gone: &Endpoint) -> bool {
        self.tell(AdvertiserEvent::Withdrawn {
            interface: gone.link.interface,
            address: gone.link.address,
        });
        let mut live = false;
        for endpoint in self.endpoints.iter_mut().filter(|e| e.is_beside(gone)) {
            live = true;
            endpoint.lost |= gone.is_known() && endpoint.link.group == gone.link.group;
        }
        live
    }

    fn read_endpoints(&mut self) -> Vec<Endpoint> {
        let config = &self.config;
        let links =
            links(&self.table, config.families, &config.interfaces, config.link_local_locations);
        if links.len() > MAX_LINKS {
            self.tell(AdvertiserEvent::TooManyLinks { found: links.len() });
        }
        let mut endpoints = Vec::new();
        for link in links.into_iter().take(MAX_LINKS) {
            let Some(interface) = self.table.by_index(link.interface) else {
                continue;
            };
            let known = self.endpoints.iter().any(|e| e.link == link);
            let mut locations = Vec::new();
            let mut skipped = Vec::new();
            for device in &self.devices {
                match locate(device, interface, link.address) {
                    Ok(location) => locations.push(Some(location)),
                    Err(reason) => {
                        locations.push(None);
                        skipped.push((device.device().uuid(), reason));
                    }
                }
            }
            if !known {
                self.tell_skipped(link, skipped);
            }
            if locations.iter().any(Option::is_some) {
                endpoints.push(Endpoint::new(link, locations));
            }
        }
        endpoints
    }

    fn tell_skipped(&mut self, link: Link, skipped: Vec<(Uuid, SkipReason)>) {
        for (device, reason) in skipped {
            self.tell(AdvertiserEvent::Skipped {
                device,
                interface: link.interface,
                address: link.address,
                reason,
            });
        }
    }
}

fn locate(
    device: &RootDevice,
    interface: &Interface,
    address: IpAddr,
) -> Result<String, SkipReason> {
    let location = device.location(interface, address).ok_or(SkipReason::NoLocation)?;
    if is_usable(&location) { Ok(location) } else { Err(SkipReason::BadLocation(location)) }
}

/// Whether others can use the URL: HTTP, with a host, without a zone id and fit for a header.
fn is_usable(location: &str) -> bool {
    let scheme = ["http://", "https://"].iter().find_map(|scheme| location.strip_prefix(scheme));
    let Some(rest) = scheme else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !authority.is_empty()
        && !authority.contains(['%', '@', '\\'])
        && !location.contains(char::is_whitespace)
        && FieldValue::new(location).is_ok()
}

/// The endpoint whose URLs are for `peer`, who came by `interface`: the one on the peer's subnet,
/// else one of the peer's family, the link group for link-local peers.
pub(super) fn endpoint_for<'a>(
    endpoints: &'a [Endpoint],
    interface: &Interface,
    peer: IpAddr,
) -> Option<&'a Endpoint> {
    let towards = interface.address_towards(peer);
    let local = matches!(peer, IpAddr::V6(v6) if v6.is_unicast_link_local());
    endpoints
        .iter()
        .filter(|e| e.link.interface == interface.index)
        .filter(|e| e.link.source.is_ipv4() == peer.is_ipv4())
        .min_by_key(|e| {
            let other_subnet = Some(e.link.source) != towards;
            let other_scope = (e.link.group == Group::V6Link) != local;
            (other_subnet, other_scope)
        })
}

/// The interface at which a datagram arrived in truth: one that this host sends to itself comes
/// by loopback, but asks the interface that has the address.
pub(super) fn home(table: &InterfaceTable, index: u32, destination: IpAddr) -> Option<&Interface> {
    let interface = table.by_index(index)?;
    if interface.flags.loopback && !destination.is_multicast() {
        return table.holding(destination);
    }
    Some(interface)
}
