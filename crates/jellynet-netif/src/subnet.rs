//! Sets of subnets: is this address in that list?

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::addr::unmapped;

mod entry;
mod hint;
mod index;
mod named;

pub use self::entry::{BadSubnet, BadSubnetReason, ParseSubnetSetError};
pub use self::named::NamedSubnets;

use self::entry::Entry;
use self::index::Index;

/// A set of subnets with exclusions, in the syntax of Jellyfin's network lists.
///
/// # The rule
///
/// An address is in the set when an entry includes it and no entry excludes it. Exclusions win,
/// whatever their order or length. A set of *only* exclusions includes nothing; a caller whose
/// list has a default says so with [`including_if_none`](Self::including_if_none).
///
/// | entry | means |
/// | --- | --- |
/// | `192.168.1.10`, `fd00::1` | this one address |
/// | `192.168.1.0/24`, `192.168.1.77/24` | the subnet; host bits do not matter |
/// | `0.0.0.0`, `::` | every address of the family, as in Jellyfin |
/// | `[fd00::]/8`, `[fd00::1]` | the same without the brackets |
/// | `fe80::1%eth0/64` | the same without the zone |
/// | `::ffff:10.0.0.0/104` | `10.0.0.0/8`: the IPv4-mapped form is undone |
/// | `private`, `tailscale`, … | a [named set](NamedSubnets), letter case ignored |
/// | `!` before any of these | the exclusion of it |
///
/// Blanks around an entry are ignored; an empty entry is an error, because Jellyfin switches a
/// filter off when its first entry is blank, and nobody means that.
///
/// [`contains`](Self::contains) takes the same time for ten subnets and for ten thousand: one step
/// through a table of address ranges, a second one where the list is crowded in distant places.
/// It allocates nothing.
///
/// # Examples
///
/// ```
/// use jellynet_netif::SubnetSet;
///
/// let lan = SubnetSet::parse(["192.168.0.0/16", "!192.168.7.0/24", "tailscale"])?;
/// assert!(lan.contains("192.168.1.5".parse()?));
/// assert!(lan.contains("::ffff:192.168.1.5".parse()?));
/// assert!(!lan.contains("192.168.7.5".parse()?));
///
/// let error = SubnetSet::parse(["10.0.0.0/8", "fd23:184f:2029:0100/56"]).unwrap_err();
/// assert_eq!(error.bad()[0].index, 1);
/// assert_eq!(error.bad()[0].hint.as_deref(), Some("fd23:184f:2029:0100::/56"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SubnetSet {
    included: Vec<IpNet>,
    excluded: Vec<IpNet>,
    v4: Index<u32>,
    v6: Index<u128>,
}

impl SubnetSet {
    /// A set of these subnets; host bits are cut, IPv4-mapped subnets undone.
    #[must_use]
    pub fn new(included: impl IntoIterator<Item = IpNet>) -> Self {
        Self::with_exclusions(included, [])
    }

    /// A set of the subnets in `included` without those in `excluded`.
    #[must_use]
    pub fn with_exclusions(
        included: impl IntoIterator<Item = IpNet>,
        excluded: impl IntoIterator<Item = IpNet>,
    ) -> Self {
        let included: Vec<_> = included.into_iter().map(canonical).collect();
        let excluded: Vec<_> = excluded.into_iter().map(canonical).collect();
        Self {
            v4: index::v4(&included, &excluded),
            v6: index::v6(&included, &excluded),
            included,
            excluded,
        }
    }

    /// Reads a list of entries; the [type's table](Self) says what an entry may be.
    ///
    /// # Errors
    ///
    /// [`ParseSubnetSetError`] names *every* bad entry, with its index and, where one can be
    /// told, the corrected text.
    pub fn parse(
        entries: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, ParseSubnetSetError> {
        let (mut included, mut excluded, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        for (index, text) in entries.into_iter().enumerate() {
            match Entry::parse(text.as_ref()) {
                Ok(Entry { exclude: true, nets }) => excluded.extend(nets),
                Ok(Entry { exclude: false, nets }) => included.extend(nets),
                Err(reason) => {
                    let text = text.as_ref();
                    bad.push(BadSubnet::new(index, text, reason, hint::corrected(text)));
                }
            }
        }
        ParseSubnetSetError::check(bad)?;
        Ok(Self::with_exclusions(included, excluded))
    }

    /// The same set; where it includes nothing itself, it includes `default`. Its exclusions
    /// stay.
    ///
    /// Jellyfin: a LAN list of only exclusions, or an empty one, means its default LAN
    /// ([`NamedSubnets::Private`]) without these.
    #[must_use]
    pub fn including_if_none(self, default: impl IntoIterator<Item = IpNet>) -> Self {
        if self.included.is_empty() { Self::with_exclusions(default, self.excluded) } else { self }
    }

    /// Whether the address is included and not excluded. Allocates nothing.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.find(ip).is_some()
    }

    /// The most specific included subnet that holds the address; `None` for an excluded one.
    /// Allocates nothing.
    #[must_use]
    pub fn longest_match(&self, ip: IpAddr) -> Option<IpNet> {
        self.included.get(self.find(ip)?).copied()
    }

    fn find(&self, ip: IpAddr) -> Option<usize> {
        match unmapped(ip) {
            IpAddr::V4(v4) => self.v4.find(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.find(v6.to_bits()),
        }
    }

    /// Whether no address at all is in the set: it has no entry, or only exclusions, or
    /// everything that it includes is excluded again.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether the set has exclusions and nothing else, and so contains no address.
    #[must_use]
    pub fn only_excludes(&self) -> bool {
        self.included.is_empty() && !self.excluded.is_empty()
    }

    /// The included subnets, in the order given, host bits cut.
    #[must_use]
    pub fn included(&self) -> impl ExactSizeIterator<Item = IpNet> {
        self.included.iter().copied()
    }

    /// The excluded subnets, in the order given, host bits cut.
    #[must_use]
    pub fn excluded(&self) -> impl ExactSizeIterator<Item = IpNet> {
        self.excluded.iter().copied()
    }
}

/// Cuts host bits and undoes the IPv4-mapped form.
fn canonical(net: IpNet) -> IpNet {
    entry::unmapped_net(net).unwrap_or(net).trunc()
}

impl FromIterator<IpNet> for SubnetSet {
    fn from_iter<T: IntoIterator<Item = IpNet>>(nets: T) -> Self {
        Self::new(nets)
    }
}

impl From<NamedSubnets> for SubnetSet {
    fn from(named: NamedSubnets) -> Self {
        Self::new(named.subnets())
    }
}

/// The entries, separated by a comma and a blank; exclusions last.
impl fmt::Display for SubnetSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for net in &self.included {
            write!(f, "{separator}{net}")?;
            separator = ", ";
        }
        for net in &self.excluded {
            write!(f, "{separator}!{net}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl fmt::Debug for SubnetSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubnetSet")
            .field("included", &self.included)
            .field("excluded", &self.excluded)
            .finish()
    }
}

/// As a list of entries.
#[cfg(feature = "serde")]
impl serde::Serialize for SubnetSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let included = self.included.iter().map(IpNet::to_string);
        let excluded = self.excluded.iter().map(|net| format!("!{net}"));
        serializer.collect_seq(included.chain(excluded))
    }
}

/// From a list of entries; all bad ones stand in the message.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for SubnetSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<String>::deserialize(deserializer)?;
        Self::parse(entries).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
