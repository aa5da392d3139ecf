//! Which peers are proxies.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use jellynet_netif::SubnetSet;

use crate::contract::Contract;

mod entry;
mod set;

pub use self::entry::{BadProxy, BadProxyReason, ParseKnownProxiesError};
pub use self::set::ProxySet;

use self::entry::Entry;

/// The proxies that are known, as they are configured.
///
/// Loopback is not implied: a proxy on this host is listed like any other, because otherwise any
/// local process, or a request forged through one, could choose its address.
///
/// | entry | means |
/// | --- | --- |
/// | `10.0.0.2`, `2001:db8::2` | this address |
/// | `172.18.0.0/16` | every address in it; host bits do not matter |
/// | `!172.18.0.9` | but not this |
/// | `loopback`, `private`, … | a [named set](jellynet_netif::NamedSubnets) |
/// | `nginx`, `proxy.lan` | what the name resolves to, followed by `HostNames` (feature `dns`) |
/// | `unix` | whoever can open the Unix socket |
/// | any of these, then ` sets for,proto,host,port` | the same with this [`Contract`] |
///
/// Where entries nest, the most specific one's contract counts; a name's addresses are as
/// specific as a listed address.
///
/// # Examples
///
/// ```
/// use jellynet_forwarded::{Contract, KnownProxies};
///
/// let known = KnownProxies::parse(["10.0.0.0/24", "10.0.0.7 sets for", "unix"])?;
/// let set = known.to_set();
/// assert_eq!(set.contract("10.0.0.2".parse()?), Some(Contract::STANDARD));
/// assert_eq!(set.contract("10.0.0.7".parse()?), Some(Contract::FOR));
/// assert_eq!(set.contract("127.0.0.1".parse()?), None);
///
/// let error = KnownProxies::parse(["10.0.0.2", "10.0.0/24", "10.0.0.3:80"]).unwrap_err();
/// assert_eq!(error.bad().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownProxies {
    included: Vec<(IpNet, Contract)>,
    excluded: Vec<IpNet>,
    names: Vec<(String, Contract)>,
    unix: Option<Contract>,
}

impl KnownProxies {
    /// No proxy is known: every header is ignored.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a list of entries; the [type's table](Self) says what an entry may be.
    ///
    /// # Errors
    ///
    /// [`ParseKnownProxiesError`] names *every* bad entry, with its index and, where one can be
    /// told, the corrected text.
    pub fn parse(
        entries: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, ParseKnownProxiesError> {
        let (mut known, mut bad) = (Self::none(), Vec::new());
        for (index, text) in entries.into_iter().enumerate() {
            match Entry::parse(text.as_ref()) {
                Ok(entry) => known.add(entry),
                Err(problem) => bad.push(problem.at(index, text.as_ref())),
            }
        }
        ParseKnownProxiesError::check(bad)?;
        Ok(known)
    }

    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Nets(set, contract) => {
                self.included.extend(set.included().map(|net| (net, contract)));
                self.excluded.extend(set.excluded());
            }
            Entry::Name(name, contract) => self.names.push((name, contract)),
            Entry::Unix(contract) => self.unix = Some(contract),
        }
    }

    /// Adds a subnet, or an address as a subnet of one.
    #[must_use]
    pub fn with_net(mut self, net: IpNet, contract: Contract) -> Self {
        self.included.push((net, contract));
        self
    }

    /// Takes peers on a Unix socket for proxies.
    ///
    /// # Security
    ///
    /// Whoever may open the socket file can then name any client.
    #[must_use]
    pub const fn with_unix_peers(mut self, contract: Contract) -> Self {
        self.unix = Some(contract);
        self
    }

    /// The host names among the entries; they stand for no address until they are resolved.
    #[must_use]
    pub fn host_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// The set that the walk asks, with the addresses alone.
    #[must_use]
    pub fn to_set(&self) -> ProxySet {
        self.to_set_with(|_| &[])
    }

    /// The set with what each host name resolves to at present.
    #[must_use]
    pub fn to_set_with<'a>(&self, resolved: impl Fn(&str) -> &'a [IpAddr]) -> ProxySet {
        let names = self.names.iter().flat_map(|(name, contract)| {
            let addresses = resolved(name).iter();
            addresses.map(|ip| (IpNet::from(*ip), *contract))
        });
        let included = self.included.iter().copied().chain(names);
        ProxySet::new(included, self.excluded.iter().copied(), self.unix)
    }
}

/// The entries as they can be written.
impl fmt::Display for KnownProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut entry = |what: &dyn fmt::Display, contract: Contract| {
            write!(f, "{separator}{what}")?;
            separator = ", ";
            if contract == Contract::STANDARD {
                return Ok(());
            }
            write!(f, " sets {contract}")
        };
        for (net, contract) in &self.included {
            entry(net, *contract)?;
        }
        for net in &self.excluded {
            entry(&format_args!("!{net}"), Contract::STANDARD)?;
        }
        for (name, contract) in &self.names {
            entry(name, *contract)?;
        }
        self.unix.map_or(Ok(()), |contract| entry(&"unix", contract))
    }
}

impl From<SubnetSet> for KnownProxies {
    fn from(set: SubnetSet) -> Self {
        let mut known = Self::none();
        known.add(Entry::Nets(Box::new(set), Contract::STANDARD));
        known
    }
}
