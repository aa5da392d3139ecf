//! Certificates of our own making.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use jellynet_test::peer;
use jellynet_tls::{
    LocalAuthority, LocalCertificate, LocalError, Output, Reason, Source, Timestamp, WarningKind,
};

use crate::support::{folder, loader};

const DAY: u64 = 86_400;

#[test]
fn a_self_signed_certificate_is_what_clients_want_of_one() {
    let now = Timestamp::now();
    let identity =
        LocalCertificate::new(["Nas.Local", "192.168.1.5"]).make(None, &loader(), now).unwrap();
    let info = identity.info();
    assert_eq!(info.names, ["nas.local", "192.168.1.5", "localhost", "127.0.0.1", "::1"]);
    assert_eq!(info.subject, "CN=nas.local");
    assert_eq!(info.key.to_string(), "ecdsa-p256");
    assert_eq!(info.not_after.since(info.not_before), Duration::from_secs(397 * DAY));
    assert!(info.self_signed);
    assert_eq!(identity.warnings(now), []);
    let Some(openssl) = peer::find_with("openssl", &["version"]) else {
        return;
    };
    let path = folder("local-text").join("cert.pem");
    fs::write(&path, &*identity.export(Output::PemCertificates, loader().provider()).unwrap())
        .unwrap();
    let text =
        openssl.command().args(["x509", "-noout", "-text", "-in"]).arg(&path).output().unwrap();
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for expected in ["CA:FALSE", "TLS Web Server Authentication", "Digital Signature", "prime256v1"]
    {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}

#[test]
fn it_is_kept_until_two_thirds_of_its_life_or_until_names_change() {
    let path = folder("local-keep").join("self-signed.pem");
    let start = Timestamp::now();
    let wanted = LocalCertificate::new(["nas.local"]);
    let ensure = |wanted: &LocalCertificate, days: u64| {
        let now = start.plus(Duration::from_secs(days * DAY));
        wanted.ensure(&path, None, &loader(), now).unwrap()
    };
    let first = ensure(&wanted, 0);
    assert_eq!(first.made, Some(Reason::Missing));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let same = ensure(&wanted, 264);
    assert_eq!(same.made, None);
    assert_eq!(same.identity.fingerprint(), first.identity.fingerprint());
    assert_eq!(ensure(&wanted, 265).made, Some(Reason::Age));
    let more = LocalCertificate::new(["nas.local", "10.0.0.7"]);
    assert_eq!(ensure(&more, 265).made, Some(Reason::Names));
    assert_eq!(ensure(&wanted, 265).made, None, "a name too many does no harm");
}

#[test]
fn nothing_that_is_not_ours_is_overwritten() {
    let path = folder("local-foreign").join("precious.pem");
    fs::write(&path, "something else").unwrap();
    let error =
        LocalCertificate::new(["a"]).ensure(&path, None, &loader(), Timestamp::now()).unwrap_err();
    assert!(matches!(error, LocalError::Existing(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "something else");
    let error = LocalCertificate::new(["a b"]).make(None, &loader(), Timestamp::now()).unwrap_err();
    assert_eq!(error.to_string(), "\"a b\" is neither a host name nor an address");
}

#[test]
fn an_authority_is_made_once_and_vouches_for_this_house_only() {
    let folder = folder("local-authority");
    let path = folder.join("authority.pem");
    let now = Timestamp::now();
    let domains = ["media.example.org".to_owned()];
    let authority = LocalAuthority::open(&path, &domains, &loader(), now).unwrap();
    let again = LocalAuthority::open(&path, &domains, &loader(), now).unwrap();
    assert_eq!(authority.certificate(), again.certificate());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let leaf_path = folder.join("leaf.pem");
    let wanted =
        LocalCertificate::new(["tv.media.example.org", "nas.local", "192.168.1.5", "fd00::5"]);
    let made = wanted.ensure(&leaf_path, Some(&authority), &loader(), now).unwrap();
    assert_eq!(made.identity.info().issuer, authority.subject());
    assert_eq!(wanted.ensure(&leaf_path, Some(&authority), &loader(), now).unwrap().made, None);
    // The root is with the clients; nothing is missing from the chain but that.
    let kinds: Vec<_> = made.identity.warnings(now).iter().map(|warning| warning.kind).collect();
    assert_eq!(kinds, [] as [WarningKind; 0]);
    for foreign in ["bank.example.com", "8.8.8.8", "evilmedia.example.org", "2001:db8::1"] {
        let error =
            LocalCertificate::new([foreign]).make(Some(&authority), &loader(), now).unwrap_err();
        assert!(matches!(error, LocalError::Forbidden { .. }), "{error}");
    }
    // Names that are configured later do not widen what the root permits.
    let more = ["media.example.org".to_owned(), "later.example.org".to_owned()];
    let same = LocalAuthority::open(&path, &more, &loader(), now).unwrap();
    assert!(same.permits("tv.media.example.org") && same.permits("10.1.2.3"), "{same:?}");
    assert!(!same.permits("later.example.org"), "{same:?}");
    let profile = authority.mobileconfig();
    assert!(profile.contains("com.apple.security.root") && !profile.contains('{'), "{profile}");

    let Some(openssl) = peer::find_with("openssl", &["version"]) else {
        return;
    };
    let root = folder.join("root.crt");
    fs::write(&root, authority.certificate_pem()).unwrap();
    let verified = openssl
        .command()
        .args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"])
        .arg(&root)
        .arg(&leaf_path)
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let loaded = loader().load(&Source::new(&leaf_path), now).unwrap();
    assert_eq!(loaded.fingerprint(), made.identity.fingerprint());
}
