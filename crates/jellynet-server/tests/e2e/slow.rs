//! Clients that hold on to as many connections as they can, by sending or reading next to nothing.

use std::process::Command;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};

use crate::rig::{Server, get, sample, upstream_in_python};

/// How many connections an attacker holds.
const MANY: u32 = 2000;
/// Longer than it takes to open them all on a busy machine.
const LONG: Duration = Duration::from_secs(60);
const PUBLIC: &str = "127.0.0.1:8096";
const UPSTREAM: &str = "127.0.0.1:8097";
/// More than others and the probe have open by turns.
const FEW: u32 = 10;
const OPEN: &str = "jellynet_connections_open{listener=\"http\"}";

/// Attacks a server for as long as the process lives.
fn attack(host: &Namespace, arguments: &[&str], path: &str) -> Option<Process> {
    let program = peer::find_with("slowhttptest", &["-h"])?;
    let mut command = program.command();
    command.args(["-c", &MANY.to_string(), "-r", "1000", "-l", "300", "-p", "60"]);
    command.args(["-u", &format!("http://{PUBLIC}{path}")]).args(arguments);
    Some(host.spawn(command))
}

/// Others ask while the attacker holds his connections; when he is gone, so is all that he held.
/// The upstream sees at most `held` connections meanwhile.
fn others_are_unharmed(arguments: &[&str], path: &str, held: u32) {
    let Some(host) = Namespace::new("jellynet-server") else { return };
    let Some(_upstream) = upstream_in_python(&host, UPSTREAM) else { return };
    // So that none has to go before the last has come; the limits themselves have tests without
    // an attacker.
    let config = "[http]\nfirst_byte_timeout = '5m'\nheader_timeout = '5m'\n\
                  [admin]\nlisten = ['127.0.0.1:9096']\n[discovery]\nenabled = false\n\
                  [[upstream]]\nurl = 'http://127.0.0.1:8097'\n";
    // As systemd starts a service: 1,024 open files, and the right to more.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -S -n 1024 && exec \"$0\" \"$@\""]);
    let _server = Server::start_by(&host, limited, config);
    peer::wait_until("the upstream", LONG, || {
        get(&host, PUBLIC, "/x").is_ok_and(|answer| answer.status == 200)
    });
    let Some(attacker) = attack(&host, arguments, path) else { return };
    peer::wait_until("the attacker to hold his connections", LONG, || {
        sample(&host, OPEN) >= f64::from(MANY)
    });
    for round in 0..100 {
        let answer = get(&host, PUBLIC, "/x").unwrap();
        assert_eq!((answer.status, &*answer.body), (200, "took 0"), "request {round}");
    }
    assert!(sample(&host, OPEN) >= f64::from(MANY), "they were held all the time");
    let connections: u32 = get(&host, PUBLIC, "/connections").unwrap().body.parse().unwrap();
    assert!(connections <= held, "{connections} at the upstream");
    assert_eq!(sample(&host, "jellynet_upstream_up{upstream=\"main\"}"), 1.0);
    drop(attacker);
    peer::wait_until("everything to be given back", LONG, || {
        sample(&host, OPEN) == 0.0
            && sample(&host, "jellynet_http_requests_in_flight{listener=\"http\"}") == 0.0
    });
}

#[test]
fn two_thousand_half_heads_harm_nobody() {
    others_are_unharmed(&["-H", "-i", "20", "-t", "GET", "-x", "24"], "/x", FEW);
}

#[test]
fn two_thousand_dripping_uploads_harm_nobody() {
    others_are_unharmed(&["-B", "-i", "20", "-s", "8192", "-x", "10"], "/upload", FEW);
}

#[test]
fn two_thousand_slow_readers_harm_nobody() {
    let slowly = ["-X", "-w", "10", "-y", "20", "-n", "20", "-z", "5", "-k", "3"];
    others_are_unharmed(&slowly, "/film", MANY + FEW);
}
