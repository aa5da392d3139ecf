//! Secrets, planted wherever one can stand, and looked for in all that is ever said.

use std::process::Command;

use jellynet_test::netns::Namespace;
use jellynet_test::peer;

use crate::rig::{Folder, MediaServer, SOON, Server, ask, get, jellynet};

const ADMIN: &str = "127.0.0.1:9096";
const PUBLIC: &str = "127.0.0.1:8096";
/// What must not be seen anywhere.
const SECRET: &str = "S3CR3T";

/// Headers that carry a token, as Jellyfin's clients and browsers send them.
const HEADERS: [&str; 8] = [
    "Authorization: MediaBrowser Client=\"x\", Token=\"S3CR3T\"",
    "X-Emby-Authorization: MediaBrowser Token=\"S3CR3T\"",
    "X-Emby-Token: S3CR3T",
    "X-MediaBrowser-Token: S3CR3T",
    "Proxy-Authorization: Basic S3CR3T",
    "Cookie: session=S3CR3T; token=S3CR3T",
    "Referer: http://user:S3CR3T@tv.example/web?ApiKey=S3CR3T&page=2#/x?api_key=S3CR3T",
    "X-Forwarded-For: 198.51.100.9",
];

/// Queries in every spelling.
const QUERIES: [&str; 8] = [
    "api_key=S3CR3T",
    "ApiKey=S3CR3T",
    "APIKEY=S3CR3T",
    "api%5Fkey=S3CR3T",
    "%61%70%69_key=S3CR3T",
    "a=1;X-Emby-Token=S3CR3T",
    "X-MediaBrowser-Token=S3CR3T&b=2",
    "token=S3CR3T&password=S3CR3T",
];

/// A PKCS#12 file with the secret as its password.
fn pkcs12(folder: &Folder) -> String {
    let script = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=tv.lan \
         -addext subjectAltName=DNS:tv.lan -days 30 -keyout k.pem -out c.pem 2>/dev/null \
         && openssl pkcs12 -export -inkey k.pem -in c.pem -passout pass:{SECRET} -out tv.pfx"
    );
    let status =
        Command::new("sh").args(["-c", &script]).current_dir(folder.path()).status().unwrap();
    assert!(status.success());
    folder.path().join("tv.pfx").display().to_string()
}

fn said(on: &Namespace, arguments: &[&str]) -> String {
    let mut command = jellynet(arguments);
    let output = on.run(|| command.output().unwrap());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn clean(what: &str, text: &str) {
    assert!(!text.is_empty(), "{what} says nothing");
    assert!(!text.contains(SECRET), "{what} tells the secret:\n{text}");
}

#[test]
fn no_secret_is_ever_told() {
    if peer::find_with("openssl", &["version"]).is_none() {
        return;
    }
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let folder = Folder::new();
    let certificate = pkcs12(&folder);
    MediaServer::start(&host, "127.0.0.1:8097");
    for (format, upstream) in
        [("json", "[[upstream]]\nurl = 'http://127.0.0.1:8097'\n"), ("combined", "")]
    {
        let config = format!(
            "[admin]\nlisten = ['127.0.0.1:9096']\npublic_metrics = true\n\
             [log]\naccess = '{format}'\nlevel = 'debug'\n\
             [[identity]]\ncertificate = '{certificate}'\npassword = '{SECRET}'\n{upstream}"
        );
        let server = Server::start(&host, &config);
        for query in QUERIES {
            let request = format!("GET /Videos/1?{query}&kept=7");
            host.run(|| ask(PUBLIC, &request, &HEADERS).unwrap());
        }
        server.process.wait_for_line("token=***&password=***", SOON);
        let page = host.run(|| ask(PUBLIC, "GET /?api_key=S3CR3T", &HEADERS[2..6]).unwrap().body);
        if upstream.is_empty() {
            clean("the page", &page);
        }
        for path in ["/ready", "/status.json", "/metrics"] {
            clean(path, &get(&host, ADMIN, path).unwrap().body);
        }
        clean("public metrics", &get(&host, PUBLIC, "/metrics").unwrap().body);
        let file = server.folder.path().join("jellynet.toml");
        let file = file.to_str().unwrap();
        clean("doctor", &said(&host, &["doctor", "--config", file]));
        clean("doctor, as JSON", &said(&host, &["doctor", "--format", "json", "--config", file]));
        clean("print-config", &said(&host, &["print-config", "--config", file]));
        clean("check", &said(&host, &["check", "--config", file]));
        clean("explain", &said(&host, &["explain", "--peer", "10.0.0.1", "--config", file]));
        // A new password that is wrong, and a key that is bad: both are said, neither is shown.
        let wrong = config.replace("password = 'S3CR3T'", "password = 'S3CR3T-too'");
        std::fs::write(file, wrong).unwrap();
        server.process.hang_up();
        server.process.wait_for_line("keep the configuration in force", SOON);
        clean("doctor of a wrong password", &said(&host, &["doctor", "--config", file]));
        server.process.terminate();
        server.process.wait(SOON);
        let output = server.process.output();
        assert!(output.contains("kept=7") && output.contains("***"), "{output}");
        clean("the log", &output);
    }
}
