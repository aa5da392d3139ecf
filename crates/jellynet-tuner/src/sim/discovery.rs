//! Answers who is asked for.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Shared;
use crate::wire::{DiscoverRequest, Frame};

const GROUPS: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 0x176),
    Ipv6Addr::new(0xFF05, 0, 0, 0, 0, 0, 0, 0x176),
];

pub(super) fn bind(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    UdpSocket::from_std(socket.into())
}

/// Joins the groups of tuners on the interface with this index; IPv6 only.
pub(super) fn join(socket: &UdpSocket, index: u32) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        return Ok(());
    }
    GROUPS.iter().try_for_each(|group| socket.join_multicast_v6(group, index))
}

pub(super) async fn answer(shared: Arc<Shared>, socket: UdpSocket) {
    let mut buffer = [0; 2048];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let request = Frame::decode(buffer.get(..length).unwrap_or_default());
        let Ok(request) = request.and_then(|frame| DiscoverRequest::decode(&frame)) else {
            continue;
        };
        let Some((packet, elsewhere)) = reply(&shared, &request, from) else {
            continue;
        };
        if elsewhere {
            if let Ok(other) = UdpSocket::bind((local_towards(from), 0)).await {
                let _ = other.send_to(&packet, from).await;
            }
        } else {
            let _ = socket.send_to(&packet, from).await;
        }
    }
}

/// The packet, and whether it goes out by another port.
fn reply(
    shared: &Shared,
    request: &DiscoverRequest,
    from: SocketAddr,
) -> Option<(bytes::Bytes, bool)> {
    let mut state = shared.lock();
    if state.config.faults.silent {
        return None;
    }
    let reply = state.discover(request, local_towards(from))?;
    state.stats.discoveries += 1;
    let elsewhere = state.config.faults.wrong_reply_port;
    Some((reply.encode().ok()?, elsewhere))
}

/// The address of this host from which `peer` is reached.
fn local_towards(peer: SocketAddr) -> IpAddr {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let local = std::net::UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(peer)?;
        socket.local_addr()
    });
    local.map_or(any, |local| local.ip())
}
