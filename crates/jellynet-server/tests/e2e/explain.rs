//! `jellynet explain`: one process, many questions, an answer for each.

mod urls;
mod who;

use std::io::Write;
use std::process::Stdio;

use jellynet_test::peer::Process;
use serde_json::{Value, json};

use crate::rig::{SOON, jellynet};

/// Asks one process all of these, and gives the answers in their order.
fn ask(questions: impl IntoIterator<Item = Vec<u8>>) -> Vec<Value> {
    let mut child = jellynet(&["explain", "--stdin", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let all = questions.into_iter().flat_map(|mut line| {
        line.push(b'\n');
        line
    });
    let all: Vec<u8> = all.collect();
    let writer = std::thread::spawn(move || input.write_all(&all).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let answers = text.lines().map(serde_json::from_str);
    answers.collect::<Result<_, _>>().unwrap()
}

/// Whether everything that is expected is there; what is not named may be anything.
fn contains(got: &Value, expected: &Value) -> bool {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| got.get(key).is_some_and(|got| contains(got, value)))
        }
        (got, expected) => got == expected,
    }
}

/// Why, the question, and what its answer must contain.
type Row = (&'static str, Value, Value);

fn check(rows: Vec<Row>) {
    let answers = ask(rows.iter().map(|(_, question, _)| bytes(question)));
    assert_eq!(answers.len(), rows.len());
    for (got, (why, question, expected)) in answers.iter().zip(rows) {
        assert!(
            contains(got, &expected),
            "{why}:\n{question}\nexpected {expected}\ngot      {got}"
        );
    }
}

fn bytes(question: &Value) -> Vec<u8> {
    question.to_string().into_bytes()
}

#[test]
fn an_answer_has_every_field_and_every_key_is_known() {
    let question = json!({
        "config": {
            "base_url": {"path": "/jellyfin", "previous": ["/old"], "default_path": "web/"},
            "proxies": {"known": ["10.0.0.2"], "family": "x-forwarded", "limit": 2,
                "allowed_hosts": ["tv.lan"]},
            "access": {"lan": ["1.2.3.0/24"], "remote": true, "remote_filter": ["9.9.9.9"],
                "remote_filter_mode": "block"},
            "published": {"urls": ["all=https://tv.example.org"]},
            "http": {"listen": ["*:8096"]},
        },
        "interfaces": [{"name": "eth16", "index": 16, "address": "192.168.1.208/24"}],
        "peer": "10.0.0.2", "tls": false, "method": "GET", "target": "/jellyfin/x?y",
        "headers": [["Host", "tv.lan"], ["X-Forwarded-For", "1.2.3.4"]],
    });
    let expected = json!({
        "client": "1.2.3.4", "client_port": null, "scheme": "http", "host": "tv.lan",
        "provenance": "forwarded", "provenance_reason": null, "hops": 1, "audit": [], "local": true,
        "access": {"allowed": true, "reason": "lan"},
        "base_url": {"action": "pass", "inner": "/x?y", "status": null, "location": null},
        "published": {"url": "https://tv.example.org/jellyfin",
            "because": "published for all, entry [0]"},
    });
    assert_eq!(ask([bytes(&question)]), [expected]);
}

#[test]
fn every_bad_key_is_named() {
    let bad = |key: &'static str, config: Value| {
        let question = json!({"peer": "8.8.8.8", "interfaces": [], "config": config});
        (key, question, json!({"error": {"key": key}}))
    };
    check(vec![
        bad("proxies.known[2]", json!({"proxies": {"known": ["10.0.0.2", "10.0.0.0/8", "a b"]}})),
        bad("proxies.family", json!({"proxies": {"family": "x"}})),
        bad("proxies.limit", json!({"proxies": {"limit": 0}})),
        bad("proxies.limit", json!({"proxies": {"limit": "many"}})),
        bad("proxies.allowed_hosts[1]", json!({"proxies": {"allowed_hosts": ["ok", "http://x/"]}})),
        bad("proxies.knwn", json!({"proxies": {"knwn": []}})),
        bad("access.lan[1]", json!({"access": {"lan": ["10.0.0.0/8", "x/y"]}})),
        bad("access.remote", json!({"access": {"remote": "maybe"}})),
        bad("access.remote_filter[0]", json!({"access": {"remote_filter": ["8.8.8.0/33"]}})),
        bad("access.remote_filter_mode", json!({"access": {"remote_filter_mode": "x"}})),
        bad("base_url.path", json!({"base_url": {"path": "/a//b"}})),
        bad("base_url.previous[1]", json!({"base_url": {"previous": ["/a", "/../b"]}})),
        bad("base_url.default_path", json!({"base_url": {"default_path": "//evil"}})),
        bad("published.urls[1]", json!({"published": {"urls": ["all=https://a", "nope"]}})),
        bad("http.listen[1]", json!({"http": {"listen": ["*:8096", "x:y:z"]}})),
        bad("http", json!({"http": "x"})),
        (
            "a header",
            json!({"peer": "8.8.8.8", "headers": [["A b", "c"]]}),
            json!({"error": {"key": "headers[0]"}}),
        ),
        (
            "a method",
            json!({"peer": "8.8.8.8", "method": "G T"}),
            json!({"error": {"key": "method"}}),
        ),
        ("a peer", json!({"peer": "nobody"}), json!({"error": {"key": "peer"}})),
        (
            "an interface",
            json!({"peer": "8.8.8.8", "interfaces": [{"name": "a", "index": 1, "address": "x"}]}),
            json!({"error": {"key": "interfaces[0].address"}}),
        ),
        (
            "an unknown field",
            json!({"peer": "8.8.8.8", "per": 1}),
            json!({"error": {"key": "per"}}),
        ),
        ("no peer", json!({"tls": true}), json!({"error": {"key": "peer"}})),
        ("no zone", json!({"peer": "fe80::1%eth7"}), json!({"error": {"key": "peer"}})),
    ]);
}

