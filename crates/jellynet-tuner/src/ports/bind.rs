//! The sockets themselves.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use super::error::PortError;
use super::policy::BindAt;
use super::rcvbuf::{Granted, RxOptions, grant};

/// The local address for a lease; port 0, but an IPv6 scope where one is needed.
pub(super) fn local_address(at: BindAt) -> Result<SocketAddr, PortError> {
    match at {
        BindAt::Exact(ip) => Ok(SocketAddr::new(ip, 0)),
        BindAt::AnyV4 => Ok(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)),
        BindAt::AnyV6 => Ok(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)),
        BindAt::Towards(device) => {
            let any: IpAddr = match device {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            // Connecting a UDP socket sends nothing: the kernel only looks up the route.
            let probe = UdpSocket::bind((any, 0));
            let local = probe.and_then(|probe| {
                probe.connect(device)?;
                probe.local_addr()
            });
            local.map_err(|source| PortError::NoRoute { device, source })
        }
    }
}

pub(super) const fn with_port(mut at: SocketAddr, port: u16) -> SocketAddr {
    at.set_port(port);
    at
}

pub(super) fn bind(at: SocketAddr, rx: RxOptions) -> Result<(UdpSocket, Granted), PortError> {
    let os = |operation: &'static str| move |source| PortError::Os { operation, at, source };
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))
        .map_err(os("open a socket"))?;
    if at.is_ipv6() {
        // A dual socket would collide with every IPv4 socket on the same port.
        socket.set_only_v6(true).map_err(os("restrict to IPv6"))?;
    }
    socket.bind(&at.into()).map_err(|source| {
        if source.kind() == io::ErrorKind::AddrNotAvailable {
            PortError::NotLocal { at: at.ip(), source }
        } else {
            os("bind")(source)
        }
    })?;
    let granted = grant(&socket, rx).map_err(os("size the receive buffer"))?;
    socket.set_nonblocking(true).map_err(os("stop blocking"))?;
    Ok((socket.into(), granted))
}
