//! The few netlink messages that describe interfaces (RFC 3549), without a socket.
//!
//! Attributes that are not needed are walked over, so that a newer kernel's never hide an
//! interface; a message that is cut short is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::interface::{Interface, InterfaceAddr, InterfaceFlags, InterfaceTable};

// linux/netlink.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x001;
const NLM_F_DUMP_INTR: u16 = 0x010;
const NLM_F_DUMP: u16 = 0x300;
const HEADER: usize = 16;
const TYPE_MASK: u16 = 0x3fff;

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTEXT_FILTER_SKIP_STATS: u32 = 8;

// linux/if_link.h
const IFINFOMSG: usize = 16;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_INFO_KIND: u16 = 1;

// linux/if.h
const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_POINTOPOINT: u32 = 0x10;
const IFF_RUNNING: u32 = 0x40;
const IFF_MULTICAST: u32 = 0x1000;

// linux/if_addr.h
const IFADDRMSG: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_OPTIMISTIC: u32 = 0x04;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;

/// Software kinds that are hardware in another form.
const HARDWARE_KINDS: [&[u8]; 8] =
    [b"vlan", b"bond", b"team", b"dsa", b"hsr", b"ipoib", b"wwan", b"rmnet"];

/// The request for all links.
pub(super) fn links_request(sequence: u32) -> Vec<u8> {
    let mut body = vec![0; IFINFOMSG];
    // The counters are most of the answer, and nobody reads them.
    body.extend_from_slice(&8u16.to_ne_bytes());
    body.extend_from_slice(&IFLA_EXT_MASK.to_ne_bytes());
    body.extend_from_slice(&RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    request(RTM_GETLINK, sequence, &body)
}

/// The request for all addresses.
pub(super) fn addresses_request(sequence: u32) -> Vec<u8> {
    request(RTM_GETADDR, sequence, &[0; IFADDRMSG])
}

fn request(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]); // to the kernel
    bytes.extend_from_slice(body);
    bytes
}

/// What is known so far of a dump.
#[derive(Debug, Default)]
pub(super) struct Dump {
    interfaces: Vec<Interface>,
    /// The bridges that a piece of hardware is a port of, by index.
    bridged: Vec<u32>,
    /// The kernel's tables changed while it was reading them out.
    pub(super) interrupted: bool,
}

/// Where a dump stands after some messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More messages follow.
    More,
    /// This was the last.
    Done,
    /// The kernel refused with this error number.
    Refused(i32),
}

impl Dump {
    /// Takes in what one read gave; messages that answer another request are left out.
    pub(super) fn take(&mut self, sequence: u32, mut bytes: &[u8]) -> Progress {
        while let Some((message, rest)) = Message::split(bytes) {
            bytes = rest;
            if message.sequence != sequence {
                continue;
            }
            self.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.kind {
                NLMSG_DONE => return Progress::Done,
                NLMSG_ERROR => {
                    let code = i32::from_ne_bytes(array(message.body, 0).unwrap_or_default());
                    return Progress::Refused(code.saturating_neg());
                }
                RTM_NEWLINK => self.add_link(message.body),
                RTM_NEWADDR => self.add_address(message.body),
                _ => {}
            }
        }
        Progress::More
    }

    fn add_link(&mut self, body: &[u8]) {
        let Some((interface, master)) = link(body) else { return };
        if !interface.flags.r#virtual {
            self.bridged.extend(master);
        }
        self.interfaces.push(interface);
    }

    fn add_address(&mut self, body: &[u8]) {
        // An address without its interface came between the two dumps; an event will follow.
        if let Some((index, address)) = address(body)
            && let Some(interface) = self.interfaces.iter_mut().find(|i| i.index == index)
        {
            interface.addresses.push(address);
        }
    }

    /// The table, when everything was taken in.
    pub(super) fn finish(mut self) -> InterfaceTable {
        for interface in &mut self.interfaces {
            // A bridge with a network card in it is that card's network: a hypervisor's, a NAS's.
            interface.flags.r#virtual &= !self.bridged.contains(&interface.index);
        }
        InterfaceTable::new(self.interfaces)
    }
}

