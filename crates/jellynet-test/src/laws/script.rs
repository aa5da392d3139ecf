//! What an engine is put through.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jellynet_netif::{Interface, InterfaceTable};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::hostile;

/// Somebody who sends datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) source: SocketAddr,
    pub(super) interface: u32,
    /// Whether it is on the link with the first of [`tables`].
    pub(super) near_at_first: bool,
}

impl Origin {
    /// Hosts of both links, and senders that can be on neither.
    pub(super) fn all() -> Vec<Self> {
        let first = &tables()[0];
        [
            ("10.77.1.20:7359", 2),
            ("10.77.1.21:50000", 2),
            ("10.77.2.20:40000", 3),
            ("[fd77:1::20]:40001", 2),
            ("[fe80::20%3]:40002", 3),
            ("192.0.2.9:40003", 2),
            ("[2001:db8::9]:40004", 3),
            ("10.77.1.22:0", 2),
            ("10.77.1.255:40006", 2),
            ("255.255.255.255:7359", 2),
            ("0.0.0.0:68", 2),
            ("10.77.2.23:40005", 2),
            ("10.77.1.24:40007", 9),
        ]
        .into_iter()
        .map(|(source, interface)| {
            let source: SocketAddr = source.parse().unwrap();
            Self { source, interface, near_at_first: first.is_on_link(interface, source) }
        })
        .collect()
    }
}

/// The interfaces that the host has, one table after the other.
pub(super) fn tables() -> [InterfaceTable; 4] {
    let interface = |name: &str, index, nets: &[&str]| {
        let nets = nets.iter().map(|net| net.parse().unwrap());
        nets.fold(Interface::new(name, index), Interface::with_address)
    };
    let lo = || Interface::loopback(1);
    let eth0 = interface("eth0", 2, &["10.77.1.1/24", "fd77:1::1/64", "fe80::1/64"]);
    let eth1 = interface("eth1", 3, &["fe80::2/64", "10.77.2.1/24"]);
    let moved = interface("eth1", 3, &["10.77.3.1/24"]);
    [
        InterfaceTable::new([lo(), eth0.clone(), eth1]),
        InterfaceTable::new([lo(), eth0.clone()]),
        InterfaceTable::new([lo()]),
        InterfaceTable::new([lo(), eth0, moved]),
    ]
}

pub(super) type Script = Vec<Action>;

/// One step of a script.
#[derive(Clone)]
pub(super) enum Action {
    Datagram {
        payload: Vec<u8>,
        origin: Origin,
        destination: IpAddr,
    },
    Wait(Duration),
    /// The host has the interfaces of this one of the [`tables`] now.
    Interfaces(usize),
}

impl Action {
    /// A datagram to the address that the host has at first where it comes in.
    pub(super) fn datagram(payload: &[u8], origin: &Origin) -> Self {
        Self::Datagram {
            payload: payload.to_vec(),
            origin: *origin,
            destination: own_address(origin).unwrap_or_else(|| origin.source.ip()),
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datagram { payload, origin, destination } => {
                let shown = payload.get(..80).unwrap_or(payload).escape_ascii();
                let (length, Origin { source, interface, .. }) = (payload.len(), origin);
                write!(f, "{source} to {destination} by {interface}: {length} bytes \"{shown}\"")
            }
            Self::Wait(time) => write!(f, "wait {time:?}"),
            Self::Interfaces(table) => write!(f, "interfaces {table}"),
        }
    }
}

/// Scripts of up to 40 actions, mostly datagrams.
pub(super) fn scripts(
    golden: Vec<Vec<u8>>,
    destinations: Vec<IpAddr>,
) -> impl Strategy<Value = Script> {
    let datagram = (hostile::datagram(golden), select(Origin::all()), any::<Index>()).prop_map(
        move |(payload, origin, which)| {
            let fitting = destinations
                .iter()
                .copied()
                .filter(|to| to.is_ipv4() == origin.source.is_ipv4())
                .chain(own_address(&origin));
            let fitting: Vec<_> = fitting.collect();
            let destination = fitting.get(which.index(fitting.len().max(1))).copied();
            Action::Datagram {
                payload,
                origin,
                destination: destination.unwrap_or_else(|| origin.source.ip()),
            }
        },
    );
    let wait = prop_oneof![0_u64..50, 50_u64..5_000, 5_000_u64..4_000_000];
    let action = prop_oneof![
        12 => datagram,
        3 => wait.prop_map(|ms| Action::Wait(Duration::from_millis(ms))),
        1 => (0..tables().len()).prop_map(Action::Interfaces),
    ];
    vec(action, 1..40)
}

fn own_address(origin: &Origin) -> Option<IpAddr> {
    let [first, ..] = tables();
    let interface = first.by_index(origin.interface)?;
    interface.address_towards(origin.source.ip())
}
