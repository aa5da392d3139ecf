//! Real clients and testers against a real port.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer;
use jellynet_tls::{
    IdentityStore, LocalAuthority, LocalCertificate, Profile, Timestamp, TlsAcceptor, TlsOptions,
    serve_check,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{folder, loader};

/// A server that says hello over HTTP/1.1, until it is dropped.
struct Server {
    address: SocketAddr,
    root: PathBuf,
    store: IdentityStore,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start(name: &str, profile: Profile) -> Self {
        let folder = folder(name);
        let now = Timestamp::now();
        let authority =
            LocalAuthority::open(&folder.join("authority.pem"), &[], &loader(), now).unwrap();
        let root = folder.join("root.pem");
        fs::write(&root, authority.certificate_pem()).unwrap();
        let leaf =
            LocalCertificate::new(["localhost"]).with_lifetime(Duration::from_secs(89 * 86_400));
        let store = IdentityStore::new(loader());
        store.set("main", leaf.make(Some(&authority), &loader(), now).unwrap(), now);
        let mut options = TlsOptions::default();
        options.profile = profile;
        options.alpn = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::new(&store, options).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = [0; 4096];
                    if matches!(stream.read(&mut request).await, Ok(1..)) {
                        let facts = stream.facts().version;
                        let length = facts.len();
                        let answer = format!(
                            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{facts}"
                        );
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, root, store, runtime }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    fn host_port(&self) -> String {
        format!("localhost:{}", self.address.port())
    }
}

fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn curl_connects_verifies_and_is_sent_on_from_plain_http() {
    let Some(curl) = peer::find("curl") else {
        return;
    };
    let server = Server::start("clients-curl", Profile::Intermediate);
    let run = |arguments: &[&str]| {
        let output =
            curl.command().args(["-sS", "--cacert"]).arg(&server.root).args(arguments).output();
        text(&output.unwrap())
    };
    assert_eq!(run(&[&server.url()]), "TLSv1.3");
    assert_eq!(run(&["--tls-max", "1.2", &server.url()]), "TLSv1.2");
    let plain = server.url().replace("https", "http");
    assert_eq!(run(&["-L", &plain]), "TLSv1.3", "plain HTTP on the TLS port");
    let strange = curl.command().args(["-sS", &server.url()]).output().unwrap();
    assert!(!strange.status.success(), "a client that does not know the root");
}

#[test]
fn openssl_connects_by_both_versions_and_modern_is_one() {
    let Some(openssl) = peer::find_with("openssl", &["version"]) else {
        return;
    };
    for profile in [Profile::Intermediate, Profile::Modern] {
        let server = Server::start("clients-openssl", profile);
        let connect = |version: &str| {
            let mut command = openssl.command();
            command.args([
                "s_client",
                "-connect",
                &server.host_port(),
                "-servername",
                "localhost",
                version,
            ]);
            command.args(["-verify_return_error", "-CAfile"]).arg(&server.root);
            command.stdin(std::process::Stdio::null()).output().unwrap()
        };
        let newest = text(&connect("-tls1_3"));
        assert!(newest.contains("Verify return code: 0 (ok)"), "{newest}");
        assert_eq!(connect("-tls1_2").status.success(), profile == Profile::Intermediate);
        assert!(!connect("-tls1_1").status.success());
    }
}

#[test]
fn python_connects() {
    let Some(python) = peer::find("python3") else {
        return;
    };
    let server = Server::start("clients-python", Profile::Intermediate);
    let script = "import ssl, sys, urllib.request as u; \
                  c = ssl.create_default_context(cafile=sys.argv[2]); \
                  print(u.urlopen(sys.argv[1], context=c).read().decode(), end='')";
    let output =
        python.command().args(["-c", script, &server.url()]).arg(&server.root).output().unwrap();
    assert_eq!(text(&output), "TLSv1.3");
}

#[test]
fn java_connects() {
    let (Some(java), Some(keytool)) =
        (peer::find_with("java", &["-version"]), peer::find_with("keytool", &[]))
    else {
        return;
    };
    let server = Server::start("clients-java", Profile::Intermediate);
    let folder = server.root.parent().unwrap().to_owned();
    let trust = folder.join("trust.p12");
    let mut command = keytool.command();
    command.args(["-importcert", "-noprompt", "-alias", "root", "-storetype", "PKCS12"]);
    command.args(["-storepass", "secret", "-file"]).arg(&server.root).arg("-keystore").arg(&trust);
    assert!(command.output().unwrap().status.success());
    let source = folder.join("Client.java");
    fs::write(
        &source,
        "class Client { public static void main(String[] a) throws Exception {\
           System.out.print(new String(new java.net.URL(a[0]).openStream().readAllBytes())); } }",
    )
    .unwrap();
    let mut command = java.command();
    command.arg(format!("-Djavax.net.ssl.trustStore={}", trust.display()));
    command.args(["-Djavax.net.ssl.trustStorePassword=secret"]).arg(&source).arg(server.url());
    let output = command.output().unwrap();
    assert!(text(&output).contains("TLSv1.3"), "{output:?}");
}

#[test]
fn chromium_trusts_the_root_and_shows_the_page() {
    let (Some(chromium), Some(certutil), Some(namespace)) = (
        peer::find("chromium"),
        peer::find_with("certutil", &[]),
        // A browser looks for its maker as soon as it runs.
        Namespace::new("jellynet-chromium"),
    ) else {
        return;
    };
    for (profile, name) in [(Profile::Intermediate, "intermediate"), (Profile::Modern, "modern")] {
        let server = namespace.run(|| Server::start(&format!("clients-chromium-{name}"), profile));
        let home = server.root.parent().unwrap().join("home");
        let database = home.join(".pki/nssdb");
        fs::create_dir_all(&database).unwrap();
        let database = format!("sql:{}", database.display());
        let page = || {
            let mut command = chromium.command();
            command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]);
            command.args(["--no-first-run", "--disable-background-networking"]);
            command.args(["--disable-component-update", "--disable-sync", "--dump-dom"]);
            command.arg(format!("--user-data-dir={}", home.join("profile").display()));
            command.arg(server.url()).env("HOME", &home);
            text(&namespace.run(|| command.output().unwrap()))
        };
        let mut command = certutil.command();
        command.args(["-N", "--empty-password", "-d", &database]);
        assert!(command.status().unwrap().success());
        if profile == Profile::Intermediate {
            let strange = page();
            assert!(!strange.contains("TLSv1.3</"), "nobody vouches for it: {strange}");
        }
        let mut command = certutil.command();
        command.args(["-A", "-t", "C,,", "-n", "root", "-d", &database, "-i"]).arg(&server.root);
        assert!(command.status().unwrap().success());
        let shown = page();
        assert!(shown.contains("TLSv1.3</"), "{name}: {shown}");
    }
}

