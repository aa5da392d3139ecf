//! The device's HTTP API, as small as it can be.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::Shared;

pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(answer(Arc::clone(&shared), stream));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(shared: Arc<Shared>, mut stream: TcpStream) -> io::Result<()> {
    let local = stream.local_addr()?;
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") && request.len() < 8192 {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        request.extend(buffer.get(..length).unwrap_or_default());
    }
    let line = String::from_utf8_lossy(request.split(|b| *b == b'\r').next().unwrap_or_default());
    let path = line.split(' ').nth(1).unwrap_or_default();
    let body = match path {
        "/discover.json" => Some(discover(&shared, local)),
        "/lineup.json" => Some(lineup(&shared, local)),
        _ => None,
    };
    let (status, body) = match body {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

fn discover(shared: &Shared, local: SocketAddr) -> String {
    let state = shared.lock();
    let config = &state.config;
    let (id, model, tuners) = (config.id, &config.model, config.tuners);
    format!(
        "{{\"FriendlyName\":\"simulated HDHomeRun\",\"ModelNumber\":\"{model}\",\
         \"FirmwareName\":\"hdhomerun3_atsc\",\"FirmwareVersion\":\"20250506\",\
         \"DeviceID\":\"{id}\",\"DeviceAuth\":\"c2ltdWxhdG9yc2VjcmV0c2lt\",\
         \"BaseURL\":\"http://{local}\",\"LineupURL\":\"http://{local}/lineup.json\",\
         \"TunerCount\":{tuners}}}"
    )
}

fn lineup(shared: &Shared, local: SocketAddr) -> String {
    let state = shared.lock();
    let host = SocketAddr::new(local.ip(), state.stream_port);
    let mut out = String::from("[");
    let programs = state.config.channels.iter().flat_map(|c| &c.programs);
    for (n, (_, channel, name)) in programs.enumerate() {
        let separator = if n == 0 { "" } else { "," };
        let _ = write!(
            out,
            "{separator}{{\"GuideNumber\":\"{channel}\",\"GuideName\":\"{name}\",\
             \"VideoCodec\":\"MPEG2\",\"AudioCodec\":\"AC3\",\"HD\":1,\
             \"URL\":\"http://{host}/auto/v{channel}\"}}"
        );
    }
    out.push(']');
    out
}
