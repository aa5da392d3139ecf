//! Who may come in.

use std::net::IpAddr;

use jellynet_netif::{ClientAddr, PeerAddr, Provenance, SubnetSet};

use crate::decision::{Decision, Reason};
use crate::filter::{FilterMode, RemoteFilter};
use crate::lan::Lan;

/// What a peer on a Unix socket is, if it is no known proxy that names a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnixPeers {
    /// It may not come in. The default: who opens that socket is usually a reverse proxy, and one
    /// that was not declared would let the world in as local.
    #[default]
    Refuse,
    /// It is remote, at an unknown address.
    Remote,
    /// It is this host itself.
    Local,
}

/// Who may come in.
///
/// # The rule
///
/// The first row that fits decides.
///
/// | client | remote access | filter | allowed | local | reason |
/// | --- | --- | --- | --- | --- | --- |
/// | neither `ClientAddr` nor `PeerAddr` | | | no | no | `no-address` |
/// | Unix socket, no client named | | | by [`UnixPeers`] | | `unix-peer-refused`, `unix-peer`, or as a proxy that names no client |
/// | `Direct` from loopback | | | yes | yes | `loopback` |
/// | in the LAN set; `Direct`, or `Forwarded` and not loopback | | | yes | yes | `lan` |
/// | any other, `ProxyOnly` always | off | | no | no | `remote-disabled` |
/// | a proxy that names no client | on | any | no | no | `client-unknown` |
/// | any | on | block list with it | no | no | `block-listed` |
/// | any | on | allow list with it | yes | no | `allow-listed` |
/// | any | on | allow list without it | no | no | `not-allow-listed` |
/// | any | on | none, or block list without it | yes | no | `remote` |
///
/// A proxy that names no client ([`Provenance::ProxyOnly`]) is remote even if it stands on the
/// LAN: otherwise everybody is local behind a proxy that is set up wrongly. A loopback address
/// that a proxy names is a process on the *proxy's* host, not on this one.
///
/// # Examples
///
/// ```
/// use jellynet_access::{FilterMode, Lan, Policy, Reason, RemoteFilter};
/// use jellynet_netif::PeerAddr;
///
/// let policy = Policy::new(Lan::parse(["192.168.1.0/24"])?.subnets())
///     .with_filter(RemoteFilter::parse(FilterMode::Allow, ["203.0.113.0/24"])?);
///
/// let peer = |address: &str| Some(PeerAddr::inet(address.parse().unwrap()));
/// assert_eq!(policy.decide(None, peer("192.168.1.7:4711")).reason, Reason::Lan);
/// assert_eq!(policy.decide(None, peer("203.0.113.7:4711")).reason, Reason::AllowListed);
/// assert!(!policy.decide(None, peer("198.51.100.7:4711")).allowed);
/// assert!(!policy.decide(None, None).allowed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    lan: SubnetSet,
    remote: bool,
    filter: Option<RemoteFilter>,
    unix_peers: UnixPeers,
}

/// Jellyfin's: the private subnets are the LAN, everybody else may come in as remote.
impl Default for Policy {
    fn default() -> Self {
        Self::new(Lan::private().subnets())
    }
}

impl Policy {
    /// These subnets are the LAN, everybody else may come in as remote.
    #[must_use]
    pub const fn new(lan: SubnetSet) -> Self {
        Self { lan, remote: true, filter: None, unix_peers: UnixPeers::Refuse }
    }

    /// Takes remote clients in, or not. Default: yes.
    #[must_use]
    pub const fn with_remote_access(mut self, remote: bool) -> Self {
        self.remote = remote;
        self
    }

    /// Filters remote clients; `None` takes the filter away. Default: none.
    #[must_use]
    pub fn with_filter(mut self, filter: impl Into<Option<RemoteFilter>>) -> Self {
        self.filter = filter.into();
        self
    }

    /// What a peer on a Unix socket is. Default: [`UnixPeers::Refuse`].
    #[must_use]
    pub const fn with_unix_peers(mut self, unix_peers: UnixPeers) -> Self {
        self.unix_peers = unix_peers;
        self
    }

    /// The subnets that are the LAN.
    #[must_use]
    pub const fn lan(&self) -> &SubnetSet {
        &self.lan
    }

    /// Decides by the client, where one is known, else by the peer. Allocates nothing.
    #[must_use]
    pub fn decide(&self, client: Option<ClientAddr>, peer: Option<PeerAddr>) -> Decision {
        match (client, peer) {
            (Some(client), _) => self.decide_client(client),
            (None, Some(PeerAddr::Inet(peer))) => self.decide_client(ClientAddr::direct(peer)),
            (None, Some(PeerAddr::Unix)) => match self.unix_peers {
                UnixPeers::Refuse => Reason::UnixPeerRefused.remote(),
                UnixPeers::Remote => self.decide_remote(None),
                UnixPeers::Local => Reason::UnixPeer.local(),
            },
            (None, _) => Reason::NoAddress.remote(),
        }
    }

    fn decide_client(&self, client: ClientAddr) -> Decision {
        let is_loopback = client.ip.is_loopback();
        match client.provenance {
            Provenance::Direct if is_loopback => Reason::Loopback.local(),
            Provenance::Direct | Provenance::Forwarded { .. } => {
                if !is_loopback && self.lan.contains(client.ip) {
                    Reason::Lan.local()
                } else {
                    self.decide_remote(Some(client.ip))
                }
            }
            _ => self.decide_remote(None),
        }
    }

    /// Decides about a remote client; without an address, no list can tell.
    fn decide_remote(&self, ip: Option<IpAddr>) -> Decision {
        let reason = match (&self.filter, ip) {
            _ if !self.remote => Reason::RemoteDisabled,
            (None, _) => Reason::Remote,
            (Some(_), None) => Reason::ClientUnknown,
            (Some(filter), Some(ip)) => match (filter.mode(), filter.subnets().contains(ip)) {
                (FilterMode::Allow, true) => Reason::AllowListed,
                (FilterMode::Allow, false) => Reason::NotAllowListed,
                (FilterMode::Block, true) => Reason::BlockListed,
                (FilterMode::Block, false) => Reason::Remote,
            },
        };
        reason.remote()
    }
}
