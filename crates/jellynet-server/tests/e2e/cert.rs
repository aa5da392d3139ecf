//! `jellynet cert`: looked at, made, converted, compared; openssl is the other opinion.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use jellynet_test::netns::Namespace;
use jellynet_test::peer;
use serde_json::{Value, json};

use crate::rig::{Folder, Server, jellynet};

/// Runs openssl in a folder and gives what it prints.
pub(crate) fn openssl(folder: &Path, arguments: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A certificate and its key as `{name}.pem` and `{name}.key`.
pub(crate) fn issue(folder: &Path, name: &str, san: &str) {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN={name} \
             -addext subjectAltName={san} -keyout {name}.key -out {name}.pem"
        ),
    );
}

/// The SHA-256 of a certificate, as `inspect` writes it.
pub(crate) fn fingerprint(folder: &Path, file: &str) -> String {
    let text = openssl(folder, &format!("x509 -in {file} -noout -fingerprint -sha256"));
    hex(&text)
}

/// `sha256 Fingerprint=AB:CD…` as `abcd…`.
pub(crate) fn hex(text: &str) -> String {
    let (_, value) = text.trim().split_once('=').unwrap_or_default();
    value.replace(':', "").to_ascii_lowercase()
}

/// `tv.pem`, `tv.key`, `tv.pfx` without a password, `locked.pfx` with one, and passwords; nothing
/// where there is no openssl.
fn files() -> Option<Folder> {
    peer::find_with("openssl", &["version"])?;
    let folder = Folder::new();
    let at = folder.path();
    issue(at, "tv", "DNS:tv.lan,IP:127.0.0.1");
    issue(at, "other", "DNS:other.lan");
    openssl(at, "pkcs12 -export -out tv.pfx -inkey tv.key -in tv.pem -passout pass:");
    openssl(at, "pkcs12 -export -out locked.pfx -inkey tv.key -in tv.pem -passout pass:secret");
    folder.write("password", "secret\n");
    folder.write("wrong", "guess\n");
    Some(folder)
}

