//! Authorities that speak ACME, on this machine.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jellynet_test::peer::{self, Process};
use jellynet_tls::{
    AcmeConfig, Challenge, Http01, IdentityStore, LocalAuthority, LocalCertificate, Output,
    Timestamp, TlsAcceptor, TlsOptions,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{folder, loader};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An authority on ports of its own, with a name server.
pub(crate) struct Authority {
    pub(crate) folder: PathBuf,
    ports: HashMap<&'static str, u16>,
    processes: Vec<Process>,
}

impl Authority {
    /// Pebble with its own name server; `None` if it is not installed.
    pub(crate) fn pebble(name: &str, more: &Value, environment: &[(&str, &str)]) -> Option<Self> {
        let mut authority = Self::prepare(name);
        authority.name_server()?;
        let dns = authority.address("dns");
        authority.start_pebble(dns, more, environment)?;
        Some(authority)
    }

    /// Pebble that asks another name server.
    pub(crate) fn pebble_with(name: &str, dns: SocketAddr) -> Option<Self> {
        let mut authority = Self::prepare(name);
        authority.start_pebble(dns, &json!({}), &[])?;
        Some(authority)
    }

    /// The authority in `tests/authority/server.py`, for what Debian's Pebble lacks, with Pebble's
    /// name server. `None` if one of them is missing.
    pub(crate) fn strict(name: &str, more: &Value) -> Option<Self> {
        let python = peer::find_python("cryptography")?;
        let mut authority = Self::prepare(name);
        authority.name_server()?;
        let config = authority.settings(more);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/authority/server.py");
        let mut command = python.command();
        command.arg(script).arg(config);
        authority.run(command, "directory");
        Some(authority)
    }

    fn prepare(name: &str) -> Self {
        let folder = folder(name);
        let ports = ports(["directory", "management", "http", "tls", "dns", "control"]);
        let now = Timestamp::now();
        let authority =
            LocalAuthority::open(&folder.join("authority.pem"), &[], &loader(), now).unwrap();
        fs::write(folder.join("root.pem"), authority.certificate_pem()).unwrap();
        let own =
            LocalCertificate::new(["localhost"]).make(Some(&authority), &loader(), now).unwrap();
        for (file, output) in [("cert.pem", Output::PemCertificates), ("key.pem", Output::PemKey)] {
            fs::write(folder.join(file), &*own.export(output, loader().provider()).unwrap())
                .unwrap();
        }
        Self { folder, ports, processes: Vec::new() }
    }

    fn settings(&self, more: &Value) -> PathBuf {
        let at = |port: &str| self.address(port).to_string();
        let mut config = json!({
            "listenAddress": at("directory"), "managementListenAddress": at("management"),
            "certificate": self.folder.join("cert.pem"), "privateKey": self.folder.join("key.pem"),
            "httpPort": self.ports["http"], "tlsPort": self.ports["tls"], "ocspResponderURL": "",
            "dnsServer": at("dns"), "externalAccountBindingRequired": false,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let file = self.folder.join("config.json");
        fs::write(&file, json!({ "pebble": config }).to_string()).unwrap();
        file
    }

    fn start_pebble(
        &mut self,
        dns: SocketAddr,
        more: &Value,
        environment: &[(&str, &str)],
    ) -> Option<()> {
        let mut command = peer::find_with("pebble", &[])?.command();
        command.arg("-config").arg(self.settings(more));
        command.args(["-strict", "-dnsserver", &dns.to_string()]);
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        command.envs(environment.iter().copied());
        self.run(command, "directory");
        Some(())
    }

    fn name_server(&mut self) -> Option<()> {
        let mut command = peer::find_with("pebble-challtestsrv", &[])?.command();
        command.args(["-defaultIPv6", "", "-defaultIPv4", "127.0.0.1", "-http01", ""]);
        command.args(["-https01", "", "-tlsalpn01", ""]);
        command.args(["-dns01", &self.address("dns").to_string()]);
        command.args(["-management", &self.address("control").to_string()]);
        self.run(command, "control");
        Some(())
    }

    fn run(&mut self, command: Command, port: &str) {
        self.processes.push(Process::spawn(command));
        peer::wait_for_port(self.address(port), PATIENCE);
    }

    pub(crate) fn config(&self, names: &[&str], challenge: Challenge) -> AcmeConfig {
        let mut config = AcmeConfig::new(self.folder.join("acme"), names.iter().copied());
        config.directory = format!("https://localhost:{}/dir", self.ports["directory"]);
        config.directory_root = Some(self.folder.join("root.pem"));
        config.challenge = challenge;
        config
    }

    pub(crate) fn address(&self, port: &str) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports[port]).into()
    }
}

pub(crate) fn ports<const N: usize>(names: [&'static str; N]) -> HashMap<&'static str, u16> {
    let listeners = names.map(|name| (name, StdListener::bind("127.0.0.1:0").unwrap()));
    listeners
        .iter()
        .map(|(name, listener)| (*name, listener.local_addr().unwrap().port()))
        .collect()
}

/// A server on the port on which Pebble looks for TLS.
pub(crate) async fn serve_tls(at: SocketAddr, store: &IdentityStore) -> TlsAcceptor {
    let acceptor = TlsAcceptor::new(store, TlsOptions::default()).unwrap();
    let listener = TcpListener::bind(at).await.unwrap();
    let serving = acceptor.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = serving.clone();
            tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
        }
    });
    acceptor
}

/// A server on the port on which Pebble looks for HTTP.
pub(crate) async fn serve_http(at: SocketAddr, answers: Http01) {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let request =
                String::from_utf8_lossy(request.get(..read).unwrap_or_default()).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            let response = answers.respond(&path).map_or_else(
                || "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
                |text| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()),
            );
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
}

/// The body of the answer to a request of one of the helpers.
pub(crate) async fn http(at: SocketAddr, request: &str, body: &str) -> String {
    let request = format!(
        "{request} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}
