//! An upstream that is restarted while clients ask.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jellynet_test::peer;

use crate::rig::{ADMIN, CHANGE, Network, SOON, Server, get, upstream_in_python};

const GATEWAY: &str = "10.77.1.1:8096";
const UPSTREAM: &str = "127.0.0.1:8097";

/// Asks again and again: how often which status came, and 0 where none did.
fn ask_until(stop: &AtomicBool) -> BTreeMap<u16, u32> {
    let mut statuses = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = crate::rig::ask(GATEWAY, "GET /Items", &[]);
        if let Ok(answer) = &answer
            && answer.status == 503
        {
            assert!(answer.header("retry-after").is_some(), "{}", answer.head);
        }
        *statuses.entry(answer.map_or(0, |answer| answer.status)).or_default() += 1;
    }
    statuses
}

/// Searches again and again: how many questions, and how many answers.
fn search_until(stop: &AtomicBool) -> (u32, u32) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let (mut asked, mut answered) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        socket.send_to(b"Who is JellyfinServer?", "10.77.1.1:7359").unwrap();
        asked += 1;
        let mut reply = [0; 1024];
        let len = (0..10).find_map(|_| socket.recv(&mut reply).ok());
        if let Some(len) = len {
            let reply = String::from_utf8_lossy(&reply[..len]).into_owned();
            assert!(reply.contains("Living Room"), "{reply}");
            answered += 1;
        }
        // One answer to each question; and who asks without a pause is answered less.
        socket.recv(&mut reply).expect_err("nothing more comes");
    }
    (asked, answered)
}

#[test]
fn a_restart_fails_no_request_that_could_be_asked_again() {
    let Some(net) = Network::new() else { return };
    let Some(upstream) = upstream_in_python(&net.server, UPSTREAM) else { return };
    let config =
        format!("[admin]\nlisten = ['{ADMIN}']\n[[upstream]]\nurl = 'http://{UPSTREAM}'\n");
    let server = Server::start(&net.server, &config);
    server.process.wait_for_line("Living Room", SOON);
    let ready = || get(&net.server, ADMIN, "/ready").unwrap().status;
    let stop = AtomicBool::new(false);
    let (statuses, (asked, answered)) = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..4).map(|_| scope.spawn(|| net.one.run(|| ask_until(&stop)))).collect();
        let searcher = scope.spawn(|| net.one.run(|| search_until(&stop)));
        let mut upstream = upstream;
        for _ in 0..3 {
            peer::wait_until("readiness", CHANGE, || ready() == 200);
            upstream.terminate();
            upstream.wait(SOON);
            peer::wait_until("the truth about it", CHANGE, || ready() == 503);
            let next = upstream_in_python(&net.server, UPSTREAM);
            upstream = next.expect("it was there before");
        }
        peer::wait_until("readiness", CHANGE, || ready() == 200);
        stop.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for client in clients {
            for (status, count) in client.join().unwrap() {
                *all.entry(status).or_insert(0) += count;
            }
        }
        (all, searcher.join().unwrap())
    });
    // What found nobody there is told so, and when to come again; what stood in the queue of the one
    // that ended is asked again, and is told the same.
    assert!(statuses.keys().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    assert!(statuses[&200] > 20, "{statuses:?}");
    assert!(asked > 1 && answered == asked, "{answered} of {asked} searches were answered");
}
