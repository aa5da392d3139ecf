//! Certificates from an authority, as the guide says: Pebble on the internet, the server at home,
//! and the configurations that docs/guide/lets-encrypt.md prints.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process, Program};
use jellynet_tls::{Loader, LocalAuthority, LocalCertificate, Output, Timestamp, default_provider};
use serde_json::{Value, json};

use crate::cert::hex;
use crate::proxies::Page;
use crate::rig::{Folder, SOON, get, jellynet};

/// The server's address and the authority's: not the LAN, by the configuration of these tests.
const HOME: &str = "10.9.0.1";
pub(crate) const AUTHORITY: &str = "10.9.0.9";
/// Orders take seconds, and machines are busy.
pub(crate) const ISSUED: Duration = Duration::from_secs(60);
/// What the guide leaves out: where this authority is, and that nobody may come in from there.
pub(crate) const HERE: &str = "[server]\nname = 'home'\n[access]\nremote = false\nlan = ['192.168.0.0/16']\n\
                    [admin]\nlisten = ['127.0.0.1:9096']\n";
/// The folder of this authority below `acme/`.
pub(crate) const STORAGE: &str = "acme/10.9.0.9_14000_dir";

/// Home and the internet.
pub(crate) struct World {
    home: Namespace,
    internet: Namespace,
    pub(crate) folder: Folder,
    pebble: Program,
    _resolver: Process,
}

impl World {
    /// `None`, after saying so, where there are no namespaces or no Pebble.
    pub(crate) fn new() -> Option<Self> {
        for tool in ["curl", "openssl"] {
            let _found = peer::find_with(tool, &[])?;
        }
        let pebble = peer::find_with("pebble", &[])?;
        let resolver = peer::find_with("pebble-challtestsrv", &[])?;
        let (home, internet) =
            (Namespace::new("jellynet-server")?, Namespace::new("jellynet-server")?);
        home.link("eth0", &internet, "eth0");
        home.address("eth0", &format!("{HOME}/24"));
        internet.address("eth0", &format!("{AUTHORITY}/24"));
        let mut command = resolver.command();
        command.args(["-defaultIPv6", "", "-defaultIPv4", HOME, "-http01", "", "-https01", ""]);
        command.args(["-tlsalpn01", "", "-dns01", "127.0.0.1:8053"]);
        command.args(["-management", &format!("{AUTHORITY}:8055")]);
        let resolver = internet.spawn(command);
        let folder = Folder::new();
        let (loader, now) = (Loader::new(default_provider()), Timestamp::now());
        let path = folder.path().join("authority.pem");
        let authority = LocalAuthority::open(&path, &[], &loader, now).unwrap();
        folder.write("root.pem", &authority.certificate_pem());
        let own = LocalCertificate::new([AUTHORITY]).make(Some(&authority), &loader, now).unwrap();
        for (file, output) in [("cert.pem", Output::PemCertificates), ("key.pem", Output::PemKey)] {
            let bytes = own.export(output, loader.provider()).unwrap();
            fs::write(folder.path().join(file), &*bytes).unwrap();
        }
        Some(Self { home, internet, folder, pebble, _resolver: resolver })
    }

    /// The authority, which looks where routers forward 80 and 443 to.
    fn pebble(&self, more: &Value, environment: &[(&str, &str)]) -> Process {
        self.pebble_asking("127.0.0.1:8053", more, environment)
    }

