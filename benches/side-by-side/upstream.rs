//! The nginx behind all fronts, and the WebSocket echo behind that.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use crate::process::Process;
use crate::site::{Site, free_port};

/// The payload of a message, and with its header in either direction (RFC 6455 § 5.2).
pub(crate) const MESSAGE: usize = 120;
pub(crate) const ASKED: usize = 2 + 4 + MESSAGE;
pub(crate) const ECHOED: usize = 2 + MESSAGE;

/// RFC 6455 § 1.3 has this answer to its example of a key.
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) port: u16,
    _nginx: Process,
}

impl Upstream {
    /// Starts both on the core of the load.
    pub(crate) fn start(site: &Site) -> Result<Self, String> {
        let echo = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let echo_port = echo.local_addr().map_err(|error| error.to_string())?.port();
        thread::spawn(move || {
            for stream in echo.incoming().flatten() {
                thread::spawn(move || answer(stream));
            }
        });
        let port = free_port();
        let file = site.directory().join("upstream.conf");
        fs::write(&file, config(site, port, echo_port)).map_err(|error| error.to_string())?;
        let said = site.directory().join("upstream.log");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(site.directory()).arg("-c").arg(&file).arg("-e").arg(&said);
        let mut nginx = Process::start(&mut command, &said)?;
        nginx.wait_for(&[port], 1, &said)?;
        Ok(Self { port, _nginx: nginx })
    }
}

fn config(site: &Site, port: u16, echo: u16) -> String {
    let directory = site.directory().display();
    format!(
        "daemon off; user root; worker_processes 1; pid upstream.pid;
events {{ worker_connections 16384; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; default_type application/octet-stream;
  keepalive_timeout 600s; keepalive_requests 1000000000;
  open_file_cache max=16 inactive=1h; open_file_cache_valid 1h;
  client_body_temp_path {directory}/u1; proxy_temp_path {directory}/u2;
  fastcgi_temp_path {directory}/u3; uwsgi_temp_path {directory}/u4; scgi_temp_path {directory}/u5;
  server {{
    listen 127.0.0.1:{port} backlog=4096; root {directory}/www;
    location = /System/Info/Public {{
      default_type application/json;
      return 200 '{{\"ServerName\":\"bench\",\"Version\":\"10.11.0\",\"Id\":\"{id}\"}}';
    }}
    location ~ /socket$ {{
      proxy_pass http://127.0.0.1:{echo}; proxy_http_version 1.1; proxy_read_timeout 600s;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
  }}
}}
",
        id = "7".repeat(32),
    )
}

/// Answers the handshake, then gives each message back, without the client's mask.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    stream.write_all(SWITCH)?;
    let mut asked = [0; ASKED];
    let mut echo = [0; ECHOED];
    loop {
        stream.read_exact(&mut asked)?;
        let [first, second, m0, m1, m2, m3, payload @ ..] = &asked;
        let masks = [m0, m1, m2, m3].into_iter().cycle();
        let plain = payload.iter().zip(masks).map(|(byte, mask)| byte ^ mask);
        let bytes = [*first, second & 0x7f].into_iter().chain(plain);
        echo.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        stream.write_all(&echo)?;
    }
}
