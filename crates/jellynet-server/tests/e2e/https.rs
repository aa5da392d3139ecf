//! HTTPS as the binary serves it: which certificate, to whom, and what happens when files change.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jellynet_test::netns::Namespace;
use jellynet_test::peer;

use crate::cert::{fingerprint, hex, issue};
use crate::reload::reload;
use crate::rig::{Folder, MediaServer, SOON, Server, ask, get, jellynet};

/// Within this, a certificate file that changed is served; of one change, the machine's own delays
/// come on top.
const SERVED: Duration = Duration::from_secs(2);
const RENEWED: Duration = Duration::from_secs(3);

/// A host, and a folder with `tv.pem` and `tv.key`; nothing where there are no namespaces or a
/// peer is missing.
fn host() -> Option<(Namespace, Folder)> {
    peer::find_with("openssl", &["version"])?;
    peer::find("curl")?;
    let host = Namespace::new("jellynet-server")?;
    let folder = Folder::new();
    issue(folder.path(), "tv", "DNS:tv.lan,IP:127.0.0.1");
    Some((host, folder))
}

/// An identity of these files.
fn identity(folder: &Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    format!("[[identity]]\ncertificate = '{}'\nkey = '{}'\n", file("tv.pem"), file("tv.key"))
}

/// What curl prints: head and body.
fn curl(on: &Namespace, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sik", "--max-time", "10"]).args(arguments);
    let output = on.run(|| command.output().unwrap());
    assert!(output.status.success(), "curl {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The SHA-256 of the certificate that openssl is shown.
fn shown(on: &Namespace) -> String {
    let script = "openssl s_client -connect 127.0.0.1:8920 </dev/null 2>/dev/null \
                  | openssl x509 -noout -fingerprint -sha256";
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let output = on.run(|| command.output().unwrap());
    hex(&String::from_utf8_lossy(&output.stdout))
}

#[test]
fn an_identity_serves_https_with_both_versions_of_http() {
    let Some((host, folder)) = host() else { return };
    MediaServer::start(&host, "127.0.0.1:8097");
    let upstream = "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let server = Server::start(&host, &(identity(folder.path()) + upstream));
    server.process.wait_for_line("Living Room", SOON);
    let url = "https://127.0.0.1:8920/x";
    for (version, line) in [("--http1.1", "HTTP/1.1 200"), ("--http2", "HTTP/2 200")] {
        let answer = curl(&host, &[version, url]);
        assert!(answer.starts_with(line), "{version}: {answer}");
        // The media server repeats what it was asked.
        let seen = answer.to_ascii_lowercase();
        assert!(seen.contains("x-forwarded-proto: https"), "{answer}");
        assert!(seen.contains("x-forwarded-host: 127.0.0.1:8920"), "{answer}");
    }
    let spoofed = curl(&host, &["-H", "X-Forwarded-Proto: http", url]);
    assert!(!spoofed.to_ascii_lowercase().contains("proto: http\r"), "{spoofed}");
    for version in ["--tlsv1.2", "--tlsv1.3"] {
        let maximum = version.trim_start_matches("--tlsv");
        let answer = curl(&host, &[version, "--tls-max", maximum, url]);
        assert!(answer.contains(" 200"), "{version}: {answer}");
    }
    assert_eq!(shown(&host), fingerprint(folder.path(), "tv.pem"));
    let plain = get(&host, "127.0.0.1:8096", "/x").unwrap();
    let seen = plain.body.to_ascii_lowercase();
    assert!(seen.contains("x-forwarded-proto: http\r"), "{seen}");
}

#[test]
fn plain_http_on_the_tls_port_is_sent_to_https() {
    let Some((host, folder)) = host() else { return };
    let _server = Server::start(&host, &identity(folder.path()));
    let answer = host.run(|| ask("127.0.0.1:8920", "GET /a?b", &["Host: tv.lan:8920"]).unwrap());
    assert_eq!(answer.status, 308, "{}", answer.head);
    assert_eq!(answer.header("location"), Some("https://tv.lan:8920/a?b"));
}

#[test]
fn https_without_a_certificate_makes_one_says_so_and_takes_the_first_that_comes() {
    let Some((host, folder)) = host() else { return };
    let server = Server::start(&host, "[https]\nlisten = ['*:8920']\n");
    let output = server.process.output();
    assert!(output.contains("HTTPS has no certificate"), "{output}");
    let answer = curl(&host, &["https://127.0.0.1:8920/health"]);
    assert!(answer.contains(" 200") && answer.ends_with("Healthy"), "{answer}");
    assert_eq!(get(&host, "127.0.0.1:8096", "/health").unwrap().status, 200);
    let made = server.folder.path().join("data");
    assert_eq!(shown(&host), fingerprint(&made, "self-signed.pem"));
    let listen = "[https]\nlisten = ['*:8920']\n";
    let first = identity(folder.path()) + listen;
    let said = reload(&server, &first, "in force: identity[0].certificate");
    assert!(!said.contains("restart"), "{said}");
    assert_eq!(shown(&host), fingerprint(folder.path(), "tv.pem"));
    // Behind the last one there is none.
    let said = reload(&server, listen, "restart to apply");
    assert!(said.contains("identity"), "{said}");
    assert_eq!(shown(&host), fingerprint(folder.path(), "tv.pem"));
}

#[test]
fn a_missing_certificate_ends_the_start_unless_https_is_optional() {
    let Some((host, folder)) = host() else { return };
    fs::remove_file(folder.path().join("tv.pem")).unwrap();
    let missing = folder.path().join("tv.pem").display().to_string();
    let config = identity(folder.path());
    let server = Server::start_unready(&host, &config);
    let status = server.process.wait(SOON);
    let output = server.process.output();
    assert!(!status.success(), "{output}");
    assert!(output.contains(&missing) && output.contains("No such file"), "{output}");
    assert!(output.contains("identity[0]"), "{output}");

    let server = Server::start(&host, &format!("{config}[https]\noptional = true\n"));
    let output = server.process.output();
    assert!(output.contains(&missing), "{output}");
    assert_eq!(get(&host, "127.0.0.1:8096", "/health").unwrap().status, 200);
    let stand_in = fingerprint(&server.folder.path().join("data"), "self-signed.pem");
    assert_eq!(shown(&host), stand_in, "there is always something to show");
    // What comes later is served without a restart.
    issue(folder.path(), "tv", "DNS:tv.lan");
    let new = fingerprint(folder.path(), "tv.pem");
    peer::wait_until("the certificate that came", RENEWED, || shown(&host) == new);
}

#[test]
fn a_redirect_leads_to_the_port_of_https_but_never_for_health() {
    let Some((host, folder)) = host() else { return };
    let config = identity(folder.path())
        + "[https]\nredirect = true\n[base_url]\npath = '/jellyfin'\n[proxies]\nknown = ['127.0.0.1']\n";
    let _server = Server::start(&host, &config);
    let to = |path: &str, headers: &[&str]| {
        let answer = host.run(|| ask("127.0.0.1:8096", &format!("GET {path}"), headers).unwrap());
        (answer.status, answer.header("location").map(str::to_owned))
    };
    let own = to("/jellyfin/x?y", &["Host: tv.lan:8096", "X-Forwarded-For: 10.0.0.9"]);
    assert_eq!(own, (308, Some("https://tv.lan:8920/jellyfin/x?y".to_owned())));
    for path in ["/health", "/jellyfin/health"] {
        assert_eq!(to(path, &[]).0, 200, "{path}");
    }
    // Who came by https to the proxy is where it should be.
    let proxied = ["Host: tv.lan", "X-Forwarded-For: 10.0.0.9", "X-Forwarded-Proto: https"];
    assert_ne!(to("/jellyfin/x", &proxied).0, 308);
    let answer = curl(&host, &["https://127.0.0.1:8920/jellyfin/health"]);
    assert!(answer.contains(" 200"), "{answer}");
}

#[test]
fn each_server_is_redirected_to_where_it_is_published_and_only_if_it_is_meant() {
    let Some((host, folder)) = host() else { return };
    for port in ["8097", "8098", "8099"] {
        MediaServer::start(&host, &format!("127.0.0.1:{port}"));
    }
    let upstream =
        |port: u16, more: &str| format!("[[upstream]]\nurl = 'http://127.0.0.1:{port}'\n{more}\n");
    let config = identity(folder.path())
        + "[https]\nredirect = true\n[published]\nhttps_port = 444\nurls = [\
           'external=https://films.example', 'https://music.example:8443/m']\n"
        + &upstream(8097, "hosts = ['films.example', 'films.lan']")
        + &upstream(8098, "hosts = ['music.example']\nbase_url = '/m'")
        + &upstream(8099, "hosts = ['books.example']\nhttps_redirect = false");
    let server = Server::start(&host, &config);
    let to = |name: &str, path: &str| {
        let name = format!("Host: {name}");
        let answer = host.run(|| ask("127.0.0.1:8096", &format!("GET {path}"), &[&name]).unwrap());
        (answer.status, answer.header("location").map(str::to_owned))
    };
    let sent = |url: &str| (308, Some(url.to_owned()));
    assert_eq!(to("films.example:8096", "/x?y"), sent("https://films.example/x?y"));
    assert_eq!(to("music.example:8096", "/m/x"), sent("https://music.example:8443/m/x"));
    assert_eq!(to("films.lan", "/x"), sent("https://films.lan:444/x"), "published nowhere");
    assert_eq!(to("books.example", "/x").0, 200, "it is not meant");
    assert_eq!(to("nobody.example", "/x").0, 308, "as for all");
    // The other way round, by path, and in force at a reload.
    let config = identity(folder.path())
        + &upstream(8097, "base_url = '/films'")
        + &upstream(8098, "base_url = '/music'\nhttps_redirect = true");
    reload(&server, &config, "upstream[1].https_redirect");
    assert_eq!(to("tv", "/music/x"), sent("https://tv:8920/music/x"));
    assert_eq!((to("tv", "/films/x").0, to("tv", "/").0), (200, 200));
}

#[test]
fn the_public_port_of_https_is_the_one_redirected_to() {
    let Some((host, folder)) = host() else { return };
    let config =
        identity(folder.path()) + "[https]\nredirect = true\n[published]\nhttps_port = 443\n";
    let _server = Server::start(&host, &config);
    let answer = host.run(|| ask("127.0.0.1:8096", "GET /x", &["Host: tv.example.org"]).unwrap());
    assert_eq!(answer.header("location"), Some("https://tv.example.org/x"));
}

#[test]
fn a_new_certificate_is_served_and_a_broken_one_is_not() {
    let Some((host, folder)) = host() else { return };
    let at = folder.path();
    let config = identity(at) + "[admin]\nlisten = ['127.0.0.1:9096']\n";
    let server = Server::start(&host, &config);
    assert_eq!(shown(&host), fingerprint(at, "tv.pem"));

    // As certbot does it: new files, renamed over the old ones.
    issue(at, "new", "DNS:tv.lan,IP:127.0.0.1");
    let new = fingerprint(at, "new.pem");
    fs::rename(at.join("new.key"), at.join("tv.key")).unwrap();
    fs::rename(at.join("new.pem"), at.join("tv.pem")).unwrap();
    peer::wait_until("the new certificate", RENEWED, || shown(&host) == new);

    folder.write("tv.pem", "broken\n");
    server.process.wait_for_line("keep the certificate that is served", SOON);
    assert_eq!(shown(&host), new);
    let ready = get(&host, "127.0.0.1:9096", "/ready").unwrap();
    assert_eq!(ready.status, 200, "the old one serves: {}", ready.body);
    assert!(ready.body.contains("tv.pem"), "{}", ready.body);

    issue(at, "tv", "DNS:tv.lan");
    let newest = fingerprint(at, "tv.pem");
    peer::wait_until("the repaired certificate", RENEWED, || shown(&host) == newest);
}

/// Certificate and key under the names of certbot or of Kubernetes, in a folder of their own.
fn version(folder: &Path, name: &str, files: [&str; 2]) -> String {
    issue(folder, name, "DNS:tv.lan,IP:127.0.0.1");
    let at = folder.join(name).with_extension("d");
    fs::create_dir(&at).unwrap();
    let [certificate, key] = files;
    fs::rename(folder.join(format!("{name}.pem")), at.join(certificate)).unwrap();
    fs::rename(folder.join(format!("{name}.key")), at.join(key)).unwrap();
    fingerprint(&at, certificate)
}

/// Points a link elsewhere in one step.
fn point(link: &Path, target: &Path) {
    let next = link.with_file_name("next-link");
    symlink(target, &next).unwrap();
    fs::rename(&next, link).unwrap();
}

/// Serves a folder while clients connect, swaps it twice, breaks it, and mends it.
#[expect(clippy::disallowed_methods, reason = "real clients have the real time")]
fn swap_under_load(host: &Namespace, files: [&str; 2], swap: impl Fn(&Path, &Path)) {
    let Some(python) = peer::find("python3") else { return };
    let folder = Folder::new();
    let served = folder.path().join("served");
    fs::create_dir(&served).unwrap();
    let first = version(folder.path(), "first", files);
    swap(&served, &folder.path().join("first.d"));
    let config = format!(
        "[[identity]]\ncertificate = '{}'\n[admin]\nlisten = ['127.0.0.1:9096']\n",
        served.display()
    );
    let server = Server::start(host, &config);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/peers/handshakes.py");
    let mut command = python.command();
    command.arg(script).args(["127.0.0.1", "8920"]);
    let clients = host.spawn(command);
    clients.wait_for_line(&format!("shown {first}"), SOON);
    let swapped = |name: &str| {
        let new = version(folder.path(), name, files);
        let begin = Instant::now();
        swap(&served, &folder.path().join(name).with_extension("d"));
        clients.wait_for_line(&format!("shown {new}"), SOON);
        begin.elapsed()
    };
    let mut took = vec![swapped("second"), swapped("third")];
    let third = shown(host);
    let broken = folder.path().join("broken.d");
    fs::create_dir(&broken).unwrap();
    for file in files {
        fs::write(broken.join(file), "broken\n").unwrap();
    }
    swap(&served, &broken);
    server.process.wait_for_line("keep the certificate that is served", SOON);
    assert_eq!(shown(host), third);
    for path in ["/ready", "/status.json"] {
        let said = get(host, "127.0.0.1:9096", path).unwrap();
        let path_served = served.display().to_string();
        assert!(said.status == 200 && said.body.contains(&path_served), "{path}: {}", said.body);
    }
    took.push(swapped("fourth"));
    // The watcher's own time is tested by its own clock, in jellynet-tls: all of this machine's
    // delays are in these, so that the least one counts.
    assert!(took.iter().min() <= Some(&SERVED), "{took:?}");
    clients.wait_for_line("answers 50", SOON);
    let said = clients.output();
    assert!(!said.contains("failed"), "{said}");
}

#[test]
fn the_links_of_certbot_are_swapped_under_load_and_no_handshake_fails() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let files = ["fullchain.pem", "privkey.pem"];
    // One link after the other, as certbot does it.
    swap_under_load(&host, files, |served, version| {
        for file in files {
            point(&served.join(file), &version.join(file));
        }
    });
}

#[test]
fn the_data_of_kubernetes_is_swapped_under_load_and_no_handshake_fails() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let files = ["tls.crt", "tls.key"];
    swap_under_load(&host, files, |served, version| {
        point(&served.join("..data"), version);
        // The link is there even while it leads nowhere.
        for file in files.iter().filter(|file| served.join(file).symlink_metadata().is_err()) {
            symlink(Path::new("..data").join(file), served.join(file)).unwrap();
        }
    });
}

