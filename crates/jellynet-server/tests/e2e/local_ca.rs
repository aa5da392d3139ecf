//! Certificates that are made here, as docs/guide/self-signed.md says: its configurations and its
//! commands are run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use jellynet_test::netns::Namespace;
use jellynet_test::peer;

use crate::cert::openssl;
use crate::proxies::Page;
use crate::rig::{Folder, Server, get};

const HOME: &str = "192.168.7.1";
const PHONE: &str = "192.168.7.2";
const STRANGER: &str = "203.0.113.9";

/// A server's host and a phone on its LAN; nothing where there are no namespaces or a peer is
/// missing.
fn house() -> Option<(Namespace, Namespace)> {
    for tool in ["curl", "openssl"] {
        let _found = peer::find_with(tool, &[])?;
    }
    let (home, phone) = (Namespace::new("jellynet-server")?, Namespace::new("jellynet-server")?);
    home.link("eth0", &phone, "eth0");
    home.address("eth0", &format!("{HOME}/24"));
    phone.address("eth0", &format!("{PHONE}/24"));
    Some((home, phone))
}

/// Runs the commands of a block one after the other, in a folder, on a host that knows `nas.lan`
/// and where `/var/lib/jellynet` is the server's folder; gives what they print.
fn run(on: &Namespace, at: &Path, data: &Path, block: &str) -> String {
    let binary = env!("CARGO_BIN_EXE_jellynet");
    let mut printed = String::new();
    for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let line = line.replace("/var/lib/jellynet", &data.display().to_string());
        let line = match line.strip_prefix("jellynet ") {
            Some(rest) => format!("{binary} {rest}"),
            None => line.replace(
                "curl ",
                &format!("curl --resolve *:8096:{HOME} --resolve *:8920:{HOME} "),
            ),
        };
        let mut command = Command::new("sh");
        command.args(["-c", &line]).current_dir(at);
        let output = on.run(|| command.output().unwrap());
        assert!(output.status.success(), "{line}: {output:?}");
        printed += &String::from_utf8_lossy(&output.stdout);
    }
    printed
}

#[test]
fn a_self_signed_certificate_is_made_and_looked_at_as_the_guide_says() {
    let Some((home, _phone)) = house() else { return };
    let page = Page::open("self-signed");
    let server = Server::start(&home, page.block("self-signed"));
    let (at, data) = (server.folder.path(), server.folder.path().join("data"));
    let printed = run(&home, at, &data, page.block("look"));
    for part in ["nas.lan", HOME, "ecdsa-p256", "as expected"] {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
}

#[test]
fn a_phone_trusts_the_local_ca_once_and_for_all() {
    let Some((home, phone)) = house() else { return };
    let page = Page::open("self-signed");
    let toml = format!("{}\n[https]\nredirect = true\n", page.block("local CA"));
    let server = Server::start(&home, &toml);
    let (at, data) = (server.folder.path(), server.folder.path().join("data"));
    for file in ["local-ca.pem", "local.pem"] {
        let mode = fs::metadata(data.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    // On the phone: over plain HTTP, although all else is sent to HTTPS.
    let own = Folder::new();
    let printed = run(&phone, own.path(), &data, page.block("fetch"));
    assert_eq!(printed, "Healthy");
    let pem = fs::read_to_string(own.path().join("ca.pem")).unwrap();
    assert!(!pem.contains("PRIVATE"), "{pem}");
    let sha = openssl(own.path(), "x509 -in ca.pem -noout -fingerprint -sha256");
    let (_, digest) = sha.trim().split_once('=').unwrap();
    assert!(server.process.output().contains(digest), "{}", server.process.output());
    let text = openssl(own.path(), "x509 -in ca.pem -noout -text");
    for part in ["Name Constraints: critical", "DNS:nas.lan", "IP:192.168.0.0/255.255.0.0"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let place = format!("{HOME}:8096");
    for (kind, media_type) in [
        ("crt", "application/x-x509-ca-cert"),
        ("mobileconfig", "application/x-apple-aspen-config"),
    ] {
        let answer = get(&phone, &place, &format!("/.well-known/jellynet/ca.{kind}")).unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)));
    }
    let profile = get(&phone, &place, "/.well-known/jellynet/ca.mobileconfig").unwrap().body;
    assert_eq!(read_as_apple(own.path(), &profile), digest.replace(':', "").to_lowercase());
    let key = get(&phone, &place, "/.well-known/jellynet/ca.key").unwrap();
    assert_ne!(key.status, 200, "{}", key.body);
    run(&home, at, &data, page.block("export"));
    let exported = openssl(at, "x509 -in ca.crt -noout -fingerprint -sha256");
    assert_eq!(exported, sha);

    // Whoever is not on the LAN is not offered anything.
    home.address("eth0", "203.0.113.1/24");
    phone.address("eth0", &format!("{STRANGER}/24"));
    let answer = get(&phone, "203.0.113.1:8096", "/.well-known/jellynet/ca.crt").unwrap();
    assert_ne!(answer.status, 200, "{}", answer.head);

    // An address that comes changes the certificate and not the root.
    home.address("eth0", "192.168.9.1/24");
    phone.address("eth0", "192.168.9.2/24");
    let mut curl = Command::new("curl");
    curl.args(["-fs", "--cacert", "ca.pem", "https://192.168.9.1:8920/health"]);
    curl.current_dir(own.path());
    peer::wait_until("a certificate for the new address", crate::rig::SOON, || {
        phone.run(|| curl.output().unwrap()).status.success()
    });
}

/// The digest of the root in a configuration profile, that libplist and Python read as what Apple
/// describes.
fn read_as_apple(folder: &Path, profile: &str) -> String {
    let file = folder.join("ca.mobileconfig");
    fs::write(&file, profile).unwrap();
    if let Some(plistutil) = peer::find_with("plistutil", &["--version"]) {
        let binary = folder.join("ca.bplist");
        let mut command = plistutil.command();
        command.arg("-i").arg(&file).arg("-o").arg(&binary).args(["-f", "bin"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(fs::read(&binary).unwrap().starts_with(b"bplist00"), "{output:?}");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/peers/profile.py");
    let output = Command::new("python3").arg(script).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let good = said.trim().strip_prefix("good ").unwrap_or_else(|| panic!("{output:?}"));
    good.to_owned()
}
