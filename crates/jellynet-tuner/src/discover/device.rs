//! A device as discovery knows it.

use std::net::{IpAddr, SocketAddr};

use crate::device_id::DeviceId;
use crate::wire::{DeviceAuth, DeviceType, DiscoverReply};

/// A tuner on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Where it answers to discovery and control, the best address first.
    pub addresses: Vec<SocketAddr>,
    /// How many tuners it has; 0 when neither the device nor its generation tells.
    pub tuner_count: u8,
    /// The root of its HTTP API, as it says.
    pub base_url: Option<String>,
    /// Where its channel list is, as it says.
    pub lineup_url: Option<String>,
    /// Its secret towards the vendor's service.
    pub auth: Option<DeviceAuth>,
}

impl Device {
    /// A device that was not discovered but is known to be at `address`.
    #[must_use]
    pub fn at(id: DeviceId, address: SocketAddr) -> Self {
        Self {
            id,
            addresses: vec![address],
            tuner_count: id.default_tuner_count(),
            base_url: None,
            lineup_url: None,
            auth: None,
        }
    }

    /// What a reply from `source` says; `None` when it is no tuner's or has no id.
    #[must_use]
    pub fn from_reply(source: SocketAddr, reply: DiscoverReply) -> Option<Self> {
        let id = reply.id.filter(|id| *id != DeviceId::ANY)?;
        if !reply.types.contains(&DeviceType::TUNER) {
            return None;
        }
        let mut device = Self::at(id, source);
        device.tuner_count = reply.tuner_count.unwrap_or(device.tuner_count);
        device.base_url = reply.base_url;
        device.lineup_url = reply.lineup_url;
        device.auth = reply.auth;
        Some(device)
    }

    /// The best address; `None` only if the list was emptied.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses.first().copied()
    }

    /// Whether it streams over UDP only, not over HTTP.
    #[must_use]
    pub const fn is_legacy(&self) -> bool {
        self.id.is_legacy()
    }

    /// The root of its HTTP API without a slash at the end.
    ///
    /// # Security
    ///
    /// The URL that a device states is used only when its host is one of the addresses that
    /// answered: otherwise anyone on the network could make this host fetch any URL.
    #[must_use]
    pub fn api_root(&self) -> Option<String> {
        let stated = self.base_url.as_deref().filter(|url| {
            host_of(url).is_some_and(|host| self.addresses.iter().any(|a| a.ip() == host))
        });
        if let Some(url) = stated {
            return Some(url.trim_end_matches('/').to_owned());
        }
        let root = match self.address()? {
            SocketAddr::V4(v4) => format!("http://{}", v4.ip()),
            SocketAddr::V6(v6) => format!("http://[{}]", v6.ip()),
        };
        Some(root)
    }

    /// Takes over what another answer of the same device says; `true` when something is new.
    pub(super) fn merge(&mut self, other: Self) -> bool {
        let before = self.clone();
        for address in other.addresses {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
        self.addresses.sort_by_key(|a| rank(a.ip()));
        if other.tuner_count > 0 {
            self.tuner_count = other.tuner_count;
        }
        // A device reached over two families states one URL in each; IPv4's is kept.
        let best = self.address().map(|a| a.is_ipv4());
        let prefer = |old: &mut Option<String>, new: Option<String>| {
            let fits = |url: &str| host_of(url).map(|h| h.is_ipv4()) == best;
            if new.is_some() && !old.as_deref().is_some_and(fits) {
                *old = new;
            }
        };
        prefer(&mut self.base_url, other.base_url);
        prefer(&mut self.lineup_url, other.lineup_url);
        self.auth = other.auth.or_else(|| self.auth.take());
        *self != before
    }
}

/// Which of a device's addresses to use first.
fn rank(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V6(v6) if v6.is_loopback() => 0,
        IpAddr::V4(v4) if v4.is_loopback() => 1,
        IpAddr::V4(v4) if v4.is_link_local() => 6,
        IpAddr::V4(_) => 2,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => 5,
        IpAddr::V6(v6) if v6.is_unique_local() => 4,
        IpAddr::V6(_) => 3,
    }
}

/// The address in `http://address[:port]…`; `None` for a name or anything else.
fn host_of(url: &str) -> Option<IpAddr> {
    let rest = url.strip_prefix("http://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let bare = authority.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    bare.unwrap_or(authority).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(address: &str, base: Option<&str>) -> Device {
        let mut device = Device::at(DeviceId::mint(0x1322_F2F0), address.parse().unwrap());
        device.base_url = base.map(str::to_owned);
        device
    }

    #[test]
    fn a_url_is_believed_only_for_the_address_that_answered() {
        for (base, expected) in [
            (Some("http://10.0.0.5:80"), "http://10.0.0.5:80"),
            (Some("http://10.0.0.5:5004/"), "http://10.0.0.5:5004"),
            (None, "http://10.0.0.5"),
            (Some("http://169.254.169.254/latest"), "http://10.0.0.5"),
            (Some("http://10.0.0.5@evil.example"), "http://10.0.0.5"),
            (Some("http://router.lan"), "http://10.0.0.5"),
            (Some("file:///etc/passwd"), "http://10.0.0.5"),
        ] {
            let device = device("10.0.0.5:65001", base);
            assert_eq!(device.api_root().as_deref(), Some(expected), "{base:?}");
        }
        let v6 = device("[fd99::2]:65001", Some("http://[fd99::2]"));
        assert_eq!(v6.api_root().as_deref(), Some("http://[fd99::2]"));
    }

    #[test]
    fn two_answers_are_one_device_with_the_better_address_first() {
        let mut merged = device("[fe80::2%3]:65001", Some("http://[fe80::2]"));
        assert!(merged.merge(device("10.0.0.5:65001", Some("http://10.0.0.5"))));
        assert!(merged.merge(device("[fd99::2]:65001", Some("http://[fd99::2]"))));
        assert!(!merged.merge(device("10.0.0.5:65001", Some("http://10.0.0.5"))));
        let addresses: Vec<_> = merged.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.5:65001", "[fd99::2]:65001", "[fe80::2%3]:65001"]);
        assert_eq!(merged.base_url.as_deref(), Some("http://10.0.0.5"));
    }

    #[test]
    fn a_recorder_or_a_nameless_device_is_no_tuner() {
        let source = "10.0.0.5:65001".parse().unwrap();
        let id = DeviceId::mint(0x1012_8730);
        let mut reply = DiscoverReply::tuner(id);
        let found = Device::from_reply(source, reply.clone()).unwrap();
        assert_eq!((found.tuner_count, found.is_legacy()), (2, true), "filled in by generation");
        reply.types = vec![DeviceType::STORAGE];
        assert_eq!(Device::from_reply(source, reply.clone()), None);
        reply.types.push(DeviceType::TUNER);
        assert!(Device::from_reply(source, reply.clone()).is_some());
        reply.id = None;
        assert_eq!(Device::from_reply(source, reply), None);
    }
}
