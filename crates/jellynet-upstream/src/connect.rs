//! New connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use crate::config::UpstreamConfig;
use crate::conn::Io;
use crate::error::ForwardError;
use crate::tls::{UpstreamTls, fault};
use crate::url::Target;

/// After this silence the kernel asks whether the other end of a connection is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Connects; a name is resolved anew each time, and each of its addresses is tried in order.
pub(crate) async fn connect(config: &UpstreamConfig) -> Result<Io, ForwardError> {
    match config.url.target() {
        Target::Ip(ip, port) => inet(SocketAddr::new(*ip, *port), config).await,
        Target::Name(name, port) => {
            let resolve = |source| ForwardError::Resolve { name: name.to_string(), source };
            let lookup = lookup_host((&**name, *port));
            let addresses = match timeout(config.connect_timeout, lookup).await {
                Ok(addresses) => addresses.map_err(resolve)?,
                Err(_) => return Err(resolve(io::ErrorKind::TimedOut.into())),
            };
            let mut last = resolve(io::ErrorKind::NotFound.into());
            for address in addresses {
                match inet(address, config).await {
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

/// Connects by TCP, and by TLS on it where the URL says so; each has its own time.
async fn inet(address: SocketAddr, config: &UpstreamConfig) -> Result<Io, ForwardError> {
    let stream = tcp(address, config).await?;
    if !config.url.is_https() {
        return Ok(Io::Tcp(stream));
    }
    let broken = |source| ForwardError::Tls { address: address.to_string(), source };
    let Some(tls) = &config.tls else {
        let why = "it was not configured which certificates are believed";
        return Err(broken(io::Error::other(why)));
    };
    let name = server_name(tls, config).map_err(broken)?;
    let handshake = tls.connector().connect(name.clone(), stream);
    match timeout(config.connect_timeout, handshake).await {
        Ok(Ok(stream)) => Ok(Io::Tls(Box::new(stream))),
        Ok(Err(error)) => Err(blame(error, &name, broken)),
        Err(_) => Err(ForwardError::ConnectTimeout { address, after: config.connect_timeout }),
    }
}

/// The name in the upstream's certificate: that of its URL, unless another is expected.
fn server_name(tls: &UpstreamTls, config: &UpstreamConfig) -> io::Result<ServerName<'static>> {
    if let Some(name) = tls.name() {
        return Ok(name.clone());
    }
    match config.url.target() {
        Target::Ip(ip, _) => Ok(ServerName::IpAddress((*ip).into())),
        Target::Name(name, _) => ServerName::try_from(name.to_string()).map_err(io::Error::other),
        Target::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Tells a certificate that is not believed from a handshake that failed.
fn blame(
    error: io::Error,
    name: &ServerName<'_>,
    broken: impl FnOnce(io::Error) -> ForwardError,
) -> ForwardError {
    let tls = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    match tls.and_then(|tls| Some((fault(tls)?, tls.clone()))) {
        Some((what, source)) => {
            ForwardError::Certificate { name: name.to_str().into_owned(), what, source }
        }
        None => broken(error),
    }
}

async fn tcp(address: SocketAddr, config: &UpstreamConfig) -> Result<TcpStream, ForwardError> {
    match timeout(config.connect_timeout, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => {
            // Neither is needed for right answers; a kernel that refuses them is served too.
            let _ = stream.set_nodelay(true);
            let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
            let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
            Ok(stream)
        }
        Ok(Err(source)) => Err(ForwardError::Connect { address: address.to_string(), source }),
        Err(_) => Err(ForwardError::ConnectTimeout { address, after: config.connect_timeout }),
    }
}
