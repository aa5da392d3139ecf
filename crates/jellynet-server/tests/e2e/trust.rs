//! Whom the binary believes that it is the upstream, with the authorities of this host.

use std::process::Command;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};

use crate::rig::{ADMIN, Folder, SOON, Server, get, jellynet};

/// A CA, and two certificates of it for 127.0.0.1: a good one, and one that has expired.
const CERTIFY: &str = "
    key() { echo -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $1.key; }
    openssl req -x509 $(key ca) -out ca.pem -days 2 -subj /CN=ca
    printf '[ca]\\ndefault_ca=a\\n[a]\\ndatabase=index\\nnew_certs_dir=.\\ndefault_md=sha256\\n' > conf
    printf 'policy=p\\nrand_serial=yes\\n[p]\\ncommonName=supplied\\n' >> conf
    printf '[x]\\nsubjectAltName=IP:127.0.0.1\\nbasicConstraints=critical,CA:FALSE\\n' >> conf
    touch index
    issue() { openssl req $(key $1) -subj /CN=$1 -out $1.csr
        openssl ca -batch -notext -config conf -cert ca.pem -keyfile ca.key -extensions x \
            -in $1.csr -out $1.pem -startdate $2 -enddate $3; }
    issue good 20240101000000Z 20480101000000Z
    issue old 20240101000000Z 20240201000000Z
    : > nobody.pem";
const GOOD: &str = "127.0.0.1:8441";
const OLD: &str = "127.0.0.1:8442";

/// A folder of certificates, and nginx that shows them; `None`, after saying so, without it.
fn media_servers(host: &Namespace) -> Option<(Folder, Process)> {
    peer::find_with("openssl", &["version"])?;
    let program = peer::find_with("nginx", &["-v"])?;
    let folder = Folder::new();
    let mut certify = Command::new("bash");
    let output = certify.args(["-ec", CERTIFY]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let here = folder.path().display();
    let servers = [(GOOD, "good"), (OLD, "old")].map(|(address, name)| {
        format!(
            "server {{ listen {address} ssl; ssl_certificate {here}/{name}.pem;
               ssl_certificate_key {here}/{name}.key; location / {{ return 200 \"{name}\"; }} }}\n"
        )
    });
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
        .concat();
    let text = format!(
        "daemon off; worker_processes 1; user root; pid {here}/pid; error_log stderr;
         events {{ worker_connections 64; }} http {{ access_log off; {temporary} {} }}",
        servers.concat()
    );
    let config = folder.write("nginx.conf", &text);
    let mut command = program.command();
    command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(config);
    let nginx = host.spawn(command);
    peer::wait_until("nginx", SOON, || get(host, OLD, "/").is_ok());
    Some((folder, nginx))
}

/// A program that is told which authorities this host trusts.
fn trusting(folder: &Folder, file: &str) -> Command {
    let mut command = Command::new("env");
    command.args(["-u", "SSL_CERT_DIR"]);
    command.arg(format!("SSL_CERT_FILE={}", folder.path().join(file).display()));
    command
}

fn towards(address: &str) -> String {
    format!(
        "[admin]\nlisten = ['{ADMIN}']\n[discovery]\nenabled = false\n\
         [[upstream]]\nurl = 'https://{address}'\n"
    )
}

#[test]
fn the_authorities_of_this_host_are_believed_and_an_expired_certificate_is_named() {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let Some((folder, _nginx)) = media_servers(&host) else { return };
    let ask = || get(&host, "127.0.0.1:8096", "/x").unwrap();

    let server = Server::start_by(&host, trusting(&folder, "ca.pem"), &towards(GOOD));
    peer::wait_until("the upstream", SOON, || ask().status == 200);
    assert_eq!(ask().body, "good");
    server.process.terminate();
    server.process.wait(SOON);

    let server = Server::start_by(&host, trusting(&folder, "ca.pem"), &towards(OLD));
    let told = "the certificate of the upstream 127.0.0.1 has expired, or this host's clock is \
                wrong: renew it where the upstream runs";
    server.process.wait_for_line(told, SOON);
    let answer = ask();
    assert_eq!(answer.status, 502, "{}", answer.head);
    assert!(!answer.body.contains("expired"), "clients are told little: {}", answer.body);
    let ready = get(&host, ADMIN, "/ready").unwrap();
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains(told), "{}", ready.body);
}

#[test]
fn a_host_that_trusts_nobody_says_so_before_it_serves() {
    let folder = Folder::new();
    folder.write("nobody.pem", "");
    let config = folder.write("jellynet.toml", &towards(GOOD));
    let mut program = jellynet(&["check", "--config"]);
    program.arg(&config).env_remove("SSL_CERT_DIR");
    program.env("SSL_CERT_FILE", folder.path().join("nobody.pem"));
    let output = program.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("upstream[0].url"), "{told}");
    assert!(told.contains("install ca-certificates, or name the upstream's own CA"), "{told}");
}
