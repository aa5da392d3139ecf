//! Who is on the LAN.

use jellynet_netif::{InterfaceTable, NamedSubnets, ParseSubnetSetError, SubnetSet};

/// The entry that stands for the subnets of this host's own interfaces.
const INTERFACES: &str = "interfaces";

/// The subnets that count as LAN, as they are configured: Jellyfin's list, with names.
///
/// | entry | means |
/// | --- | --- |
/// | what a [`SubnetSet`] reads | addresses, subnets, `0.0.0.0` and `::` for all, `!` for an exclusion |
/// | `private`, `tailscale`, `cgnat`, `link-local`, `loopback` | a [named set](NamedSubnets) |
/// | `interfaces` | the subnets of this host's interfaces, IPv6 prefixes included, as they are at the time; not those of VPNs |
///
/// A list without a positive entry means `private`, as in Jellyfin. Unlike there, an entry that
/// cannot be read is an error: it never falls silent and never makes the list that default.
///
/// # Examples
///
/// ```
/// use jellynet_access::Lan;
///
/// let lan = Lan::parse(["192.168.0.0/16", "!192.168.66.0/24", "tailscale"])?;
/// assert!(lan.subnets().contains("100.101.102.103".parse()?));
/// assert!(!lan.subnets().contains("192.168.66.1".parse()?));
///
/// let error = Lan::parse(["192.168.0.0/16", "192.168.1"]).unwrap_err();
/// assert_eq!(error.bad()[0].index, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lan {
    listed: SubnetSet,
    interfaces: bool,
}

impl Lan {
    /// Jellyfin's default: loopback, RFC 1918, IPv6 link-local and unique local addresses.
    #[must_use]
    pub fn private() -> Self {
        Self::default()
    }

    /// Reads a list of entries; the [type's table](Self) says what an entry may be.
    ///
    /// # Errors
    ///
    /// [`ParseSubnetSetError`] names *every* bad entry, with its index and, where one can be told, the
    /// corrected text.
    pub fn parse(
        entries: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, ParseSubnetSetError> {
        let (mut included, mut excluded, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        let mut interfaces = false;
        for (index, entry) in entries.into_iter().enumerate() {
            let entry = entry.as_ref();
            if entry.trim().eq_ignore_ascii_case(INTERFACES) {
                interfaces = true;
                continue;
            }
            match SubnetSet::parse([entry]) {
                Ok(set) => {
                    included.extend(set.included());
                    excluded.extend(set.excluded());
                }
                Err(error) => bad.extend(error.bad().iter().cloned().map(|mut bad| {
                    bad.index = index;
                    bad
                })),
            }
        }
        ParseSubnetSetError::check(bad)?;
        Ok(Self { listed: SubnetSet::with_exclusions(included, excluded), interfaces })
    }

    /// Whether the answer changes with this host's interfaces, so that a change of theirs asks
    /// for [`subnets_with`](Self::subnets_with) again.
    #[must_use]
    pub const fn follows_interfaces(&self) -> bool {
        self.interfaces
    }

    /// The set, where no interfaces are known.
    #[must_use]
    pub fn subnets(&self) -> SubnetSet {
        self.subnets_with(&InterfaceTable::default())
    }

    /// The set with the subnets of these interfaces, where an entry asks for them.
    #[must_use]
    pub fn subnets_with(&self, interfaces: &InterfaceTable) -> SubnetSet {
        if !self.interfaces {
            let default = NamedSubnets::Private.subnets();
            return self.listed.clone().including_if_none(default);
        }
        let on_link = interfaces
            .iter()
            .filter(|i| i.flags.up && !i.flags.loopback && !i.flags.point_to_point)
            .flat_map(|i| i.addresses.iter().map(|address| address.net));
        SubnetSet::with_exclusions(self.listed.included().chain(on_link), self.listed.excluded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jellynet_netif::Interface;

    #[test]
    fn lists_are_jellyfins_without_its_silence() {
        for (entries, inside, outside, why) in [
            (
                &[][..],
                &[
                    "127.0.0.1",
                    "10.1.2.3",
                    "172.31.0.1",
                    "192.168.1.1",
                    "::1",
                    "fe80::1",
                    "fd00::1",
                ][..],
                &["169.254.1.1", "100.64.0.1", "172.32.0.1", "2001:db8::1", "8.8.8.8"][..],
                "the default",
            ),
            (&["10.0.0.0/8"], &["10.1.1.1", "::ffff:10.1.1.1"], &["192.168.1.1"], "one subnet"),
            (&["10.0.0.5"], &["10.0.0.5"], &["10.0.0.6"], "no mask is one address"),
            (
                &["!192.168.66.0/24"],
                &["192.168.1.1", "10.0.0.1"],
                &["192.168.66.1"],
                "only exclusions: the default without them",
            ),
            (&["10.0.0.0/8", " !10.1.0.0/16 "], &["10.2.0.1"], &["10.1.0.1"], "blanks around"),
            (&["0.0.0.0"], &["8.8.8.8"], &["2001:db8::1"], "everybody in IPv4"),
            (&["::"], &["2001:db8::1"], &["8.8.8.8"], "everybody in IPv6"),
            (&["cgnat"], &["100.64.0.1"], &["fd7a:115c:a1e0::1"], "a named set"),
            (&["tailscale"], &["100.64.0.1", "fd7a:115c:a1e0::1"], &["10.0.0.1"], "another"),
        ] {
            let lan = Lan::parse(entries).unwrap().subnets();
            for ip in inside {
                assert!(lan.contains(ip.parse().unwrap()), "{why}: {ip} is inside");
            }
            for ip in outside {
                assert!(!lan.contains(ip.parse().unwrap()), "{why}: {ip} is outside");
            }
        }
    }

    #[test]
    fn every_bad_entry_is_named_by_its_place() {
        let entries = ["10.0.0.0/8", "interfaces", "10.0.0.0/33", "", "nonsense"];
        let error = Lan::parse(entries).unwrap_err();
        let indexes: Vec<_> = error.bad().iter().map(|bad| bad.index).collect();
        assert_eq!(indexes, [2, 3, 4]);
        assert!(error.to_string().starts_with("entry [2] \"10.0.0.0/33\""), "{error}");
    }

    #[test]
    fn interfaces_count_as_they_are() {
        let net = |text: &str| text.parse().unwrap();
        let mut vpn = Interface::new("wg0", 3).with_address(net("10.8.0.1/24"));
        vpn.flags.point_to_point = true;
        let mut down = Interface::new("eth1", 4).with_address(net("10.9.0.1/24"));
        down.flags.up = false;
        let eth0 = Interface::new("eth0", 2)
            .with_address(net("203.0.113.9/28"))
            .with_address(net("2001:db8:1:2::9/64"));
        let table = InterfaceTable::new([Interface::loopback(1), eth0, vpn, down]);

        let lan = Lan::parse(["Interfaces", "!203.0.113.1"]).unwrap();
        assert!(lan.follows_interfaces());
        let set = lan.subnets_with(&table);
        for (ip, expected, why) in [
            ("203.0.113.14", true, "on the link"),
            ("203.0.113.1", false, "excluded"),
            ("203.0.113.17", false, "beside the link"),
            ("2001:db8:1:2:3::4", true, "the provider's IPv6 prefix"),
            ("10.8.0.2", false, "a VPN's far end"),
            ("10.9.0.2", false, "an interface that is down"),
            ("192.168.1.1", false, "the default is not implied"),
        ] {
            assert_eq!(set.contains(ip.parse().unwrap()), expected, "{why}");
        }
        assert!(lan.subnets().is_empty(), "no interfaces are no reason for a default");
    }
}
