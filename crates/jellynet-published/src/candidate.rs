//! Every URL that could be the answer, with its rank.

use std::cmp::Reverse;

use ipnet::IpNet;
use jellynet_netif::{Interface, InterfaceAddr};

use crate::answer::{Because, Rejection};
use crate::overrides::{Fit, Override};
use crate::published::{Situation, is_link_local};
use crate::scope::{common_bits, reaches};
use crate::target::Target;

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

/// Why a candidate is one, without copies of names.
#[derive(Clone, Copy)]
pub(crate) enum Why<'a> {
    Request,
    Override(&'a Override),
    Loopback,
    OnLink(&'a Interface, IpNet),
    Link(&'a Interface),
    Routed(&'a Interface),
    OtherFamily(&'a Interface),
}

impl Why<'_> {
    pub(crate) fn told(self) -> Because {
        let name = |interface: &Interface| interface.name.clone();
        match self {
            Self::Request => Because::Request,
            Self::Override(one) => Because::Override { index: one.index, key: one.name.clone() },
            Self::Loopback => Because::Loopback,
            Self::OnLink(i, subnet) => Because::OnLink { interface: name(i), subnet },
            Self::Link(i) => Because::Link { interface: name(i) },
            Self::Routed(i) => Because::Routed { interface: name(i) },
            Self::OtherFamily(i) => Because::OtherFamily { interface: name(i) },
        }
    }
}

pub(crate) struct Candidate<'a> {
    pub(crate) rank: Rank,
    pub(crate) target: Target<'a>,
    pub(crate) why: Why<'a>,
    pub(crate) rejection: Option<Rejection>,
}

impl<'a> Candidate<'a> {
    /// Whether its host is a name, or an address of this family.
    pub(crate) fn suits(&self, v4: bool) -> bool {
        self.target.ip().is_none_or(|ip| ip.is_ipv4() == v4)
    }

    /// Whether the host has this address for others than itself, usable for this peer or not.
    pub(crate) const fn exists(&self) -> bool {
        use Rejection::{Published, Tentative, Unreachable, Virtual};
        let its_own = matches!(self.rank.0, Tier::OnLink | Tier::Routed | Tier::Nowhere);
        its_own
            && matches!(self.rejection, None | Some(Unreachable | Virtual | Published | Tentative))
    }

    /// Whether it is an address of this host, and of the family that is not the peer's.
    pub(crate) const fn is_stopgap(&self) -> bool {
        matches!(self.rank.0, Tier::OtherFamilyNear | Tier::OtherFamilyFar)
    }

    /// The scheme and host by which the peer asked.
    pub(crate) fn request(situation: &Situation<'a>, tier: Tier) -> Option<Self> {
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
        let target = Target::Request { https, authority, base: situation.base };
        let loopback = target.is_loopback() && !situation.peer.is_loopback();
        let rejection = loopback.then_some(Rejection::Loopback);
        Some(Self {
            rank: (tier, Reverse([0; 4])),
            rejection: rejection.or_else(|| not_plain(situation, &target)),
            why: Why::Request,
            target,
        })
    }

    /// A published URL that is for this peer.
    pub(crate) fn published(situation: &Situation<'a>, published: &'a Override) -> Option<Self> {
        let Situation { peer, ask, .. } = *situation;
        let fit = published.fit(peer, situation.internal, ask.came_by, situation.interfaces)?;
        let score = match fit {
            Fit::All => [0; 4],
            Fit::Side => [1, 0, 0, 0],
            Fit::Subnet { prefix_len, named } => [2, prefix_len, named.into(), 0],
        };
        let target = Target::Published(&published.url);
        Some(Self {
            rank: (Tier::Override, Reverse(score)),
            rejection: not_plain(situation, &target),
            why: Why::Override(published),
            target,
        })
    }

    /// An address of this host.
    pub(crate) fn address(
        situation: &Situation<'a>,
        interface: &'a Interface,
        address: &'a InterfaceAddr,
    ) -> Self {
        let target = situation.target(address.ip());
        let silent = matches!(target, Target::Silent(_)).then_some(Rejection::NotListening);
        let unnamed = situation.is_unnamed().then_some(Rejection::Unnamed);
        let unusable = unusable(situation, interface, address).or(unnamed);
        let (rank, why, nowhere) = match Place::of(situation, interface, address) {
            Place::At(rank, why) => (rank, why, None),
            Place::Nowhere(rejection) => {
                let rank = (Tier::Nowhere, Reverse([0; 4]));
                (rank, Why::Routed(interface), Some(rejection))
            }
        };
        Self { rank, target, why, rejection: unusable.or(nowhere).or(silent) }
    }
}

/// Where the peer is, seen from an address.
enum Place<'a> {
    At(Rank, Why<'a>),
    Nowhere(Rejection),
}

impl<'a> Place<'a> {
    fn of(situation: &Situation<'_>, interface: &'a Interface, address: &'a InterfaceAddr) -> Self {
        let Situation { peer, ask, .. } = *situation;
        let ip = address.ip();
        let came_by = ask.came_by == Some(interface.index);
        let physical = u8::from(!interface.flags.r#virtual);
        let lasting = u8::from(!address.temporary);
        let near = came_by && (is_link_local(peer) || interface.flags.point_to_point);

        let same_family = ip.is_ipv4() == peer.is_ipv4();
        if peer.is_loopback() && same_family {
            let score = [u8::from(ip.is_loopback()), u8::from(ip == peer), 0, 0];
            return Self::At((Tier::Loopback, Reverse(score)), Why::Loopback);
        }
        if address.on_link(peer) && (came_by || !is_link_local(peer) || ip.is_ipv4()) {
            let score = [address.net.prefix_len(), u8::from(came_by), physical, lasting];
            let why = Why::OnLink(interface, address.net.trunc());
            return Self::At((Tier::OnLink, Reverse(score)), why);
        }
        if near && same_family {
            let score = [0, 1, physical, lasting];
            return Self::At((Tier::OnLink, Reverse(score)), Why::Link(interface));
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
        Self::At((Tier::Routed, Reverse(score)), Why::Routed(interface))
    }

    fn of_other_family(
        situation: &Situation<'_>,
        interface: &'a Interface,
        address: &'a InterfaceAddr,
        near: bool,
    ) -> Self {
        let peer = situation.peer;
        let near =
            near || interface.addresses.iter().any(|a| a.on_link(peer) && !is_link_local(peer));
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
        Self::At((tier, Reverse(score)), Why::OtherFamily(interface))
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
fn not_plain(situation: &Situation<'_>, target: &Target<'_>) -> Option<Rejection> {
    (situation.ask.plain && !target.is_plain()).then_some(Rejection::NotPlain)
}