#[test]
fn a_line_that_is_no_question_does_not_end_it() {
    let good = || b"{\"peer\":\"10.0.0.1\"}".to_vec();
    let answers = ask([
        good(),
        b"nonsense".to_vec(),
        b"{\"peer\":\"\xff\"}".to_vec(),
        Vec::new(),
        b"[".repeat(100_000),
        good(),
    ]);
    let errors: Vec<_> = answers.iter().map(|a| a["error"]["message"].is_string()).collect();
    assert_eq!(errors, [false, true, true, true, false], "{answers:?}");
    assert!(answers.iter().all(|a| a["error"]["key"] != ""), "{answers:?}");
}

#[test]
fn a_proxy_that_is_known_by_name_is_believed() {
    let ask = |peer: &str, names: Value| {
        json!({
            "peer": peer, "names": names, "headers": [["X-Forwarded-For", "198.51.100.9"]],
            "config": {"proxies": {"known": ["nginx.invalid", "localhost"]}},
        })
    };
    check(vec![
        (
            "given",
            ask("172.18.0.2", json!({"nginx.invalid": ["172.18.0.2"]})),
            json!({"client": "198.51.100.9", "provenance": "forwarded"}),
        ),
        (
            "of another address",
            ask("172.18.0.3", json!({"nginx.invalid": ["172.18.0.2"]})),
            json!({"client": "172.18.0.3", "audit": ["untrusted-peer"]}),
        ),
        ("resolved here", ask("127.0.0.1", json!({})), json!({"client": "198.51.100.9"})),
        ("a name that is none", ask("172.18.0.2", json!({})), json!({"client": "172.18.0.2"})),
    ]);
}

#[test]
fn a_peer_may_have_a_zone() {
    let interfaces = json!([
        {"name": "eth0", "index": 2, "address": "192.168.1.10/24"},
        {"name": "eth0", "index": 2, "address": "fe80::10/64"},
        {"name": "eth1", "index": 3, "address": "10.9.0.10/24"},
        {"name": "eth1", "index": 3, "address": "fe80::11/64"},
    ]);
    let ask = |peer: &str| json!({"peer": peer, "interfaces": interfaces});
    let told = |url: &str| json!({"client": "fe80::7", "local": true, "published": {"url": url}});
    check(vec![
        ("by name", ask("fe80::7%eth0"), told("http://192.168.1.10:8096")),
        ("by name, the other", ask("fe80::7%eth1"), told("http://10.9.0.10:8096")),
        ("by index", ask("fe80::7%3"), told("http://10.9.0.10:8096")),
    ]);
}

#[test]
fn each_answer_comes_before_the_next_question() {
    let process = Process::spawn_with_input(jellynet(&["explain", "--stdin", "--format", "json"]));
    for peer in ["10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        process.write(format!("{{\"peer\":\"{peer}\"}}\n").as_bytes());
        process.wait_for_line(&format!("\"client\":\"{peer}\""), SOON);
    }
}

#[test]
fn flags_ask_too() {
    let arguments = [
        "explain",
        "--peer",
        "10.0.0.2",
        "-H",
        "Host: tv.lan",
        "-H",
        "X-Forwarded-For: 1.2.3.4",
        "--target",
        "/jellyfin/x",
        "--base-url",
        "/jellyfin",
    ];
    let out = |format: &str, known: &str| {
        let mut command = jellynet(&arguments);
        command.args(["--format", format]);
        if !known.is_empty() {
            command.env("JELLYNET_PROXIES__KNOWN", known);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let answer: Value = serde_json::from_str(&out("json", "10.0.0.2")).unwrap();
    let expected = json!({"client": "1.2.3.4", "hops": 1, "base_url": {"inner": "/x"}});
    assert!(contains(&answer, &expected), "{answer}");
    let text = out("text", "");
    for part in
        ["10.0.0.2 (direct", "http://tv.lan", "untrusted-peer", "comes in, local (lan)", "pass: /x"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(jellynet(&["explain"]).output().unwrap().status.code(), Some(2));
}
