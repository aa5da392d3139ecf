//! New connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use crate::config::UpstreamConfig;
use crate::conn::Io;
use crate::error::ForwardError;
use crate::url::Target;

/// After this silence the kernel asks whether the other end of a connection is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Connects; a name is resolved anew each time, and each of its addresses is tried in order.
pub(crate) async fn connect(config: &UpstreamConfig) -> Result<Io, ForwardError> {
    match config.url.target() {
        Target::Ip(ip, port) => tcp(SocketAddr::new(*ip, *port), config).await,
        Target::Name(name, port) => {
            let resolve = |source| ForwardError::Resolve { name: name.to_string(), source };
            let lookup = lookup_host((&**name, *port));
            let addresses = match timeout(config.connect_timeout, lookup).await {
                Ok(addresses) => addresses.map_err(resolve)?,
                Err(_) => return Err(resolve(io::ErrorKind::TimedOut.into())),
            };
            let mut last = resolve(io::ErrorKind::NotFound.into());
            for address in addresses {
                match tcp(address, config).await {
                    Ok(io) => return Ok(io),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
        Target::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Io::Unix(stream)),
            Err(source) => {
                Err(ForwardError::Connect { address: path.display().to_string(), source })
            }
        },
    }
}

async fn tcp(address: SocketAddr, config: &UpstreamConfig) -> Result<Io, ForwardError> {
    match timeout(config.connect_timeout, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            // Neither is needed for right answers; a kernel that refuses them is served too.
            let _ = stream.set_nodelay(true);
            let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
            let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
            Ok(Io::Tcp(stream))
        }
        Ok(Err(source)) => Err(ForwardError::Connect { address: address.to_string(), source }),
        Err(_) => Err(ForwardError::ConnectTimeout { address, after: config.connect_timeout }),
    }
}
