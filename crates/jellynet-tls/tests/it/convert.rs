//! From any notation to any other, read back by others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jellynet_test::peer;
use jellynet_tls::{Encryption, Identity, Output, Password, Source, Timestamp, convert};

use crate::support::{corpus, folder, loader};

const PASSWORDS: [&str; 4] = ["secret", "", "pässwörd", "🔑"];

fn outputs(password: &str) -> [(&'static str, Output<'_>); 2] {
    [Encryption::Modern, Encryption::Legacy]
        .map(|encryption| {
            (if encryption == Encryption::Modern { "modern" } else { "legacy" }, encryption)
        })
        .map(|(name, encryption)| (name, Output::Pkcs12 { password, encryption }))
}

fn source() -> Option<Source> {
    let corpus = corpus()?;
    Some(Source::new(corpus.folder.join("rsa-both.pem")))
}

fn load(path: &Path, password: &str) -> Identity {
    let source = Source::new(path).with_password(Password::text(password));
    loader().load(&source, Timestamp::now()).unwrap()
}

#[test]
fn what_is_written_is_read_again() {
    let Some(source) = source() else { return };
    let folder = folder("convert-own");
    let now = Timestamp::now();
    let original = loader().load(&source, now).unwrap();
    for password in PASSWORDS {
        for (name, output) in outputs(password) {
            let path = folder.join(name);
            convert(&source, &loader(), output, &path, now).unwrap();
            let back = load(&path, password);
            assert_eq!(back.info().served_sha256, original.info().served_sha256);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    let path = folder.join("all.pem");
    convert(&source, &loader(), Output::Pem, &path, now).unwrap();
    assert_eq!(load(&path, "").info().served_sha256, original.info().served_sha256);
}

#[test]
fn openssl_reads_what_is_written() {
    let (Some(source), Some(openssl)) = (source(), peer::find_with("openssl", &["version"])) else {
        return;
    };
    let folder = folder("convert-openssl");
    for password in PASSWORDS {
        for (name, output) in outputs(password) {
            let path = folder.join(format!("{name}.p12"));
            convert(&source, &loader(), output, &path, Timestamp::now()).unwrap();
            let mut command = openssl.command();
            command.args([
                "pkcs12",
                "-info",
                "-nodes",
                "-passin",
                &format!("pass:{password}"),
                "-in",
            ]);
            let output = command.arg(&path).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{output:?}");
            assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{text}");
            assert!(text.contains("BEGIN PRIVATE KEY"), "{text}");
        }
    }
}

#[test]
fn keytool_reads_what_is_written() {
    let (Some(source), Some(keytool)) = (source(), peer::find_with("keytool", &[])) else {
        return;
    };
    let folder = folder("convert-keytool");
    for (name, output) in outputs("secret") {
        let path = folder.join(format!("{name}.p12"));
        convert(&source, &loader(), output, &path, Timestamp::now()).unwrap();
        let mut command = keytool.command();
        command.args(["-list", "-v", "-storetype", "PKCS12", "-storepass", "secret", "-keystore"]);
        let output = command.arg(&path).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("PrivateKeyEntry"), "{output:?}");
        assert!(text.contains("Certificate chain length: 2"), "{text}");
    }
}

#[test]
fn pk12util_reads_what_is_written() {
    let (Some(source), Some(pk12util)) = (source(), peer::find_with("pk12util", &[])) else {
        return;
    };
    let folder = folder("convert-nss");
    for (name, output) in outputs("secret") {
        let path = folder.join(format!("{name}.p12"));
        convert(&source, &loader(), output, &path, Timestamp::now()).unwrap();
        let output =
            pk12util.command().arg("-l").arg(&path).args(["-W", "secret"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("example.org"), "{output:?}");
    }
}
