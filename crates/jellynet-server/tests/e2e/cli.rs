//! The command line: what is said, and the exit code.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::Process;

use crate::rig::{Folder, SOON, Server, get, jellynet};

fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn help_and_version_help() {
    let (code, out, _) = run(jellynet(&["--help"]));
    assert_eq!(code, 0);
    for part in ["discover", "interfaces", "check", "--listen", "JELLYNET_", "78"] {
        assert!(out.contains(part), "{part} is not in\n{out}");
    }
    // As whoever builds says; CI does.
    let commit = option_env!("JELLYNET_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    assert_eq!(
        run(jellynet(&["--version"])).1,
        format!("jellynet {}{commit}\n", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(run(jellynet(&["--no-such-flag"])).0, 2);
}

#[test]
fn the_configuration_is_printed_with_its_origins() {
    let folder = Folder::new();
    let config = folder.write("c.toml", "[http]\nlisten = ['*:1', '*:2']\nidle_timeout = '5s'\n");
    let mut command = jellynet(&["print-config", "--name", "TV", "--config"]);
    command.arg(&config).env("JELLYNET_HTTP__IDLE_TIMEOUT", "7s");
    let (code, out, _) = run(command);
    assert_eq!(code, 0);
    for line in [
        "http.idle_timeout = \"7s\"  # environment variable JELLYNET_HTTP__IDLE_TIMEOUT\n",
        "server.name = \"TV\"  # flag --name\n",
        "# log.level: default\n",
    ] {
        assert!(out.contains(line), "{line} is not in\n{out}");
    }
    assert!(out.contains("http.listen = [\"*:1\", \"*:2\"]  # "), "{out}");
}

#[test]
fn check_reports_all_bad_keys_at_once() {
    let folder = Folder::new();
    let config = folder.write(
        "bad.toml",
        "[http]\nlisten = ['*:8096', 'nonsense']\nlistne = 1\n[access]\nlan = ['10.0.0.0/8', 'fd23:184f:2029:0100/56']\n[base_url]\npath = '/a/../b'\n",
    );
    let (code, _, err) = run(jellynet(&["check", "--config", config.to_str().unwrap()]));
    assert_eq!(code, 78, "{err}");
    for part in [
        "4 problems",
        "http.listen[1]",
        "http.listne",
        "did you mean http.listen?",
        "access.lan[1]",
        "fd23:184f:2029:0100::/56",
        "base_url.path",
        "line 7",
    ] {
        assert!(err.contains(part), "{part} is not in\n{err}");
    }
}

#[test]
fn check_is_content_with_a_good_configuration() {
    let folder = Folder::new();
    let config = folder.write("good.toml", "[http]\nlisten = ['*:9000']\n");
    let (code, out, _) = run(jellynet(&["check", "--config", config.to_str().unwrap()]));
    assert_eq!(code, 0);
    assert!(out.contains("good"), "{out}");
}

#[test]
fn the_environment_is_read_and_its_errors_are_named() {
    let mut command = jellynet(&["check"]);
    command.env("JELLYNET_HTTP__LISTEN", "*:8096,bad").env("JELLYNET_HTTP_LISTEN", "*:1");
    let (code, _, err) = run(command);
    assert_eq!(code, 78);
    assert!(err.contains("http.listen[1] (environment variable JELLYNET_HTTP__LISTEN)"), "{err}");
    assert!(err.contains("JELLYNET_HTTP_LISTEN"), "{err}");
}

#[test]
fn what_a_proxy_sets_can_be_said_in_a_variable() {
    let explain = |known: &str| {
        let mut command = jellynet(&["explain", "--peer", "10.0.0.2", "--format", "json"]);
        for header in ["For: 192.0.2.7", "Proto: https", "Host: forged.example"] {
            command.args(["-H", &format!("X-Forwarded-{header}")]);
        }
        command.args(["-H", "Host: tv.lan"]).env("JELLYNET_PROXIES__KNOWN", known);
        run(command)
    };
    let (code, out, err) = explain("10.0.0.9, 10.0.0.2 sets for+proto");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("192.0.2.7") && out.contains("https"), "{out}");
    assert!(
        out.contains("tv.lan") && !out.contains("forged"),
        "the host is not the proxy's: {out}"
    );
    // With a comma, `proto` would be a proxy of this name, and nobody would be told.
    let (code, _, err) = explain("10.0.0.2 sets for,proto");
    assert_eq!(code, 78);
    assert!(err.contains("proxies.known[1]"), "{err}");
    assert!(err.contains("write `10.0.0.2 sets for+proto`"), "{err}");
}

#[test]
fn a_missing_configuration_or_directory_is_named() {
    let (code, _, err) = run(jellynet(&["check", "--config", "/nonexistent/j.toml"]));
    assert_eq!(code, 78);
    assert!(err.contains("/nonexistent/j.toml") && err.contains("No such file"), "{err}");
    let (code, _, err) = run(jellynet(&["check", "--web-directory", "/nonexistent/web"]));
    assert_eq!(code, 78);
    assert!(
        err.contains("web.directory (flag --web-directory)") && err.contains("/nonexistent/web"),
        "{err}"
    );
}

#[test]
fn a_busy_port_is_named_with_its_holder() {
    let Some(host) = Namespace::new("jellynet-server") else {
        return;
    };
    let _busy = host.run(|| TcpListener::bind("0.0.0.0:8096").unwrap());
    let server = Server::start_unready(&host, "[http]\nlisten = ['127.0.0.1:8096']\n");
    let status = server.process.wait(SOON);
    assert_eq!(status.code(), Some(75), "{}", server.process.output());
    let output = server.process.output();
    assert!(output.contains("127.0.0.1:8096"), "{output}");
    assert!(output.contains(&std::process::id().to_string()), "the holder is this test:\n{output}");
}

#[test]
fn what_can_still_serve_serves() {
    let Some(host) = Namespace::new("jellynet-server") else {
        return;
    };
    let _busy = host.run(|| TcpListener::bind("127.0.0.1:8096").unwrap());
    let config = "[http]\nlisten = ['127.0.0.1:8096', '127.0.0.1:9000', '10.1.2.3:8096']\n";
    let server = Server::start(&host, config);
    let output = server.process.output();
    assert!(output.contains("10.1.2.3"), "{output}");
    assert_eq!(get(&host, "127.0.0.1:9000", "/health").unwrap().status, 200);
}

#[test]
fn a_directory_is_served() {
    let Some(host) = Namespace::new("jellynet-server") else {
        return;
    };
    let folder = Folder::new();
    folder.write("index.html", "<p>home</p>");
    folder.write("film.mp4", "0123456789");
    folder.write("app.js", "let a;");
    folder.write("app.js.gz", "GZIPPED");
    let server =
        Server::start(&host, &format!("[web]\ndirectory = '{}'\n", folder.path().display()));
    let at = "127.0.0.1:8096";
    let ask = |request: &str, headers: &[&str]| {
        host.run(|| crate::rig::ask(at, request, headers).unwrap())
    };
    assert_eq!(ask("GET /", &[]).body, "<p>home</p>");
    let part = ask("GET /film.mp4", &["Range: bytes=2-4"]);
    assert_eq!((part.status, part.body.as_str()), (206, "234"));
    assert_eq!(part.header("content-type"), Some("video/mp4"));
    let whole = ask("GET /app.js", &[]);
    let since = format!("If-Modified-Since: {}", whole.header("last-modified").unwrap());
    assert_eq!(ask("GET /app.js", &[&since]).status, 304);
    assert_eq!(ask("GET /app.js", &["Accept-Encoding: gzip"]).body, "GZIPPED");
    assert_eq!(ask("GET /nothing", &[]).status, 404);
    assert_ne!(ask("GET /../Cargo.toml", &[]).status, 200);
    assert_ne!(ask("GET /%2e%2e/Cargo.toml", &[]).status, 200);
    drop(server);
}

#[test]
fn the_welcome_page_says_what_is_announced_to_its_visitor() {
    let Some(host) = Namespace::new("jellynet-server") else {
        return;
    };
    let Some(client) = Namespace::new("jellynet-server") else {
        return;
    };
    host.link("eth0", &client, "eth0");
    host.address("eth0", "10.77.1.1/24");
    client.address("eth0", "10.77.1.2/24");
    let _server = Server::start(&host, "[server]\nname = '<Attic>'\n");
    let page = get(&client, "10.77.1.1:8096", "/").unwrap();
    assert_eq!(page.status, 200);
    for part in ["&lt;Attic&gt;", "http://10.77.1.1:8096", "10.77.1.2", "[[upstream]]", "8096"] {
        assert!(page.body.contains(part), "{part} is not in\n{}", page.body);
    }
    assert_eq!(get(&client, "10.77.1.1:8096", "/health").unwrap().body, "Healthy");
}

#[test]
fn a_signal_drains_and_a_second_one_ends_at_once() {
    let Some(host) = Namespace::new("jellynet-server") else {
        return;
    };
    let signal = |process: &Process, name: &str| {
        let sent = Command::new("kill").args([name, &process.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    let server = Server::start(&host, "");
    signal(&server.process, "-TERM");
    assert_eq!(
        server.process.wait(Duration::from_secs(5)).code(),
        Some(0),
        "{}",
        server.process.output()
    );

    // A request that is not answered holds the drain up; the second signal does not wait for it.
    let silent = host.run(|| TcpListener::bind("127.0.0.1:8097").unwrap());
    let config = "[http]\ndrain_timeout = '60s'\n[[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    let server = Server::start(&host, config);
    let held = host.run(|| {
        let mut stream = TcpStream::connect("127.0.0.1:8096").unwrap();
        stream.write_all(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream
    });
    let (mut asked, mut held_open) = (String::new(), Vec::new());
    while !asked.contains("/held") {
        let (mut stream, _) = silent.accept().unwrap();
        let mut part = [0; 1024];
        let length = stream.read(&mut part).unwrap();
        asked.push_str(&String::from_utf8_lossy(&part[..length]));
        held_open.push(stream);
    }
    signal(&server.process, "-TERM");
    server.process.wait_for_line("drain", SOON);
    signal(&server.process, "-INT");
    let status = server.process.wait(Duration::from_secs(5));
    assert!(!status.success(), "{}", server.process.output());
    drop((held, held_open));
}

#[test]
fn the_server_keeps_its_id() {
    let Some(host) = Namespace::new("jellynet-server") else {
        return;
    };
    let server = Server::start(&host, "");
    let file = server.folder.path().join("data/server-id");
    let first = fs::read_to_string(&file).unwrap();
    assert_eq!(first.trim().len(), 32, "{first}");
    let page = get(&host, "127.0.0.1:8096", "/").unwrap();
    assert!(page.body.contains(first.trim()), "{}", page.body);
}

#[test]
fn interfaces_are_listed_for_people_and_programs() {
    let (code, out, _) = run(jellynet(&["interfaces"]));
    assert_eq!(code, 0);
    assert!(out.contains("lo (index 1): up, loopback"), "{out}");
    let (_, out, _) = run(jellynet(&["interfaces", "--format", "json"]));
    let table: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(table[0]["name"], "lo");
}
