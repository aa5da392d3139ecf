//! Every URL that could be the answer, with its rank.

use std::cmp::Reverse;
use std::net::IpAddr;

use jellynet_netif::{Interface, InterfaceAddr};

use crate::answer::{Because, Rejection};
use crate::overrides::{Fit, Override};
use crate::published::{Situation, is_link_local};
use crate::scope::{common_bits, reaches};
use crate::url::PublicUrl;

/// The order of the [rule](crate), first to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    RequestFirst,
    Override,
    Loopback,
    OnLink,
    Routed,
    RequestLast,
    OtherFamilyNear,
    OtherFamilyFar,
    Nowhere,
}

/// Sorts candidates: by tier, then by the greatest score.
pub(crate) type Rank = (Tier, Reverse<[u8; 4]>);

pub(crate) struct Candidate {
    pub(crate) rank: Rank,
    pub(crate) url: String,
    pub(crate) because: Because,
    /// The address that the URL names; `None` for a name.
    pub(crate) ip: Option<IpAddr>,
    pub(crate) rejection: Option<Rejection>,
}

impl Candidate {
    /// Whether its host is a name, or an address of this family.
    pub(crate) fn suits(&self, v4: bool) -> bool {
        self.ip.is_none_or(|ip| ip.is_ipv4() == v4)
    }

    /// Whether the host has this address for others than itself, usable for this peer or not.
    pub(crate) const fn exists(&self) -> bool {
        use Rejection::{Published, Tentative, Unreachable, Virtual};
        let its_own = matches!(self.rank.0, Tier::OnLink | Tier::Routed | Tier::Nowhere);
        its_own
            && matches!(
                self.rejection,
                None | Some(Unreachable | Virtual | Published | Tentative)
            )
    }

    /// Whether it is an address of this host, and of the family that is not the peer's.
    pub(crate) const fn is_stopgap(&self) -> bool {
        matches!(self.rank.0, Tier::OtherFamilyNear | Tier::OtherFamilyFar)
    }

    /// The scheme and host by which the peer asked.
    pub(crate) fn request(situation: &Situation<'_>, tier: Tier) -> Option<Self> {
        let uri = situation.ask.request?;
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        // What a client wrote goes no further than into its own answer, but not as a user.
        if authority.as_str().contains('@') {
            return None;
        }
        let url = PublicUrl::new(https, authority.clone(), situation.base);
        let loopback = url.is_loopback() && !situation.peer.is_loopback();
        Some(Self {
            rank: (tier, Reverse([0; 4])),
            rejection: loopback
                .then_some(Rejection::Loopback)
                .or_else(|| not_plain(situation, &url)),
            because: Because::Request,
            ip: url.ip(),
            url: url.to_string(),
        })
    }

    /// A published URL that is for this peer.
    pub(crate) fn published(situation: &Situation<'_>, published: &Override) -> Option<Self> {
        let Situation { peer, ask, .. } = *situation;
        let fit = published.fit(peer, situation.internal, ask.came_by, situation.interfaces)?;
        let score = match fit {
            Fit::All => [0; 4],
            Fit::Side => [1, 0, 0, 0],
            Fit::Subnet { prefix_len, named } => [2, prefix_len, named.into(), 0],
        };
        Some(Self {
            rank: (Tier::Override, Reverse(score)),
            rejection: not_plain(situation, &published.url),
            because: Because::Override {
                index: published.index,
                key: published.name.clone(),
            },
            ip: published.url.ip(),
            url: published.url.to_string(),
        })
    }

    /// An address of this host.
    pub(crate) fn address(
        situation: &Situation<'_>,
        interface: &Interface,
        address: &InterfaceAddr,
    ) -> Self {
        let ip = address.ip();
        let endpoint = situation.endpoint(ip);
        let place = Place::of(situation, interface, address);
        let rejection = unusable(situation, interface, address)
            .or(match place {
                Place::Nowhere(rejection) => Some(rejection),
                Place::At(..) => None,
            })
            .or_else(|| endpoint.is_none().then_some(Rejection::NotListening));
        let (rank, because) = match place {
            Place::At(rank, because) => (rank, because),
            Place::Nowhere(_) => (
                (Tier::Nowhere, Reverse([0; 4])),
                Because::Routed {
                    interface: interface.name.clone(),
                },
            ),
        };
        Self {
            rank,
            url: endpoint.map_or_else(|| ip.to_string(), |url| url.to_string()),
            because,
            ip: Some(ip),
            rejection,
        }
    }
}

