//! An upstream behind TLS: who is believed, and who is not.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use jellynet_test::peer;
use jellynet_upstream::{
    Failed, ProbeConfig, State, Upstream, UpstreamConfig, UpstreamTls, UpstreamTlsError,
};
use rustls::crypto::CryptoProvider;

use crate::nginx::{Nginx, free, nginx_with};
use crate::stage::{Gateway, soon};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Makes a CA, a certificate of it for `media.lan`, one that signs itself, and two of the CA whose
/// time is over or still to come.
fn certify(folder: &Path) {
    let script = "
        new() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                -keyout $1.key -out $1.pem -subj /CN=$1 \"${@:2}\"; }
        new ca
        new other
        new alone -addext subjectAltName=DNS:alone.lan
        new media -CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE \
            -addext subjectAltName=DNS:media.lan
        printf '[ca]\ndefault_ca=a\n[a]\ndatabase=index\nnew_certs_dir=.\ndefault_md=sha256\n' > conf
        printf 'policy=p\nrand_serial=yes\n[p]\ncommonName=supplied\n' >> conf
        printf '[x]\nsubjectAltName=DNS:media.lan\nbasicConstraints=critical,CA:FALSE\n' >> conf
        touch index
        dated() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$1 \
                -keyout $1.key -out $1.csr
            openssl ca -batch -notext -config conf -cert ca.pem -keyfile ca.key -extensions x \
                -in $1.csr -out $1.pem -startdate $2 -enddate $3; }
        dated old 20240101000000Z 20240201000000Z
        dated young 20480101000000Z 20490101000000Z";
    let mut command = std::process::Command::new("bash");
    let output = command.args(["-ec", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

struct Stage {
    nginx: Nginx,
    /// With a certificate of the CA.
    issued: SocketAddr,
    /// With one that signs itself.
    alone: SocketAddr,
    /// With one that has expired, and one that is not valid yet.
    old: SocketAddr,
    young: SocketAddr,
}

impl Stage {
    async fn set(name: &str) -> Option<Self> {
        peer::find_with("openssl", &["version"])?;
        let (issued, alone) = (free().await, free().await);
        let (old, young) = (free().await, free().await);
        let nginx = nginx_with(name, |folder| {
            certify(folder);
            let here = folder.display();
            [(issued, "media"), (alone, "alone"), (old, "old"), (young, "young")]
                .map(|(address, name)| {
                    format!(
                        "server {{ listen {address} ssl; root {here}/www;
                           ssl_certificate {here}/{name}.pem; ssl_certificate_key {here}/{name}.key;
                           location /put/ {{ proxy_pass http://unix:{here}/sink; }} }}\n"
                    )
                })
                .concat()
        });
        let nginx = nginx.await?;
        // It opens its listeners one by one.
        for address in [issued, alone, old, young] {
            peer::wait_for_port(address, Duration::from_secs(10));
        }
        fs::write(nginx.folder.join("www/x"), "word ".repeat(100_000)).unwrap();
        Some(Self { nginx, issued, alone, old, young })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.nginx.folder.join(name)
    }

    fn trusting(&self, name: &str) -> UpstreamTls {
        UpstreamTls::ca_file(provider(), &self.file(name)).unwrap()
    }
}

fn upstream(address: SocketAddr, tls: Option<UpstreamTls>) -> Upstream {
    let mut config = UpstreamConfig::new(format!("https://{address}").parse().unwrap());
    config.tls = tls;
    Upstream::new(config)
}

/// The status, and the cause of a failure.
async fn outcome(upstream: &Upstream) -> (u16, String) {
    let request = Request::get("/x").header("host", "tv.lan").body(Empty::<Bytes>::new()).unwrap();
    let response = soon(upstream.forward(request)).await;
    let cause = response.extensions().get::<Failed>().map(|failed| failed.cause.clone());
    let status = response.status().as_u16();
    let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(body.len() == 500_000, status == 200);
    (status, cause.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_believed_for_a_reason() {
    let Some(stage) = Stage::set("believed").await else {
        return;
    };
    let named = |tls: UpstreamTls| tls.with_server_name("media.lan").unwrap();
    let any = UpstreamTls::with_insecure_any_certificate(provider()).unwrap();
    for (address, tls, expected, why) in [
        (stage.issued, Some(named(stage.trusting("ca.pem"))), None, "issued by this CA"),
        (stage.alone, Some(stage.trusting("alone.pem")), None, "this very certificate"),
        (stage.alone, Some(any.clone()), None, "anything"),
        (stage.issued, Some(any), None, "anything"),
        (stage.old, Some(stage.trusting("old.pem")), None, "this very certificate, at any time"),
        (
            stage.old,
            Some(named(stage.trusting("ca.pem"))),
            Some(
                "the certificate of the upstream media.lan has expired, or this host's clock is wrong: renew it where the upstream runs: ",
            ),
            "its time is over",
        ),
        (
            stage.young,
            Some(named(stage.trusting("ca.pem"))),
            Some(
                "the certificate of the upstream media.lan is not valid yet, or this host's clock is wrong: compare the clocks of both: ",
            ),
            "its time is to come",
        ),
        (
            stage.issued,
            Some(named(stage.trusting("other.pem"))),
            Some(
                "the certificate of the upstream media.lan was issued by nobody who is trusted here: name its CA: ",
            ),
            "another CA",
        ),
        (
            stage.issued,
            Some(stage.trusting("ca.pem")),
            Some("the certificate of the upstream 127.0.0.1 is for another name: "),
            "the address is not in it",
        ),
        (
            stage.alone,
            Some(stage.trusting("ca.pem")),
            Some("the certificate of the upstream 127.0.0.1 "),
            "one that nobody knows",
        ),
        (
            stage.nginx.address,
            Some(stage.trusting("ca.pem")),
            Some("cannot speak TLS with "),
            "plain HTTP",
        ),
        (stage.issued, None, Some("cannot speak TLS with "), "nobody said whom to believe"),
    ] {
        let (status, cause) = outcome(&upstream(address, tls)).await;
        match expected {
            None => assert_eq!((status, &*cause), (200, ""), "{why}"),
            Some(expected) => {
                assert_eq!(status, 502, "{why}");
                assert!(cause.starts_with(expected), "{why}: {cause}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_kept_and_bodies_pass_both_ways() {
    let Some(stage) = Stage::set("kept").await else {
        return;
    };
    let tls = stage.trusting("ca.pem").with_server_name("media.lan").unwrap();
    let upstream = upstream(stage.issued, Some(tls));
    for _ in 0..5 {
        assert_eq!(outcome(&upstream).await.0, 200);
        assert_eq!((upstream.counters().connections, upstream.counters().idle), (1, 1));
    }
    let body = Full::<Bytes>::from(vec![7; 3 << 20]);
    let request = Request::post("/put/x").header("host", "tv.lan").body(body).unwrap();
    let response = soon(upstream.forward(request)).await;
    let told = soon(response.into_body().collect()).await.unwrap().to_bytes();
    assert_eq!(told, format!("took {}", 3 << 20));
    let gateway = Gateway::with(upstream.clone()).await;
    for _ in 0..3 {
        assert!(gateway.get().await.starts_with("HTTP/1.1 403"), "nginx lists no folder");
    }
    let quiet = gateway.quiet().await;
    assert_eq!((quiet.connections, quiet.failures), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_is_told_once_what_is_wrong_with_a_certificate() {
    let Some(stage) = Stage::set("told").await else {
        return;
    };
    let upstream = upstream(stage.issued, Some(stage.trusting("other.pem")));
    let mut status = upstream.status();
    let probed = upstream.clone();
    let probe = tokio::spawn(async move { probed.probe(ProbeConfig::default()).await });
    let down = soon(status.reached(State::Down)).await.unwrap();
    let reason = down.reason.unwrap();
    assert!(reason.contains("the certificate of the upstream 127.0.0.1 "), "{reason}");
    probe.abort();
}

#[test]
fn files_without_a_certificate_are_named() {
    let missing = UpstreamTls::ca_file(provider(), Path::new("/nowhere/ca.pem")).unwrap_err();
    assert!(matches!(&missing, UpstreamTlsError::CaFile { .. }), "{missing}");
    assert_eq!(missing.to_string(), "cannot read certificates in PEM from /nowhere/ca.pem");
    let this = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let none = UpstreamTls::ca_file(provider(), this).unwrap_err();
    assert!(matches!(&none, UpstreamTlsError::NoCertificate { .. }), "{none}");
}
