//! The line of a refusal, and whether fail2ban finds the client in it.

use std::convert::Infallible;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use jellynet_access::{AccessLayer, FilterMode, Policy, RemoteFilter};
use jellynet_netif::{ClientAddr, PeerAddr, Provenance, ProxyOnlyReason};
use jellynet_test::peer::{self, Process};
use tower::{Layer, ServiceExt, service_fn};
use tracing::Instrument;
use tracing_subscriber::fmt::MakeWriter;

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn request(client: Option<(&str, Provenance)>, peer: Option<PeerAddr>) -> Request<()> {
    let mut request = Request::get("/?client=192.0.2.66").body(()).unwrap();
    if let Some((ip, provenance)) = client {
        let ip = ip.parse().unwrap();
        let port = None;
        request.extensions_mut().insert(ClientAddr { ip, port, provenance });
    }
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    request
}

/// Refuses requests of every kind; the clients that a ban is for come first.
async fn refuse_some() {
    const FORWARDED: Provenance = Provenance::Forwarded { hops: 1 };
    const PROXY_ONLY: Provenance = Provenance::ProxyOnly { reason: ProxyOnlyReason::Missing };
    let inet = |text: &str| Some(PeerAddr::inet(text.parse().unwrap()));
    let proxy = inet("10.0.0.2:4711");
    let block = RemoteFilter::parse(FilterMode::Block, ["203.0.113.0/24", "2001:db8::/32"]);
    let policy = Policy::default().with_filter(block.unwrap());
    let layer = AccessLayer::new(policy);
    for request in [
        request(Some(("203.0.113.9", FORWARDED)), proxy),
        request(Some(("2001:db8::9", FORWARDED)), Some(PeerAddr::Unix)),
        request(Some(("203.0.113.10", Provenance::Direct)), None),
        request(None, inet("203.0.113.11:4711")),
        request(Some(("10.0.0.2", PROXY_ONLY)), proxy),
        request(None, Some(PeerAddr::Unix)),
        request(None, None),
        request(Some(("192.168.1.1", Provenance::Direct)), inet("192.168.1.1:4711")),
    ] {
        let application =
            service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
        layer.layer(application).oneshot(request).await.unwrap();
    }
}

const BANNED: [&str; 4] = ["203.0.113.9", "2001:db8::9", "203.0.113.10", "203.0.113.11"];

async fn log(json: bool) -> String {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false);
    let dispatch = if json {
        tracing::Dispatch::new(subscriber.json().finish())
    } else {
        tracing::Dispatch::new(subscriber.finish())
    };
    let guard = tracing::dispatcher::set_default(&dispatch);
    // The application's own spans must not stand before the line.
    let span = tracing::warn_span!("request", agent = "client=192.0.2.66");
    refuse_some().instrument(span).await;
    drop(guard);
    log.text()
}

#[tokio::test]
async fn the_line_is_stable() {
    let text = log(false).await;
    let lines: Vec<_> =
        text.lines().filter_map(|line| line.split_once(" WARN ")).map(|(_, line)| line).collect();
    assert_eq!(
        lines,
        [
            "jellynet_access: refuse request client=203.0.113.9 peer=10.0.0.2 reason=block-listed",
            "jellynet_access: refuse request client=2001:db8::9 peer=unix reason=block-listed",
            "jellynet_access: refuse request client=203.0.113.10 peer=203.0.113.10 reason=block-listed",
            "jellynet_access: refuse request client=203.0.113.11 peer=203.0.113.11 reason=block-listed",
            "jellynet_access: refuse request peer=10.0.0.2 reason=client-unknown",
            "jellynet_access: refuse request peer=unix reason=unix-peer-refused",
            "jellynet_access: refuse request peer=unknown reason=no-address",
        ]
    );
}

#[tokio::test]
async fn fail2ban_finds_the_clients_and_nobody_else() {
    let Some(fail2ban) = peer::find("fail2ban-regex") else {
        return;
    };
    let filter =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/fail2ban/jellynet.conf");
    for json in [false, true] {
        let mut text = log(json).await;
        // What a client writes into its request stands in other lines.
        text.push_str(
            "2026-11-23T18:12:29.123456Z  INFO request{agent=\"WARN jellynet_access: refuse \
             request client=192.0.2.66 peer=192.0.2.66 reason=block-listed\"}: done\n",
        );
        let file = file(json, &text);
        let mut command = fail2ban.command();
        // Prints the address of each match.
        command.args(["--out", "ip"]).arg(&file).arg(&filter);
        let process = Process::spawn(command);
        let status = process.wait(Duration::from_secs(60));
        let output = process.output();
        fs::remove_file(&file).unwrap();
        assert!(status.success(), "{output}\n{text}");
        let found: Vec<_> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(found, BANNED, "{text}");
    }
}

fn file(json: bool, text: &str) -> PathBuf {
    let name = format!("jellynet-access-{}-{json}.log", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, text).unwrap();
    path
}