#[test]
fn http_serves_whatever_becomes_of_https() {
    let Some((host, folder)) = host() else { return };
    let at = folder.path();
    let server = Server::start(&host, &identity(at));
    let serves = |what: &str| {
        let answer = get(&host, "127.0.0.1:8096", "/health").unwrap();
        assert_eq!(answer.status, 200, "{what}");
    };
    let old = shown(&host);
    for file in ["tv.pem", "tv.key"] {
        fs::remove_file(at.join(file)).unwrap();
    }
    server.process.wait_for_line("keep the certificate that is served", SOON);
    serves("without the files");
    assert_eq!(shown(&host), old);
    fs::remove_dir_all(server.folder.path().join("data")).unwrap();
    serves("without the data directory");
    // Clients that speak no TLS, break off, or wait: many at once.
    let open: Vec<_> = host.run(|| {
        let connect = |n: usize| {
            let mut stream = std::net::TcpStream::connect("127.0.0.1:8920").unwrap();
            let sent: &[u8] =
                if n.is_multiple_of(2) { &[0x16, 3, 1, 0xff, 0xff] } else { b"\0\0\0" };
            std::io::Write::write_all(&mut stream, sent).unwrap();
            stream
        };
        (0..600).map(connect).collect()
    });
    serves("with strangers on HTTPS");
    drop(open);
    assert_eq!(shown(&host), old);
}