/// One message: `struct nlmsghdr` and what follows it.
struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let message = Self {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            body: bytes.get(HEADER..length)?,
        };
        let next = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((message, next))
    }
}

/// The attributes in `bytes`: type without its flag bits, and value.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// `struct ifinfomsg` and its attributes: the interface, and the bridge that it is a port of.
fn link(body: &[u8]) -> Option<(Interface, Option<u32>)> {
    let index = u32_at(body, 4)?;
    let bits = u32_at(body, 8)?;
    let mut name = None;
    let mut kind = None;
    let mut master = None;
    for (attribute, value) in attributes(body.get(IFINFOMSG..)?) {
        match attribute {
            IFLA_IFNAME => name = Some(String::from_utf8_lossy(text(value)).into_owned()),
            IFLA_MASTER => master = u32_at(value, 0),
            IFLA_LINKINFO => {
                kind = attributes(value)
                    .find(|(attribute, _)| *attribute == IFLA_INFO_KIND)
                    .map(|(_, kind)| text(kind));
            }
            _ => {}
        }
    }
    let flags = InterfaceFlags {
        up: bits & IFF_UP != 0 && bits & IFF_RUNNING != 0,
        loopback: bits & IFF_LOOPBACK != 0,
        multicast: bits & IFF_MULTICAST != 0,
        point_to_point: bits & IFF_POINTOPOINT != 0,
        r#virtual: kind.is_some_and(|kind| !HARDWARE_KINDS.contains(&kind)),
    };
    Some((Interface::new(name?, index).with_flags(flags), master))
}

/// `struct ifaddrmsg` and its attributes: the interface's index and the address.
fn address(body: &[u8]) -> Option<(u32, InterfaceAddr)> {
    let prefix = *body.get(1)?;
    // The header has room for eight flags only; `IFA_FLAGS` has them all.
    let mut flags = u32::from(*body.get(2)?);
    let index = u32_at(body, 4)?;
    let (mut local, mut address) = (None, None);
    for (attribute, value) in attributes(body.get(IFADDRMSG..)?) {
        match attribute {
            // On a link with two ends this is the other end, and the local one has its own.
            IFA_ADDRESS => address = ip(value),
            IFA_LOCAL => local = ip(value),
            IFA_FLAGS => flags = u32_at(value, 0)?,
            _ => {}
        }
    }
    let ip = local.or(address)?;
    let net = IpNet::new(ip, prefix).ok()?;
    // The bit that means temporary on IPv6 means secondary on IPv4.
    let temporary = ip.is_ipv6() && flags & IFA_F_TEMPORARY != 0;
    let tentative = flags & IFA_F_TENTATIVE != 0 && flags & IFA_F_OPTIMISTIC == 0;
    let address = InterfaceAddr::new(net)
        .with_tentative(tentative)
        .with_temporary(temporary || flags & IFA_F_DEPRECATED != 0);
    Some((index, address))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(array::<4>(value, 0)?).into()),
        16 => Some(Ipv6Addr::from(array::<16>(value, 0)?).into()),
        _ => None,
    }
}