    /// The same, with another name server.
    fn pebble_asking(
        &self,
        name_server: &str,
        more: &Value,
        environment: &[(&str, &str)],
    ) -> Process {
        let at = |port: u16| format!("{AUTHORITY}:{port}");
        let file = |name: &str| self.folder.path().join(name);
        let mut config = json!({
            "listenAddress": at(14000), "managementListenAddress": at(15000),
            "certificate": file("cert.pem"), "privateKey": file("key.pem"),
            "httpPort": 8096, "tlsPort": 8920, "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = self.folder.write("pebble.json", &json!({ "pebble": config }).to_string());
        let mut command = self.pebble.command();
        command.arg("-config").arg(path).args(["-strict", "-dnsserver", name_server]);
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        command.envs(environment.iter().copied());
        let process = self.internet.spawn(command);
        self.internet.run(|| peer::wait_for_port(at(14000).parse().unwrap(), SOON));
        process
    }

    /// The authority of jellynet-tls' own tests, for what Debian's Pebble lacks; `None` if Python's
    /// `cryptography` is missing.
    pub(crate) fn strict(&self, more: &Value) -> Option<Process> {
        let python = peer::find_python("cryptography")?;
        let file = |name: &str| self.folder.path().join(name);
        let mut config = json!({
            "listenAddress": format!("{AUTHORITY}:14000"), "name": AUTHORITY, "prover": HOME,
            "managementListenAddress": format!("{AUTHORITY}:15000"),
            "certificate": file("cert.pem"), "privateKey": file("key.pem"),
            "httpPort": 8096, "tlsPort": 8920, "dnsServer": "127.0.0.1:8053",
            "externalAccountBindingRequired": false,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = self.folder.write("strict.json", &json!({ "pebble": config }).to_string());
        let script = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = python.command();
        command.arg(script.join("../jellynet-tls/tests/authority/server.py")).arg(config);
        let process = self.internet.spawn(command);
        let directory = format!("{AUTHORITY}:14000");
        self.internet.run(|| peer::wait_for_port(directory.parse().unwrap(), SOON));
        Some(process)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A block of the guide, for the authority that is here.
    pub(crate) fn guide(&self, marker: &str) -> String {
        let page = Page::open("lets-encrypt");
        let root = self.folder.path().join("root.pem").display().to_string();
        let here = format!(
            "directory = \"https://{AUTHORITY}:14000/dir\"\ndirectory_root = '{root}'\nretry = '1s'"
        );
        let block = page.block(marker);
        let block = block.replace("directory = \"letsencrypt-staging\"", &here);
        block.replace("directory = \"zerossl\"", &here) + "\n"
    }

    fn command(&self, toml: &str) -> Command {
        let config = self.folder.write("jellynet.toml", toml);
        let (config, data) = (config.display().to_string(), self.data().display().to_string());
        jellynet(&["--config", &config, "--data-dir", &data])
    }

    /// The server, serving; started again, it finds its data where it left it.
    pub(crate) fn serve(&self, toml: &str) -> Process {
        let process = self.home.spawn(self.command(toml));
        process.wait_for_line("ready to serve", SOON);
        process
    }

    pub(crate) fn shell(&self, script: &str) -> String {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(self.folder.path());
        let output = self.home.run(|| command.output().unwrap());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What openssl is shown: names and fingerprint of the leaf. Without a name it sends none, as
    /// clients do that connect to an address.
    pub(crate) fn shown(&self, name: &str) -> Shown {
        let asks =
            if name.is_empty() { "-noservername".into() } else { format!("-servername {name}") };
        let text = self.shell(&format!(
            "openssl s_client -connect {HOME}:8920 {asks} </dev/null 2>/dev/null \
             | openssl x509 -noout -fingerprint -sha256 -ext subjectAltName"
        ));
        let sha = text.lines().find(|line| line.contains("ingerprint")).unwrap_or_default();
        Shown { sha: hex(sha), names: text }
    }

    pub(crate) fn status(&self) -> Value {
        let answer = get(&self.home, "127.0.0.1:9096", "/status.json").unwrap();
        serde_json::from_str(&answer.body).unwrap()
    }

    /// HTTP at home, whatever happens to HTTPS.
    fn http_serves(&self) {
        let answer = self.home.run(|| crate::rig::ask("127.0.0.1:8096", "GET /health", &[]));
        assert_eq!(answer.unwrap().status, 200);
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) sha: String,
    pub(crate) names: String,
}

/// What the authority was asked.
fn asked(pebble: &Process) -> usize {
    pebble.output().matches("calling handler").count()
}

#[test]
fn tls_alpn_01_needs_no_second_port_and_a_restart_asks_nothing() {
    let Some(world) = World::new() else { return };
    let pebble = world.pebble(&json!({}), &[]);
    let toml = world.guide("tls-alpn-01") + HERE + "[http]\nlisten = ['127.0.0.1:8096']\n";
    let server = world.serve(&toml);
    world.http_serves();
    for step in ["make an account", "ask 10.9.0.9:14000 for", "prove by tls-alpn-01"] {
        server.wait_for_line(step, ISSUED);
    }
    server.wait_for_line("serve issued certificate", ISSUED);
    let first = world.shown("tv.example.org");
    assert!(first.names.contains("DNS:tv.example.org"), "{first:?}");
    assert_eq!(world.shown("elsewhere.example").sha, first.sha, "nothing stands in any more");
    for file in ["account.json", "certificate.pem", "state.json"] {
        let path = world.data().join(STORAGE).join(file);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    let status = world.status();
    let acme = &status["acme"][0];
    assert_eq!(acme["names"], json!(["tv.example.org"]), "{acme}");
    assert_eq!(acme["last_error"], Value::Null, "{acme}");
    assert!(acme["not_after"].is_string() && acme["next_attempt"].is_string(), "{acme}");
    let ready = get(&world.home, "127.0.0.1:9096", "/ready").unwrap();
    assert_eq!(ready.status, 200, "{}", ready.body);

    // Whether the authority suggests a time to renew is asked once, and not at each start.
    let state = world.data().join(STORAGE).join("state.json");
    peer::wait_until("the time of the next question", SOON, || {
        let state: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
        state["ask_at"].as_i64() > Some(Timestamp::now().as_unix() + 3600)
    });
    let before = asked(&pebble);
    assert!(before > 0, "{}", pebble.output());
    drop(server);
    let server = world.serve(&toml);
    assert_eq!(world.shown("tv.example.org"), first, "served from its first moment");
    assert!(!server.output().contains("stand"), "{}", server.output());
    assert_eq!(asked(&pebble), before, "the authority was asked again");

    let expected = world.data().join(STORAGE).join("certificate.pem").display().to_string();
    let page = Page::open("lets-encrypt");
    let words = page.block("check").trim_start_matches("$ jellynet ").to_owned();
    let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
    let at = words.iter().position(|word| word == "--expect").unwrap();
    let mut arguments: Vec<_> = words.iter().map(String::as_str).collect();
    arguments[at + 1] = &expected;
    let output = world.home.run(|| jellynet(&arguments).output().unwrap());
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("as expected"), "{output:?}");
}

#[test]
fn http_01_is_answered_to_anyone_and_nothing_else_is() {
    let Some(world) = World::new() else { return };
    let _pebble = world.pebble(&json!({}), &[]);
    let toml = world.guide("http-01") + HERE + "[base_url]\npath = '/jellyfin'\n";
    let toml = toml.replace("retry = '1s'", "retry = '1s'\nkey_types = ['ecdsa', 'rsa']");
    let server = world.serve(&toml);
    server.wait_for_line("prove by http-01", ISSUED);
    let from_there = |path: &str| get(&world.internet, &format!("{HOME}:8096"), path).unwrap();
    assert_eq!(from_there("/").status, 403);
    assert_eq!(from_there("/.well-known/acme-challenge/guess").status, 403);
    assert_eq!(from_there("/.well-known/acme-challenge/../../health").status, 403);
    // One for each kind of key, for the same names.
    peer::wait_until("both certificates", ISSUED, || {
        server.output().matches("serve issued certificate").count() == 2
    });
    let key = |cipher: &str| {
        world.shell(&format!(
            "openssl s_client -connect {HOME}:8920 -servername music.example.org -tls1_2 \
             -cipher {cipher} </dev/null 2>/dev/null | openssl x509 -noout -text"
        ))
    };
    let old = key("ECDHE-RSA-AES128-GCM-SHA256");
    assert!(old.contains("rsaEncryption") && old.contains("DNS:music.example.org"), "{old}");
    let new = key("ECDHE-ECDSA-AES128-GCM-SHA256");
    assert!(new.contains("id-ecPublicKey"), "{new}");
    let home = get(&world.home, "127.0.0.1:8096", "/jellyfin/web/").unwrap();
    assert_eq!(home.status, 308, "{}", home.head);
}

#[test]
fn dns_01_by_a_hook_proves_wildcards() {
    let Some(world) = World::new() else { return };
    let _pebble = world.pebble(&json!({}), &[]);
    let hook = world.folder.write(
        "hook",
        &format!(
            "#!/bin/sh\ncase \"$1\" in add) path=set-txt ;; *) path=clear-txt ;; esac\n\
             exec curl -fsS -d \"{{\\\"host\\\":\\\"$2.\\\",\\\"value\\\":\\\"$3\\\"}}\" \
             http://{AUTHORITY}:8055/$path >&2\n"
        ),
    );
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let toml = world.guide("dns-01").replace("/etc/jellynet/dns-hook", hook.to_str().unwrap());
    let server = world.serve(&(toml + "dns_wait = '0s'\n" + HERE));
    server.wait_for_line("serve issued certificate", ISSUED);
    let shown = world.shown("any.example.org");
    assert!(shown.names.contains("DNS:*.example.org"), "{shown:?}");

    // A hook that fails is named, with what it wrote.
    world.folder.write("hook", "#!/bin/sh\necho no such zone >&2\nexit 3\n");
    drop(server);
    let toml = fs::read_to_string(world.folder.path().join("jellynet.toml")).unwrap();
    let server = world.serve(&toml.replace("\"example.org\"]", "\"example.org\", \"a.example\"]"));
    let line = server.wait_for_line("ACME gives no certificate", ISSUED);
    assert!(line.contains("no such zone") && line.contains("by hand"), "{line}");
}

#[test]
fn dns_01_by_dynamic_update_proves_wildcards_and_says_what_the_name_server_dislikes() {
    let (Some(world), Some(bind)) = (World::new(), peer::find_with("named", &["-v"])) else {
        return;
    };
    let key = |secret: &str| {
        format!("key \"jellynet\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n")
    };
    let path = world.folder.write("tsig.key", &key("c2VjcmV0IG9mIGEgdGVzdA=="));
    let records = "@ 60 SOA ns hostmaster 1 3600 600 86400 60\n@ 60 NS ns\nns 60 A 10.9.0.9\n";
    world.folder.write("example.org", records);
    let at = world.folder.path().display();
    let config = world.folder.write(
        "named.conf",
        &format!(
            "options {{ directory \"{at}\"; listen-on {{ {AUTHORITY}; }}; listen-on-v6 {{ none; }};\n\
             pid-file none; session-keyfile none; managed-keys-directory \"{at}\"; recursion no; }};\n\
             controls {{ }};\ninclude \"{}\";\nzone \"example.org\" {{ type primary;\n\
             file \"example.org\"; update-policy {{ grant jellynet zonesub TXT; }}; }};\n",
            path.display()
        ),
    );
    let mut command = bind.command();
    command.args(["-g", "-4", "-n", "1", "-c"]).arg(config);
    let _bind = world.internet.spawn(command);
    let server = format!("{AUTHORITY}:53");
    world.internet.run(|| peer::wait_for_port(server.parse().unwrap(), SOON));
    let _pebble = world.pebble_asking(&server, &json!({}), &[]);
    let toml = world.guide("dynamic update").replace("ns.example.org", AUTHORITY);
    let toml = toml.replace("/etc/jellynet/tsig.key", path.to_str().unwrap());
    let toml = toml + "dns_wait = '0s'\n" + HERE;
    let server = world.serve(&toml);
    server.wait_for_line("serve issued certificate", ISSUED);
    let shown = world.shown("any.example.org");
    assert!(shown.names.contains("DNS:*.example.org"), "{shown:?}");
    drop(server);

    world.folder.write("tsig.key", &key("YW5vdGhlciBzZWNyZXQ="));
    let toml = toml.replace("\"example.org\"]", "\"example.org\", \"deep.tv.example.org\"]");
    let server = world.serve(&toml);
    let line = server.wait_for_line("ACME gives no certificate", ISSUED);
    assert!(line.contains("has another secret for the key jellynet"), "{line}");
    assert!(line.contains("acme.dns_key_file"), "{line}");
}

#[test]
fn renewal_disturbs_no_request_and_resumes_no_old_certificate() {
    let Some(world) = World::new() else { return };
    let _pebble = world.pebble(&json!({ "certificateValidityPeriod": 30 }), &[]);
    let server = world.serve(&(world.guide("tls-alpn-01") + HERE));
    server.wait_for_line("serve issued certificate", ISSUED);
    // Requests without end, and a session of the first certificate.
    let load = world.home.spawn({
        let mut command = Command::new("sh");
        let ask = format!("curl -sk -o /dev/null --max-time 10 https://{HOME}:8920/health");
        command.args(["-c", &format!("while {ask}; do echo served; done; echo FAILED $?")]);
        command
    });
    load.wait_for_line("served", SOON);
    let client =
        format!("openssl s_client -connect {HOME}:8920 -servername tv.example.org -tls1_3");
    let first = world.shown("tv.example.org");
    // With a request, since tickets come after the handshake.
    world.shell(&format!(
        "printf 'GET /health HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' \
         | {client} -ign_eof -sess_out session >/dev/null 2>&1"
    ));
    let resumed = |world: &World| {
        let text = world.shell(&format!("{client} -sess_in session </dev/null 2>&1"));
        assert!(text.contains("New, TLSv1.3") || text.contains("Reused, TLSv1.3"), "{text}");
        text.contains("Reused, TLSv1.3")
    };
    let issued = || server.output().matches("serve issued certificate").count();
    let before = resumed(&world);
    assert!(before || issued() > 1, "a session is resumed while the certificate is the same");
    peer::wait_until("a renewal", ISSUED, || issued() > 1);
    let second = world.shown("tv.example.org");
    assert_ne!(second.sha, first.sha, "the next connection has the new one");
    assert!(!resumed(&world), "the old certificate lives on in a session");
    let output = load.output();
    assert!(!output.contains("FAILED"), "{output}");
    assert!(output.matches("served").count() > 3, "{output}");
}

#[test]
fn an_authority_that_is_down_or_forgetful_is_asked_again() {
    let Some(world) = World::new() else { return };
    let server = world.serve(&(world.guide("tls-alpn-01") + HERE));
    let line = server.wait_for_line("ACME gives no certificate", SOON);
    assert!(line.contains("acme.directory") && line.contains("retry_at"), "{line}");
    // Until then something is shown, and HTTP serves.
    assert_eq!(world.shown("tv.example.org").sha.len(), 64);
    world.http_serves();
    let ready = get(&world.home, "127.0.0.1:9096", "/ready").unwrap();
    assert_eq!(ready.status, 200, "{}", ready.body);
    assert!(ready.body.contains("there is none yet"), "{}", ready.body);
    let metrics = get(&world.home, "127.0.0.1:9096", "/metrics").unwrap().body;
    assert!(metrics.contains("jellynet_acme_failures{identity=\"acme\"}"), "{metrics}");
    let _pebble = world.pebble(&json!({}), &[("PEBBLE_WFE_NONCEREJECT", "50")]);
    server.wait_for_line("serve issued certificate", ISSUED);
    assert!(world.shown("tv.example.org").names.contains("DNS:tv.example.org"));
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_authority() {
    let Some(world) = World::new() else { return };
    let more = json!({
        "domainBlocklist": ["tv.example.org"], "externalAccountBindingRequired": true,
        "externalAccountMACKeys": { "kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W" },
    });
    let pebble = world.pebble(&more, &[]);
    let server = world.serve(&(world.guide("tls-alpn-01") + HERE));
    let line = server.wait_for_line("ACME gives no certificate", ISSUED);
    assert!(line.contains("externalAccountRequired") && line.contains("eab_key_id"), "{line}");
    drop(server);
    let key =
        world.folder.write("eab.key", more["externalAccountMACKeys"]["kid-1"].as_str().unwrap());
    let toml = world.guide("external account");
    let toml = toml.replace("/etc/jellynet/eab.key", key.to_str().unwrap()) + HERE;
    let server = world.serve(&toml);
    let line = server.wait_for_line("ACME gives no certificate", ISSUED);
    assert!(line.contains("rejectedIdentifier") && line.contains("acme.domains"), "{line}");
    world.http_serves();
    let status = world.status();
    let acme = &status["acme"][0];
    assert!(acme["last_error"].as_str().unwrap().contains("rejectedIdentifier"), "{acme}");
    assert!(acme["failures"].as_u64() > Some(0) && acme["not_after"].is_null(), "{acme}");
    drop(server);
    // Another name is asked for at once, and nobody has to wait for the pause to end.
    let toml = toml.replace("tv.example.org", "music.example.org");
    let server = world.serve(&toml.replace("retry = '1s'", "retry = '1h'"));
    server.wait_for_line("serve issued certificate", ISSUED);
    drop(pebble);
}

#[test]
fn a_full_disk_keeps_the_old_certificate_until_there_is_room() {
    let Some(world) = World::new() else { return };
    let pebble = world.pebble(&json!({ "certificateValidityPeriod": 40 }), &[]);
    fs::create_dir_all(world.data()).unwrap();
    // A disk of the server's own, full from the beginning.
    let server = world.command(&(world.guide("tls-alpn-01") + HERE));
    let mut command = Command::new("unshare");
    let data = world.data().display().to_string();
    let script = format!(
        "mount -t tmpfs -o size=128k tmpfs '{data}' && cat /dev/zero >'{data}/fill' 2>/dev/null; \
         exec \"$@\""
    );
    command.args(["-m", "sh", "-c", &script, "sh"]).arg(server.get_program());
    command.args(server.get_args()).current_dir(world.folder.path());
    let server = world.home.spawn(command);
    server.wait_for_line("ready to serve", SOON);
    let line = server.wait_for_line("ACME gives no certificate", SOON);
    assert!(line.contains("No space left") && line.contains("make room"), "{line}");
    assert_eq!(asked(&pebble), 0, "{}", pebble.output());
    assert_eq!(world.shown("tv.example.org").sha.len(), 64, "something is shown");
    world.http_serves();
    let disk = PathBuf::from(format!("/proc/{}/root{data}", server.pid()));
    let fill = disk.join("fill");
    fs::remove_file(&fill).unwrap();
    server.wait_for_line("serve issued certificate", ISSUED);
    let first = world.shown("tv.example.org");
    assert!(first.names.contains("DNS:tv.example.org"), "{first:?}");

    // Full again before it is renewed.
    let failures = server.output().matches("ACME gives no certificate").count();
    fill_up(&fill);
    peer::wait_until("a renewal that fails", ISSUED, || {
        server.output().matches("ACME gives no certificate").count() > failures
    });
    assert_eq!(world.shown("tv.example.org"), first, "the old one stays");
    world.http_serves();
    fs::remove_file(&fill).unwrap();
    peer::wait_until("a renewal", ISSUED, || {
        server.output().matches("serve issued certificate").count() > 1
    });
    assert_ne!(world.shown("tv.example.org").sha, first.sha);
}

/// Writes until the disk is full.
fn fill_up(path: &Path) {
    use std::io::Write;

    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
}

#[test]
fn bad_keys_of_acme_are_named_with_what_to_write() {
    let folder = Folder::new();
    let check = |toml: &str| {
        let config = folder.write("bad.toml", toml);
        let output = jellynet(&["check", "--config", config.to_str().unwrap()]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = check(
        "[acme]\ndomains = ['*.example.org', 'nas.lan', '192.168.1.5']\nchallenge = 'http-01'\n\
         directory = 'zerossl'\ncontact = ['nobody']\nretry = '0s'\nkey_types = ['dsa']\n\
         eab_key_file = '/nowhere/key'\n",
    );
    assert_eq!(code, Some(78), "{text}");
    for part in [
        "acme.domains[1]",
        "acme.domains[2]",
        "tls.local_ca",
        "acme.agree_to_terms",
        "https://zerossl.com/terms/",
        "acme.contact[0]",
        "acme.retry",
        "acme.key_types[0]",
        "/nowhere/key",
        "acme.eab_key_id",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    for (toml, part) in [
        ("domains = ['*.example.org']\nagree_to_terms = true", "cannot prove *.example.org"),
        (
            "domains = ['a.example.org']\nchallenge = 'dns-01'\nagree_to_terms = true",
            "acme.dns_hook",
        ),
        (
            "domains = ['a.example.org']\nchallenge = 'dns-01'\ndns_server = 'ns'\n\
             agree_to_terms = true",
            "acme.dns_key_file",
        ),
        (
            "domains = ['a.example.org']\nchallenge = 'dns-01'\ndns_server = 'ns'\n\
             dns_key_file = '/nowhere/key'\nagree_to_terms = true",
            "/nowhere/key",
        ),
        ("agree_to_terms = true", "acme.domains"),
        ("domains = ['a.example.org']\nagree_to_terms = true\ndirectory = 'le'", "letsencrypt"),
    ] {
        let (code, text) = check(&format!("[acme]\n{toml}\n"));
        assert_eq!(code, Some(78), "{text}");
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (code, text) = check("[acme]\ndomains = ['a.example.org']\nagree_to_terms = true\n");
    assert_eq!(code, Some(0), "{text}");
}