/// Where the peer is, seen from an address.
enum Place {
    At(Rank, Because),
    Nowhere(Rejection),
}

impl Place {
    fn of(situation: &Situation<'_>, interface: &Interface, address: &InterfaceAddr) -> Self {
        let Situation { peer, ask, .. } = *situation;
        let (ip, name) = (address.ip(), || interface.name.clone());
        let came_by = ask.came_by == Some(interface.index);
        let physical = u8::from(!interface.flags.r#virtual);
        let lasting = u8::from(!address.temporary);
        let near = came_by && (is_link_local(peer) || interface.flags.point_to_point);

        let same_family = ip.is_ipv4() == peer.is_ipv4();
        if peer.is_loopback() && same_family {
            let score = [u8::from(ip.is_loopback()), u8::from(ip == peer), 0, 0];
            return Self::At((Tier::Loopback, Reverse(score)), Because::Loopback);
        }
        if address.on_link(peer) && (came_by || !is_link_local(peer) || ip.is_ipv4()) {
            let score = [
                address.net.prefix_len(),
                u8::from(came_by),
                physical,
                lasting,
            ];
            let (interface, subnet) = (name(), address.net.trunc());
            let because = Because::OnLink { interface, subnet };
            return Self::At((Tier::OnLink, Reverse(score)), because);
        }
        if near && same_family {
            let score = [0, 1, physical, lasting];
            return Self::At(
                (Tier::OnLink, Reverse(score)),
                Because::Link { interface: name() },
            );
        }
        if !same_family {
            return Self::of_other_family(situation, interface, address, near);
        }
        if interface.flags.r#virtual {
            return Self::Nowhere(Rejection::Virtual);
        }
        if !reaches(peer, ip) {
            return Self::Nowhere(Rejection::Unreachable);
        }
        let score = [u8::from(came_by), lasting, common_bits(peer, ip), 0];
        Self::At(
            (Tier::Routed, Reverse(score)),
            Because::Routed { interface: name() },
        )
    }

    fn of_other_family(
        situation: &Situation<'_>,
        interface: &Interface,
        address: &InterfaceAddr,
        near: bool,
    ) -> Self {
        let peer = situation.peer;
        let near = near
            || interface
                .addresses
                .iter()
                .any(|a| a.on_link(peer) && !is_link_local(peer));
        let tier = if near {
            Tier::OtherFamilyNear
        } else if interface.flags.r#virtual {
            return Self::Nowhere(Rejection::Virtual);
        } else if reaches(peer, address.ip()) {
            Tier::OtherFamilyFar
        } else {
            return Self::Nowhere(Rejection::Unreachable);
        };
        let came_by = situation.ask.came_by == Some(interface.index);
        let score = [u8::from(came_by), u8::from(!address.temporary), 0, 0];
        let interface = interface.name.clone();
        Self::At((tier, Reverse(score)), Because::OtherFamily { interface })
    }
}

/// Why an address is of no use, whoever the peer is or because of who it is not.
fn unusable(
    situation: &Situation<'_>,
    interface: &Interface,
    address: &InterfaceAddr,
) -> Option<Rejection> {
    let (ip, peer) = (address.ip(), situation.peer);
    if !interface.flags.up {
        return Some(Rejection::Down);
    }
    if address.tentative {
        return Some(Rejection::Tentative);
    }
    if ip.is_loopback() && !peer.is_loopback() {
        return Some(Rejection::Loopback);
    }
    if interface.flags.r#virtual && situation.is_published {
        return Some(Rejection::Published);
    }
    // An IPv4 one can be told to a peer on its link, an IPv6 one to nobody.
    let on_its_link = ip.is_ipv4() && address.on_link(peer);
    (is_link_local(ip) && !on_its_link).then_some(Rejection::LinkLocal)
}

/// Whether the peer needs plain HTTP to an address and this is something else.
fn not_plain(situation: &Situation<'_>, url: &PublicUrl) -> Option<Rejection> {
    let plain = !url.is_https() && url.ip().is_some();
    (situation.ask.plain && !plain).then_some(Rejection::NotPlain)
}
