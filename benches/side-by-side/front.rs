//! The four fronts and how each is told to do the same.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::process::Process;
use crate::site::{Site, free_port};
use crate::upstream::Upstream;

/// A front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Jellynet,
    Nginx,
    Haproxy,
    Caddy,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Jellynet => "jellynet",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
        })
    }
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Jellynet, Self::Nginx, Self::Haproxy, Self::Caddy];

    fn program(self) -> PathBuf {
        match self {
            Self::Jellynet => std::env::var_os("JELLYNET_BINARY").map_or_else(
                || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/jellynet"),
                Into::into,
            ),
            other => other.to_string().into(),
        }
    }

    /// Its version, or why it cannot be had.
    pub(crate) fn find(self) -> Result<String, String> {
        let ask = match self {
            Self::Jellynet => "--version",
            Self::Nginx | Self::Haproxy => "-v",
            Self::Caddy => "version",
        };
        let program = self.program();
        let output = Command::new(&program).arg(ask).output().map_err(|error| match self {
            Self::Jellynet => format!(
                "{} ({error}): cargo build --release -p jellynet-server, or name another in \
                 JELLYNET_BINARY",
                program.display()
            ),
            _ => format!("{error}: install it"),
        })?;
        let said = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned())
    }
}

/// A front that runs.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) kind: Kind,
    pub(crate) process: Process,
    pub(crate) http: u16,
    pub(crate) https: u16,
}

impl Front {
    pub(crate) fn start(kind: Kind, site: &Site, upstream: &Upstream) -> Result<Self, String> {
        let (http, https) = (free_port(), free_port());
        let plan = Plan { site, http, https, upstream: upstream.port };
        let file = site.directory().join(format!("{kind}.conf"));
        let text = match kind {
            Kind::Jellynet => plan.jellynet(),
            Kind::Nginx => plan.nginx(),
            Kind::Haproxy => plan.haproxy(),
            Kind::Caddy => plan.caddy(),
        };
        fs::write(&file, text).map_err(|error| error.to_string())?;
        let said = site.directory().join(format!("{kind}.log"));
        let mut command = Command::new(kind.program());
        match kind {
            // Every variable that begins with its name is a setting of it, this benchmark's too.
            Kind::Jellynet => command.env_clear().arg("run").arg("--config").arg(&file),
            Kind::Nginx => {
                command.arg("-p").arg(site.directory()).arg("-c").arg(&file).arg("-e").arg(&said)
            }
            Kind::Haproxy => command.arg("-db").arg("-f").arg(&file),
            Kind::Caddy => {
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
                command.env("GOMAXPROCS", "1").env("HOME", site.directory())
            }
        };
        let mut process = Process::front(&mut command, &said)?;
        process.wait_for(&[http, https], usize::from(kind == Kind::Nginx), &said)?;
        Ok(Self { kind, process, http, https })
    }
}

/// What a configuration says.
struct Plan<'a> {
    site: &'a Site,
    http: u16,
    https: u16,
    upstream: u16,
}

impl Plan<'_> {
    /// Everything on: forwarded, access, base URL, metrics.
    fn jellynet(&self) -> String {
        let Self { http, https, upstream, .. } = self;
        let path = |name| self.site.path(name);
        format!(
            "[server]\ndata_dir = \"{}\"
[http]\nlisten = [\"127.0.0.1:{http}\"]\nidle_timeout = \"10m\"
[https]\nlisten = [\"127.0.0.1:{https}\"]
[[identity]]\ncertificate = \"{}\"\nkey = \"{}\"
[[upstream]]\nurl = \"http://127.0.0.1:{upstream}\"
[base_url]\npath = \"/media\"
[proxies]\nknown = [\"127.0.0.1\"]
[access]\nremote_filter = [\"198.51.100.0/24\"]\nremote_filter_mode = \"block\"
[admin]\nlisten = [\"127.0.0.1:{}\"]
[discovery]\nenabled = false\n",
            path("data"),
            path("cert.pem"),
            path("key.pem"),
            free_port(),
        )
    }

    /// As the guide has it: no buffering, kept connections to the upstream.
    fn nginx(&self) -> String {
        let Self { http, https, upstream, .. } = self;
        let directory = self.site.directory().display();
        format!(
            "daemon off; user root; worker_processes 1; pid nginx.pid;
events {{ worker_connections 32768; }}
http {{
  access_log off; tcp_nodelay on; keepalive_timeout 600s; keepalive_requests 1000000000;
  client_body_temp_path {directory}/n1; proxy_temp_path {directory}/n2;
  fastcgi_temp_path {directory}/n3; uwsgi_temp_path {directory}/n4; scgi_temp_path {directory}/n5;
  map $http_upgrade $kept {{ default upgrade; '' ''; }}
  upstream media {{
    server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{http} backlog=4096;
    listen 127.0.0.1:{https} ssl backlog=4096;
    ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      proxy_pass http://media; proxy_http_version 1.1; proxy_buffering off;
      proxy_read_timeout 600s;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $kept;
      proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
    }}
  }}
}}
"
        )
    }

    fn haproxy(&self) -> String {
        let Self { http, https, upstream, .. } = self;
        let both = self.site.path("both.pem");
        format!(
            "global
  nbthread 1
  maxconn 14000
  no strict-limits
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  option forwardfor
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  timeout tunnel 600s
frontend media
  bind 127.0.0.1:{http} backlog 4096
  bind 127.0.0.1:{https} ssl crt {both} alpn http/1.1 backlog 4096
  default_backend upstream
backend upstream
  server media 127.0.0.1:{upstream}
"
        )
    }

    fn caddy(&self) -> String {
        let Self { http, https, upstream, .. } = self;
        let (certificate, key) = (self.site.path("cert.pem"), self.site.path("key.pem"));
        format!(
            "{{
  admin off
  auto_https off
  default_bind 127.0.0.1
  servers {{
    protocols h1 h2
  }}
}}
http://:{http} {{
  reverse_proxy 127.0.0.1:{upstream}
}}
https://:{https} {{
  tls {certificate} {key}
  reverse_proxy 127.0.0.1:{upstream}
}}
"
        )
    }
}