#[test]
fn sslscan_finds_nothing_old() {
    let Some(sslscan) = peer::find("sslscan") else {
        return;
    };
    let server = Server::start("clients-sslscan", Profile::Intermediate);
    let output = sslscan.command().args(["--no-colour", &server.host_port()]).output().unwrap();
    let said = text(&output);
    for line in
        ["TLSv1.2   enabled", "TLSv1.3   enabled", "TLSv1.1   disabled", "TLSv1.0   disabled"]
    {
        assert!(said.contains(line), "{line} is missing in\n{said}");
    }
    for weak in [" CBC", "RC4", "3DES", "vulnerable to heartbleed\n"] {
        let found =
            said.lines().find(|line| line.contains(weak) && !line.contains("not vulnerable"));
        assert_eq!(found, None, "{said}");
    }
}

#[test]
fn sslyze_finds_both_profiles_compliant() {
    let Some(python) = peer::find_python("sslyze") else {
        return;
    };
    for (profile, name) in [(Profile::Intermediate, "intermediate"), (Profile::Modern, "modern")] {
        let server = Server::start("clients-sslyze", profile);
        let mut command = python.command();
        command.args(["-m", "sslyze", &format!("--mozilla_config={name}"), "--certinfo_ca_file"]);
        let output = command.arg(&server.root).arg(server.host_port()).output().unwrap();
        let said = text(&output);
        assert!(said.contains("OK - Compliant"), "{name}: {said}");
    }
}

#[test]
fn the_check_sees_what_is_served() {
    let server = Server::start("clients-check", Profile::Intermediate);
    let expected = server.store.identity_for(None).unwrap();
    let check = |address: &str, expected| {
        server.runtime.block_on(serve_check(address, expected, loader().provider().clone()))
    };
    let report = check(&server.host_port(), Some(&expected)).unwrap();
    assert_eq!(report.as_expected, Some(true));
    assert_eq!(report.version, "TLSv1_3");
    let other = crate::support::identity("other.test");
    assert_eq!(check(&server.host_port(), Some(&other)).unwrap().as_expected, Some(false));
    assert_eq!(
        check(&format!("127.0.0.1:{}", server.address.port()), None).unwrap().as_expected,
        None
    );
    assert!(check("localhost", None).unwrap_err().to_string().contains("host:port"));
    assert!(check("localhost:1", None).unwrap_err().to_string().starts_with("cannot connect"));
}
