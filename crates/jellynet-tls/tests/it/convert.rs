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
fn an_output_without_a_key_needs_none() {
    let Some(corpus) = corpus() else { return };
    let folder = folder("convert-parts");
    let now = Timestamp::now();
    let whole = loader().load(&source().unwrap(), now).unwrap();
    let put = |name: &str, output| {
        let path = folder.join(name);
        fs::write(&path, &*whole.export(output, loader().provider()).unwrap()).unwrap();
        path
    };
    let (certificates, key) =
        (put("certificates.pem", Output::PemCertificates), put("key.pem", Output::PemKey));
    // The other way round, as some makers write them.
    let text = fs::read_to_string(&certificates).unwrap();
    let mut sections: Vec<&str> = text.split_inclusive("-----END CERTIFICATE-----\n").collect();
    sections.reverse();
    fs::write(&certificates, sections.concat()).unwrap();
    let target = folder.join("target");
    let to = |path: &Path, output| {
        convert(&Source::new(path), &loader(), output, &target, now)?;
        Ok::<_, jellynet_tls::ConvertError>(fs::read(&target).unwrap())
    };
    assert_eq!(to(&certificates, Output::PemCertificates).unwrap(), text.as_bytes());
    let der = to(&certificates, Output::DerCertificate).unwrap();
    assert_eq!(der, whole.chain()[0].to_vec());
    fs::write(folder.join("leaf.der"), &der).unwrap();
    assert_eq!(to(&folder.join("leaf.der"), Output::DerCertificate).unwrap(), der);
    assert_eq!(to(&key, Output::PemKey).unwrap(), fs::read(&key).unwrap());

    let error = to(&certificates, Output::Pem).unwrap_err();
    let said = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, jellynet_tls::ConvertError::Load(_)), "{said}");
    assert!(to(&key, Output::PemCertificates).is_err());
    // A key of another certificate is a mistake, whatever is asked for.
    let other = Source::new(corpus.folder.join("p256-both.pem"));
    let stranger = folder.join("stranger.pem");
    convert(&other, &loader(), Output::PemKey, &stranger, now).unwrap();
    let pair = Source::new(&certificates).with_key(&stranger);
    assert!(convert(&pair, &loader(), Output::PemCertificates, &target, now).is_err());
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

#[test]
fn certtool_reads_what_is_written() {
    let (Some(source), Some(certtool)) = (source(), peer::find("certtool")) else {
        return;
    };
    let folder = folder("convert-gnutls");
    for (name, output) in outputs("secret") {
        let path = folder.join(format!("{name}.p12"));
        convert(&source, &loader(), output, &path, Timestamp::now()).unwrap();
        let mut command = certtool.command();
        command.args(["--p12-info", "--inder", "--password", "secret", "--infile"]).arg(&path);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{text}");
        assert!(text.contains("PRIVATE KEY"), "{text}");
    }
}

/// Windows takes the certificate for a key's that has the same local key id, and of old the cipher
/// and the digest of the legacy file alone.
#[test]
fn readers_like_that_of_windows_find_the_certificate_of_the_key() {
    let (Some(source), Some(node)) = (source(), peer::find_node("node-forge")) else {
        return;
    };
    let folder = folder("convert-forge");
    for (name, output) in outputs("secret") {
        let path = folder.join(format!("{name}.p12"));
        convert(&source, &loader(), output, &path, Timestamp::now()).unwrap();
        let mut command = node.command();
        command.args(["-e", FORGE]).arg(&path);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(text.trim(), "2 certificates, that of the key is example.org", "{name}");
    }
    let mut command = peer::find_with("openssl", &["version"]).unwrap().command();
    command.args(["pkcs12", "-info", "-noout", "-legacy", "-passin", "pass:secret", "-in"]);
    let output = command.arg(folder.join("legacy.p12")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("MAC: sha1,"), "{said}");
    assert_eq!(said.matches("pbeWithSHA1And3-KeyTripleDES-CBC").count(), 2, "{said}");
}

/// Reads with node-forge, and pairs as Windows does.
const FORGE: &str = r#"
const forge = require("node-forge"), crypto = require("crypto"), oids = forge.pki.oids;
const file = require("fs").readFileSync(process.argv[1], "binary");
const p12 = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(file), "secret");
const keyBag = p12.getBags({ bagType: oids.pkcs8ShroudedKeyBag })[oids.pkcs8ShroudedKeyBag][0];
const certificates = p12.getBags({ bagType: oids.certBag })[oids.certBag];
const id = keyBag.attributes.localKeyId[0];
const pairs = certificates.filter(bag => (bag.attributes.localKeyId || []).includes(id));
if (pairs.length != 1) throw new Error(pairs.length + " certificates have the key's id");
const der = Buffer.from(forge.asn1.toDer(pairs[0].asn1).getBytes(), "binary");
const certificate = new crypto.X509Certificate(der);
const key = crypto.createPrivateKey(forge.pki.privateKeyToPem(keyBag.key));
if (!certificate.checkPrivateKey(key)) throw new Error("the certificate is another's");
const name = certificate.subject.replace("CN=", "");
console.log(`${certificates.length} certificates, that of the key is ${name}`);
"#;