/// `jellynet cert …` in a folder: the exit code, and what it printed.
fn cert(folder: &Path, arguments: &str) -> (i32, String, String) {
    let words: Vec<_> = ["cert"].into_iter().chain(arguments.split(' ')).collect();
    let output = jellynet(&words).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn inspect(folder: &Path, arguments: &str) -> (i32, Value) {
    let (code, out, _) = cert(folder, &format!("inspect {arguments} --format json"));
    (code, serde_json::from_str(&out).unwrap())
}

#[test]
fn inspect_tells_what_would_be_served() {
    let Some(folder) = files() else { return };
    let at = folder.path();
    let sha = fingerprint(at, "tv.pem");
    for (arguments, format) in [
        ("tv.pfx", "pkcs12"),
        ("locked.pfx --password-file password", "pkcs12"),
        ("tv.pem --key tv.key", "pem"),
    ] {
        let (code, found) = inspect(at, arguments);
        assert_eq!(code, 0, "{arguments}: {found}");
        assert_eq!(found["format"], format, "{arguments}");
        let leaf = &found["leaf"];
        assert_eq!((&leaf["subject"], &leaf["issuer"]), (&json!("CN=tv"), &json!("CN=tv")));
        assert_eq!(leaf["sans"], json!(["tv.lan", "127.0.0.1"]));
        assert_eq!(leaf["sha256"], sha.as_str());
        assert!(leaf["not_before"].as_str().unwrap() < leaf["not_after"].as_str().unwrap());
        assert_eq!(found["served_sha256"], json!([sha]));
        assert_eq!(found["key"]["type"], "ecdsa-p256");
        assert_eq!(found["key"]["spki_sha256"].as_str().unwrap().len(), 64);
        assert_eq!(found["warnings"], json!([]), "{arguments}");
    }
    let (_, text, _) = cert(at, "inspect tv.pfx");
    assert!(text.contains("CN=tv") && text.contains(&sha), "{text}");
}

#[test]
fn inspect_warns_of_what_clients_refuse() {
    let Some(folder) = files() else { return };
    let at = folder.path();
    openssl(
        at,
        "req -x509 -newkey ed25519 -nodes -days 3 -subj /CN=bare -keyout bare.key -out bare.pem",
    );
    let (code, found) = inspect(at, "bare.pem --key bare.key");
    assert_eq!((code, &found["key"]["type"]), (0, &json!("ed25519")));
    let warnings = found["warnings"].as_array().unwrap();
    // Three days are its whole life, and no reason to warn of its end.
    let kinds: Vec<_> = warnings.iter().map(|w| &w["kind"]).collect();
    assert_eq!(kinds, ["no-san"], "{found}");
    assert!(warnings[0]["message"].is_string(), "{found}");
}

#[test]
fn inspect_names_the_kind_of_error_and_ends_with_3() {
    let Some(folder) = files() else { return };
    let at = folder.path();
    folder.write("text.pfx", "no certificate at all\n");
    let whole = fs::read(at.join("tv.pfx")).unwrap();
    fs::write(at.join("cut.pfx"), &whole[..whole.len() / 2]).unwrap();
    for (arguments, kind) in [
        ("locked.pfx --password-file wrong", "wrong-password"),
        ("locked.pfx", "wrong-password"),
        ("tv.pem", "no-private-key"),
        ("tv.key", "no-certificate"),
        ("tv.pem --key other.key", "key-mismatch"),
        ("nothing.pfx", "io"),
        ("text.pfx", "not-pkcs12"),
        ("cut.pfx", "malformed"),
    ] {
        let (code, found) = inspect(at, arguments);
        assert_eq!(code, 3, "{arguments}: {found}");
        assert_eq!(found["error"]["kind"], kind, "{arguments}: {found}");
        let file = arguments.split(' ').next().unwrap();
        let message = found["error"]["message"].as_str().unwrap();
        assert!(message.contains(file), "{arguments}: {message}");
        assert_eq!(found.as_object().unwrap().len(), 1, "{found}");
    }
}

#[test]
fn a_self_signed_certificate_is_for_this_host_and_made_once() {
    let Some(folder) = files() else { return };
    let at = folder.path();
    let (code, out, err) = cert(at, "self-signed --name tv.lan own.pem");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("made own.pem"), "{out}");
    let names = openssl(at, "x509 -in own.pem -noout -ext subjectAltName");
    assert!(names.contains("DNS:tv.lan") && names.contains("127.0.0.1"), "{names}");
    let mode = fs::metadata(at.join("own.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    openssl(at, "pkey -in own.pem -noout");
    let before = fingerprint(at, "own.pem");
    let (_, out, _) = cert(at, "self-signed --name tv.lan own.pem");
    assert!(out.contains("left as it is"), "{out}");
    assert_eq!(fingerprint(at, "own.pem"), before);
    assert_eq!(inspect(at, "own.pem").0, 0);
}

#[test]
fn what_is_converted_openssl_reads_back() {
    let Some(folder) = files() else { return };
    let at = folder.path();
    let sha = fingerprint(at, "tv.pem");
    let convert = |arguments: &str| {
        let (code, _, err) = cert(at, &format!("convert {arguments}"));
        assert_eq!(code, 0, "{arguments}: {err}");
    };
    let read = |arguments: &str| {
        let pem = openssl(at, &format!("pkcs12 -in {arguments} -nodes"));
        assert!(pem.contains("PRIVATE KEY"), "{arguments}: {pem}");
        folder.write("read.pem", &pem);
        assert_eq!(fingerprint(at, "read.pem"), sha, "{arguments}");
    };
    convert("tv.pem --key tv.key new.pfx");
    read("new.pfx -passin pass:");
    convert("tv.pem --key tv.key new-locked.pfx --new-password-file password");
    read("new-locked.pfx -passin pass:secret");
    convert("tv.pem --key tv.key old.pfx --to pkcs12-legacy --new-password-file password");
    read("old.pfx -legacy -passin pass:secret");

    convert("locked.pfx --password-file password new.pem --to pem");
    assert_eq!(fingerprint(at, "new.pem"), sha);
    assert_eq!(openssl(at, "pkey -in new.pem"), openssl(at, "pkey -in tv.key"));
    convert("tv.pfx new.key --to pem-key");
    assert_eq!(openssl(at, "pkey -in new.key"), openssl(at, "pkey -in tv.key"));
    convert("tv.pfx new.der --to der");
    let der = openssl(at, "x509 -inform der -in new.der -noout -fingerprint -sha256");
    assert_eq!(hex(&der), sha);
    let mode = fs::metadata(at.join("new.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let (code, _, err) = cert(at, "convert locked.pfx never.pem --to pem --password-file wrong");
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("locked.pfx") && err.contains("password"), "{err}");
    assert!(!PathBuf::from(at).join("never.pem").exists());
}

#[test]
fn serve_check_compares_with_the_file() {
    let Some(folder) = files() else { return };
    let Some(host) = Namespace::new("jellynet-server") else {
        return;
    };
    let certificate = folder.path().join("locked.pfx");
    let password = folder.path().join("password");
    let _server = Server::start(
        &host,
        &format!(
            "[[identity]]\ncertificate = '{}'\npassword_file = '{}'\n",
            certificate.display(),
            password.display()
        ),
    );
    let check = |arguments: &str| {
        let arguments = format!("serve-check 127.0.0.1:8920 --format json {arguments}");
        let (code, out, err) = host.run(|| cert(folder.path(), arguments.trim_end()));
        (code, serde_json::from_str::<Value>(&out).unwrap_or_default(), err)
    };
    let sha = fingerprint(folder.path(), "tv.pem");
    let (code, report, err) = check("");
    assert_eq!((code, &report["served_sha256"]), (0, &json!([sha])), "{err}");
    let (code, report, _) = check("--expect locked.pfx --password-file password");
    assert_eq!((code, &report["as_expected"]), (0, &json!(true)), "{report}");
    cert(folder.path(), "self-signed other-own.pem");
    let (code, report, _) = check("--expect other-own.pem");
    assert_eq!((code, &report["as_expected"]), (3, &json!(false)), "{report}");
    let (code, _, err) = host.run(|| cert(folder.path(), "serve-check 127.0.0.1:1"));
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("127.0.0.1:1"), "{err}");
}