#[test]
fn a_busy_https_port_ends_the_start_and_names_its_holder() {
    let Some((host, folder)) = host() else { return };
    let _busy = host.run(|| TcpListener::bind("0.0.0.0:8920").unwrap());
    let config = identity(folder.path());
    let server = Server::start_unready(&host, &config);
    let status = server.process.wait(SOON);
    let output = server.process.output();
    assert_eq!(status.code(), Some(75), "{output}");
    assert!(output.contains(":8920"), "{output}");
    let holder = std::process::id().to_string();
    assert!(output.contains(&holder), "the holder is this test:\n{output}");

    let server = Server::start(&host, &format!("{config}[https]\noptional = true\n"));
    assert!(server.process.output().contains(":8920"));
    assert_eq!(get(&host, "127.0.0.1:8096", "/health").unwrap().status, 200);
}

#[test]
fn bad_keys_of_https_are_named() {
    let folder = Folder::new();
    let config = folder.write(
        "bad.toml",
        "[https]\nlisten = ['8920:x']\nhsts = 'soon'\noptional = 1.5\n[tls]\nprofile = 'old'\n\
         [[identity]]\nkey = 'k'\npassword = 'p'\npassword_file = 'f'\n",
    );
    let output = jellynet(&["check", "--config", config.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8(output.stderr).unwrap();
    for key in [
        "https.listen[0]",
        "https.hsts",
        "https.optional",
        "tls.profile",
        "identity[0].certificate",
        "identity[0].password",
    ] {
        assert!(text.contains(key), "{key} is not in\n{text}");
    }
}
