//! One entry of a subnet list, and what can be wrong with it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};
use thiserror::Error;

use super::hint;
use super::named::NamedSubnets;
use crate::addr::unmapped;
use crate::list::{BadEntry, ParseListError};

/// What one entry stands for.
pub(super) struct Entry {
    pub(super) exclude: bool,
    pub(super) nets: Vec<IpNet>,
}

impl Entry {
    pub(super) fn parse(text: &str) -> Result<Self, BadSubnetReason> {
        let (exclude, text) = split_exclusion(text);
        let nets = match NamedSubnets::from_name(text) {
            Some(named) => named.subnets().collect(),
            None => vec![parse_net(text).ok_or_else(|| hint::reason(text))?],
        };
        Ok(Self { exclude, nets })
    }
}

/// Takes the `!` off, and the blanks around both.
pub(super) fn split_exclusion(text: &str) -> (bool, &str) {
    let text = text.trim();
    match text.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, text),
    }
}

/// Reads an address or a subnet.
pub(super) fn parse_net(text: &str) -> Option<IpNet> {
    let (address, prefix) = split_prefix(text)?;
    let ip = parse_ip(address)?;
    let Some(prefix) = prefix else {
        return Some(whole_family_or_host(unmapped(ip)));
    };
    // `parse` alone would take a sign.
    if !prefix.bytes().all(|b| b.is_ascii_digit()) || (prefix.len() > 1 && prefix.starts_with('0'))
    {
        return None;
    }
    unmapped_net(IpNet::new(ip, prefix.parse().ok()?).ok()?)
}

/// Cuts `address/prefix`, `[address]/prefix` and `[address/prefix]` in two.
pub(super) fn split_prefix(text: &str) -> Option<(&str, Option<&str>)> {
    let Some(bracketed) = text.strip_prefix('[') else {
        return Some(split_slash(text));
    };
    let (inside, after) = bracketed.split_once(']')?;
    let (address, prefix) = match after.strip_prefix('/') {
        Some(prefix) => (inside, Some(prefix)),
        None if after.is_empty() => split_slash(inside),
        None => return None,
    };
    // Brackets are for IPv6 alone (RFC 3986 § 3.2.2).
    address.contains(':').then_some((address, prefix))
}

fn split_slash(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    }
}

/// Reads an address; the zone of an IPv6 one (RFC 4007 § 11) is dropped.
fn parse_ip(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        None => text.parse().ok(),
        Some((_, "")) => None,
        Some((address, _)) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
    }
}

/// A single address; Jellyfin: the unspecified one means the whole family.
fn whole_family_or_host(ip: IpAddr) -> IpNet {
    let host = IpNet::from(ip);
    if ip.is_unspecified() {
        return IpNet::new(ip, 0).unwrap_or(host);
    }
    host
}

/// Undoes the IPv4-mapped form of a subnet; `None` where the prefix leaves the form (it is
/// shorter than 96).
pub(super) fn unmapped_net(net: IpNet) -> Option<IpNet> {
    match unmapped(net.addr()) {
        IpAddr::V4(v4) if matches!(net, IpNet::V6(_)) => {
            let prefix = net.prefix_len().checked_sub(96)?;
            Ipv4Net::new(v4, prefix).ok().map(IpNet::V4)
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Some(net),
    }
}

/// Every entry of a subnet list that cannot be read.
pub type ParseSubnetSetError = ParseListError<BadSubnetReason>;

/// One entry of a subnet list that cannot be read.
pub type BadSubnet = BadEntry<BadSubnetReason>;

/// What is wrong with an entry of a subnet list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum BadSubnetReason {
    /// Nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// More than one `!`.
    #[error("an exclusion has one `!`")]
    ExcludedTwice,
    /// A list in one string.
    #[error("several entries in one, make each an entry of its own")]
    Several,
    /// A blank between its parts.
    #[error("it has a blank inside")]
    Blank,
    /// `a-b`.
    #[error("a range from one address to another is no subnet")]
    Range,
    /// `http://…`.
    #[error("a URL is no subnet")]
    Url,
    /// `address:port`.
    #[error("a port has no place in a subnet")]
    Port,
    /// `a.b.c.d/255.255.255.0`.
    #[error("the prefix length is a number of bits, not a netmask")]
    Netmask,
    /// A prefix length that is no number.
    #[error("the prefix length is not a number")]
    PrefixSyntax,
    /// More bits than the address has.
    #[error("the prefix length is more than {max}")]
    PrefixTooLong {
        /// The most that the family allows: 32 or 128.
        max: u8,
    },
    /// A prefix of an IPv4-mapped address that reaches beyond the IPv4-mapped block.
    #[error("the prefix of an IPv4-mapped subnet is 96 to 128")]
    MappedPrefix,
    /// `192.168.001.010`: some programs read the parts as octal.
    #[error("a part of the IPv4 address has leading zeros")]
    LeadingZeros,
    /// Fewer than four parts, or a `*`.
    #[error("an IPv4 address has four numbers")]
    ShortIpv4,
    /// Fewer than eight groups and no `::`.
    #[error("an IPv6 address has eight groups or a `::`")]
    ShortIpv6,
    /// A name that is no [named set](NamedSubnets).
    #[error("it is no address, no subnet and none of {}", Names)]
    NotASubnet,
}

/// The names of all named sets.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for named in NamedSubnets::ALL {
            write!(f, "{separator}{named}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// The number of leading ones of a netmask; `None` if a one follows a zero.
pub(super) fn netmask_bits(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (ones == bits.count_ones()).then(|| u8::try_from(ones).ok())?
}
