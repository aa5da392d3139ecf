//! `jellynet healthcheck`: asks the running server, at the place that the configuration names.

use std::time::Duration;

use jellynet_gateway::Config;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::cli::SettingsArgs;
use crate::failure::Failure;
use crate::sources;
use crate::verbs::runtime;

/// Longer than a server that is well takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// A peer on a Unix socket has no address: as the proxy that it is taken for, it names its client.
const OF_THIS_HOST: &str = "X-Forwarded-For: 127.0.0.1\r\n";

/// Docker knows 0 and 1 only, so that every failure is a plain one.
pub(super) fn run(args: &SettingsArgs) -> Result<(), Failure> {
    let config = sources::load(args).map_err(|failure| Failure::plain(failure.to_string()))?.config;
    runtime()?.block_on(async {
        let asked = timeout(PATIENCE, ask(&config)).await;
        asked.unwrap_or_else(|_| Err(Failure::plain(format!("no answer within {PATIENCE:?}"))))
    })
}

async fn ask(config: &Config) -> Result<(), Failure> {
    let place = config.health_place().ok_or_else(|| {
        Failure::plain("no listener can be asked: none is configured on an address")
    })?;
    let failed = |error| Failure::runtime(format!("cannot ask {place}"), error);
    let answer = match place.strip_prefix("unix:") {
        Some(path) => {
            let stream = UnixStream::connect(path).await.map_err(failed)?;
            exchange(stream, OF_THIS_HOST).await
        }
        None => exchange(TcpStream::connect(&place).await.map_err(failed)?, "").await,
    };
    let answer = answer.map_err(failed)?;
    let status = answer.split(' ').nth(1).unwrap_or("nothing");
    if status == "200" { Ok(()) } else { Err(Failure::plain(format!("{place} answers {status}"))) }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    header: &str,
) -> std::io::Result<String> {
    let request =
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = vec![0; 64];
    let length = stream.read(&mut head).await?;
    head.truncate(length);
    Ok(String::from_utf8_lossy(&head).into_owned())
}