/// A C string without what follows its end.
fn text(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = request(kind, 7, body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link_message(index: u32, bits: u32, name: &str, kind: Option<&str>) -> Vec<u8> {
        let mut body = vec![0; 4];
        body.extend_from_slice(&index.to_ne_bytes());
        body.extend_from_slice(&bits.to_ne_bytes());
        body.extend_from_slice(&[0; 4]);
        body.extend(attribute(4, &[0xdc, 5, 0, 0])); // an MTU, walked over
        body.extend(attribute(IFLA_IFNAME, format!("{name}\0").as_bytes()));
        if let Some(kind) = kind {
            let info = attribute(IFLA_INFO_KIND, format!("{kind}\0").as_bytes());
            body.extend(attribute(IFLA_LINKINFO | 0x8000, &info));
        }
        message(RTM_NEWLINK, &body)
    }

    fn address_message(index: u32, prefix: u8, header_flags: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![2, prefix, header_flags, 0];
        body.extend_from_slice(&index.to_ne_bytes());
        body.extend(parts.concat());
        message(RTM_NEWADDR, &body)
    }

    fn read(messages: &[Vec<u8>]) -> InterfaceTable {
        let mut dump = Dump::default();
        for bytes in messages {
            assert_eq!(dump.take(7, bytes), Progress::More);
        }
        dump.finish()
    }

    fn port_message(index: u32, name: &str, kind: Option<&str>, bridge: u32) -> Vec<u8> {
        let mut bytes = link_message(index, IFF_UP | IFF_RUNNING, name, kind);
        bytes.extend(attribute(IFLA_MASTER, &bridge.to_ne_bytes()));
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_bridge_with_a_network_card_in_it_is_no_software_network() {
        let table = read(&[
            link_message(2, IFF_UP | IFF_RUNNING, "br0", Some("bridge")),
            link_message(3, IFF_UP | IFF_RUNNING, "docker0", Some("bridge")),
            port_message(4, "enp1s0", None, 2),
            port_message(5, "veth1", Some("veth"), 3),
        ]);
        let is_virtual = |name: &str| table.by_name(name).unwrap().flags.r#virtual;
        assert!(!is_virtual("br0") && is_virtual("docker0") && is_virtual("veth1"));
    }

    #[test]
    fn flags_and_kinds_follow_the_table() {
        let up = IFF_UP | IFF_RUNNING;
        for (bits, kind, expected_up, expected_virtual, why) in [
            (up, None, true, false, "hardware"),
            (up, Some("vlan"), true, false, "hardware in another form"),
            (up, Some("veth"), true, true, "a container's"),
            (up, Some("wireguard"), true, true, "a VPN"),
            (IFF_UP, None, false, false, "the cable is out"),
            (IFF_RUNNING, None, false, false, "switched off"),
        ] {
            let table = read(&[link_message(5, bits | IFF_MULTICAST, "eth0", kind)]);
            let flags = table.by_name("eth0").unwrap().flags;
            assert!(flags.multicast && !flags.loopback, "{why}");
            assert_eq!((flags.up, flags.r#virtual), (expected_up, expected_virtual), "{why}");
        }
    }

    #[test]
    fn the_long_flags_win_and_the_local_end_is_ours() {
        let six: Ipv6Addr = "fd77::5".parse().unwrap();
        let address = |flags: u32| {
            let table = read(&[
                link_message(5, IFF_UP, "eth0", None),
                address_message(
                    5,
                    64,
                    0,
                    &[
                        attribute(IFA_ADDRESS, &six.octets()),
                        attribute(IFA_FLAGS, &flags.to_ne_bytes()),
                    ],
                ),
            ]);
            table.by_name("eth0").unwrap().addresses[0]
        };
        assert!(address(IFA_F_TENTATIVE | 0x800).tentative);
        assert!(!address(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC).tentative);
        assert!(address(IFA_F_TEMPORARY).temporary);
        assert!(address(IFA_F_DEPRECATED).temporary);

        let table = read(&[
            link_message(5, IFF_UP, "ppp0", None),
            address_message(
                5,
                32,
                1, // secondary, which is not temporary on IPv4
                &[attribute(IFA_ADDRESS, &[10, 0, 0, 2]), attribute(IFA_LOCAL, &[10, 0, 0, 1])],
            ),
        ]);
        let address = table.by_name("ppp0").unwrap().addresses[0];
        assert_eq!(address.net.to_string(), "10.0.0.1/32");
        assert!(!address.temporary);
    }

    #[test]
    fn a_refusal_and_a_foreign_answer_are_told_apart() {
        let mut dump = Dump::default();
        let refused = message(NLMSG_ERROR, &(-1i32).to_ne_bytes());
        assert_eq!(dump.take(8, &refused), Progress::More);
        assert_eq!(dump.take(7, &refused), Progress::Refused(1));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let mut dump = Dump::default();
            dump.take(7, &bytes);
            let mut framed = message(RTM_NEWLINK, &bytes);
            framed.extend(message(RTM_NEWADDR, &bytes));
            dump.take(7, &framed);
            dump.finish();
        }
    }
}
