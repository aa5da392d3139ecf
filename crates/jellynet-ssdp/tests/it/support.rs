//! One media server, and what it puts on the wire.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jellynet_netif::Interface;
use jellynet_ssdp::message::{Details, Message, NotifyKind};
use jellynet_ssdp::{Advertiser, AdvertiserConfig, Device, RootDevice, Uuid};
use jellynet_test::wire::{Network, Packet};

pub(crate) const UUID: Uuid = Uuid::from_bytes([
    0x2f, 0xac, 0x12, 0x34, 0x31, 0xf8, 0x11, 0xb4, 0xa2, 0x22, 0x08, 0x00, 0x2b, 0x34, 0xc0, 0x03,
]);
pub(crate) const USN: &str = "uuid:2fac1234-31f8-11b4-a222-08002b34c003";
pub(crate) const MEDIA_SERVER: &str = "urn:schemas-upnp-org:device:MediaServer:1";
/// The first boot id of [`config`].
pub(crate) const BOOT: u32 = 1000;
/// How many messages make up the set of a media server.
pub(crate) const SET: usize = 5;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn config() -> AdvertiserConfig {
    AdvertiserConfig::new("Linux/6.1 UPnP/1.1 test/1.0", BOOT, 7)
}

pub(crate) fn location(_: &Interface, address: IpAddr) -> Option<String> {
    Some(match address {
        IpAddr::V4(v4) => format!("http://{v4}:8096/dlna/description.xml"),
        IpAddr::V6(v6) => format!("http://[{v6}]:8096/dlna/description.xml"),
    })
}

pub(crate) fn media_server() -> RootDevice {
    RootDevice::new(Device::media_server(UUID), location)
}

pub(crate) fn advertiser() -> Advertiser {
    Advertiser::new(config(), vec![media_server()]).unwrap()
}

/// `eth<n>` with the index `n` + 2 and 10.77.`n`.1/24.
pub(crate) fn eth(n: u8) -> Interface {
    Interface::new(format!("eth{n}"), u32::from(n) + 2)
        .with_address(format!("10.77.{n}.1/24").parse().unwrap())
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn group() -> SocketAddr {
    address("239.255.255.250:1900")
}

/// A search as most clients write it.
pub(crate) fn search(target: &str, mx: u32) -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\
         MX: {mx}\r\nST: {target}\r\n\r\n"
    )
}

/// A search of one device alone.
pub(crate) fn unicast_search(target: &str) -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: 10.77.1.1:1900\r\nMAN: \"ssdp:discover\"\r\nST: {target}\r\n\r\n"
    )
}

/// An announcement on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) at: Duration,
    pub(crate) from: IpAddr,
    pub(crate) to: SocketAddr,
    pub(crate) kind: NotifyKind,
    pub(crate) nt: String,
    pub(crate) usn: String,
    pub(crate) location: Option<String>,
    pub(crate) boot: Option<u32>,
    pub(crate) next_boot: Option<u32>,
}

/// Every announcement that was sent, in order.
pub(crate) fn said(network: &Network) -> Vec<Said> {
    network.packets().iter().filter_map(announcement).collect()
}

fn announcement(packet: &Packet) -> Option<Said> {
    let Ok(Message::Notify(notify)) = Message::parse(&packet.payload) else {
        return None;
    };
    Some(Said {
        at: packet.at,
        from: packet.source.ip(),
        to: packet.destination,
        kind: notify.kind,
        nt: notify.target.to_string(),
        usn: notify.usn.to_string(),
        location: notify.details.location.map(|l| l.to_string()),
        boot: notify.details.boot_id,
        next_boot: notify.details.next_boot_id,
    })
}

/// The answers that were sent to `to`: `ST`, `USN` and the rest, with the time.
pub(crate) fn answers(
    network: &Network,
    to: SocketAddr,
) -> Vec<(Duration, String, String, String)> {
    network
        .sent_to(to)
        .into_iter()
        .map(|packet| match Message::parse(&packet.payload) {
            Ok(Message::Response(r)) => {
                let location = location_of(&r.details);
                (packet.at, r.target.to_string(), r.usn.to_string(), location)
            }
            other => panic!("no answer: {other:?}"),
        })
        .collect()
}

fn location_of(details: &Details<'_>) -> String {
    details.location.map(|l| l.to_string()).unwrap_or_default()
}

/// The kinds in order, each run of equal ones once: `[ByeBye, Alive]`.
pub(crate) fn kinds<'a>(said: impl IntoIterator<Item = &'a Said>) -> Vec<NotifyKind> {
    let mut kinds: Vec<_> = said.into_iter().map(|s| s.kind).collect();
    kinds.dedup();
    kinds
}
