//! A network that never rests, seen by a raw socket on each LAN, and what it costs the server.
//!
//! It lasts for 10 seconds, or for as many as `JELLYNET_FLAP_SECONDS` says.

#![expect(clippy::disallowed_methods, reason = "a real network has the real time")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jellynet_ssdp::message::{Message, NotifyKind};
use jellynet_test::netns::Namespace;
use jellynet_test::peer::Process;
use socket2::{Domain, Protocol, Socket, Type};

use super::stage::{PATIENCE, Stage, serve_until_input_ends};
use crate::support::SET;

/// `ETH_P_ALL` as it stands in a packet socket: every frame.
const EVERYTHING: u16 = 0x0003_u16.to_be();

/// How long a lost address may still be named: until the kernel's message is read on a busy
/// machine.
const GRACE: Duration = Duration::from_secs(2);

/// An announcement as it stood on the wire.
#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    source: IpAddr,
    group: IpAddr,
    kind: NotifyKind,
    root: bool,
    boot: Option<u32>,
    next: Option<u32>,
    location: Option<String>,
}

/// Reads every frame of a namespace, whatever programs there listen for.
fn capture(namespace: &Namespace) -> mpsc::Receiver<Seen> {
    let mut socket = namespace.run(|| {
        Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(EVERYTHING)))).unwrap()
    });
    let (sender, seen) = mpsc::channel();
    thread::spawn(move || {
        let mut frame = [0; 2048];
        while let Ok(length) = socket.read(&mut frame) {
            if let Some(seen) = announcement(&frame[..length])
                && sender.send(seen).is_err()
            {
                return;
            }
        }
    });
    seen
}

fn announcement(frame: &[u8]) -> Option<Seen> {
    let (source, group, udp): (IpAddr, IpAddr, &[u8]) = match frame.get(12..14)? {
        [0x08, 0x00] => {
            let packet = frame.get(14..)?;
            let v4 = |at: usize| -> Option<IpAddr> {
                Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?).into())
            };
            let header = usize::from(packet.first()? & 0x0f) * 4;
            (v4(12)?, v4(16)?, packet.get(header..).filter(|_| packet.get(9) == Some(&17))?)
        }
        [0x86, 0xdd] => {
            let packet = frame.get(14..)?;
            let v6 = |at: usize| -> Option<IpAddr> {
                Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?).into())
            };
            (v6(8)?, v6(24)?, packet.get(40..).filter(|_| packet.get(6) == Some(&17))?)
        }
        _ => return None,
    };
    let payload = udp.get(8..).filter(|_| udp.get(2..4) == Some(&1900_u16.to_be_bytes()))?;
    let Ok(Message::Notify(notify)) = Message::parse(payload) else {
        return None;
    };
    Some(Seen {
        at: Instant::now(),
        source,
        group,
        kind: notify.kind,
        root: notify.target.as_str() == "upnp:rootdevice",
        boot: notify.details.boot_id,
        next: notify.details.next_boot_id,
        location: notify.details.location.map(|location| location.to_string()),
    })
}

/// Not a test but the server of one, in a process of its own so that it can be measured.
#[test]
#[ignore = "the server of another test"]
fn a_server_in_a_process_of_its_own() {
    serve_until_input_ends();
}

fn start_server(stage: &Stage) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "peers::flapping::a_server_in_a_process_of_its_own"]);
    command.args(["--ignored", "--nocapture"]);
    stage.server.run(|| Process::spawn_with_input(command))
}

/// Resident memory in bytes.
fn memory(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The time that all threads have had on a processor.
fn processor(process: &Process) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.pid())).unwrap();
    let time = |task: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.filter_map(time).sum())
}

/// Which addresses of the restless LAN were there, and until when.
#[derive(Default)]
struct Addresses {
    gone: BTreeMap<Ipv4Addr, Instant>,
    now: Option<Ipv4Addr>,
}

impl Addresses {
    fn change(&mut self, stage: &Stage, last: u8) {
        let next = Ipv4Addr::new(10, 77, 2, last);
        if let Some(old) = self.now.replace(next) {
            stage.server.ip(&format!("address del {old}/24 dev eth2"));
            self.gone.insert(old, Instant::now());
        }
        stage.server.address("eth2", &format!("{next}/24"));
        self.gone.remove(&next);
    }
}

/// Everything that can happen to interfaces, until the time is over. Returns what was measured
/// after a quarter of it.
fn disturb(stage: &Stage, server: &Process, time: Duration, addresses: &mut Addresses) -> u64 {
    let begin = Instant::now();
    let pause = mpsc::channel::<()>().1;
    let mut early = None;
    for turn in 0_u32.. {
        if begin.elapsed() >= time {
            break;
        }
        stage.server.ip("link set eth2 down");
        let _ = pause.recv_timeout(Duration::from_millis(80));
        stage.server.ip("link set eth2 up");
        let _ = pause.recv_timeout(Duration::from_millis(80));
        addresses.change(stage, u8::try_from(100 + turn % 150).unwrap());
        if turn % 3 == 0 {
            // One that was never there before, with a new index each time.
            stage.server.ip("link add eth9 type veth peer name eth8");
            stage.server.ip("link set eth9 up");
            stage.server.address("eth9", "10.77.9.1/24");
            let _ = pause.recv_timeout(Duration::from_millis(80));
            stage.server.ip("link del eth9");
        }
        if begin.elapsed() * 4 >= time && early.is_none() {
            early = Some(memory(server));
        }
    }
    early.unwrap()
}

fn wait_for(wire: &mpsc::Receiver<Seen>, all: &mut Vec<Seen>, what: impl Fn(&Seen) -> bool) {
    let until = Instant::now() + PATIENCE * 2;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let one = wire.recv_timeout(left).unwrap_or_else(|_| panic!("{all:#?}"));
        let last = what(&one);
        all.push(one);
        if last {
            return;
        }
    }
}

fn is_alive_at(address: Ipv4Addr) -> impl Fn(&Seen) -> bool {
    move |seen| {
        let there = format!("http://{address}:");
        seen.kind == NotifyKind::Alive
            && seen.location.as_deref().is_some_and(|location| location.starts_with(&there))
    }
}

#[test]
fn a_restless_network_is_told_in_order_without_a_storm_and_at_a_constant_price() {
    let Some(stage) = Stage::set() else { return };
    let seconds = std::env::var("JELLYNET_FLAP_SECONDS").ok();
    let seconds = seconds.map_or(10, |text| text.parse::<u64>().unwrap());
    let [quiet, restless] = [capture(&stage.clients[0]), capture(&stage.clients[1])];
    let [mut on_quiet, mut on_restless] = [Vec::new(), Vec::new()];
    let server = start_server(&stage);
    wait_for(&quiet, &mut on_quiet, is_alive_at(Ipv4Addr::new(10, 77, 1, 1)));
    wait_for(&restless, &mut on_restless, is_alive_at(Ipv4Addr::new(10, 77, 2, 1)));

    let mut addresses =
        Addresses { now: Some(Ipv4Addr::new(10, 77, 2, 1)), ..Addresses::default() };
    let (began, busy) = (Instant::now(), processor(&server));
    let early = disturb(&stage, &server, Duration::from_secs(seconds), &mut addresses);
    let (took, busy) = (began.elapsed(), processor(&server) - busy);
    let late = memory(&server);

    // It is over: what is there now is announced in the end.
    wait_for(&restless, &mut on_restless, is_alive_at(addresses.now.unwrap()));
    server.write(b"end\n");
    let byebye = |seen: &Seen| seen.kind == NotifyKind::ByeBye && seen.group.is_ipv4();
    server.wait(PATIENCE);
    on_quiet.extend(quiet.try_iter());
    on_restless.extend(restless.try_iter());
    assert!(on_quiet.last().is_some_and(|seen| seen.kind == NotifyKind::ByeBye), "{on_quiet:#?}");
    assert!(on_restless.iter().rfind(|seen| seen.group.is_ipv4()).is_some_and(byebye));

    println!(
        "{took:.1?}: {} datagrams on the quiet LAN, {} on the restless one; memory {early} then \
         {late} bytes; {busy:.1?} of processor time",
        on_quiet.len(),
        on_restless.len()
    );
    assert_order(&on_quiet);
    assert_nothing_stale(&on_quiet, &on_restless, &addresses);
    // The first sequence, three at once, one each 20 s and one after the end: on each of three
    // groups one byebye or update and three alives; then two byebyes.
    let sequences = 1 + 3 + usize::try_from(took.as_secs() / 20).unwrap() + 2;
    for seen in [&on_quiet, &on_restless] {
        assert!(seen.len() <= (sequences * 5 + 2) * 3 * SET, "{} datagrams", seen.len());
    }
    assert!(late <= early + 1024 * 1024, "memory grows: {early}, {late} bytes");
    assert!(busy < took / 5, "{busy:?} of {took:?}");
}

/// On the unaffected link each new boot id is promised by an update before the first alive.
fn assert_order(quiet: &[Seen]) {
    let roots = quiet.iter().filter(|seen| seen.root && seen.group.is_ipv4());
    let (mut boot, mut promised) = (None, None);
    for seen in roots {
        match seen.kind {
            NotifyKind::Update => {
                assert_eq!(seen.boot, boot, "{quiet:#?}");
                assert!(seen.next > boot, "{quiet:#?}");
                promised = seen.next;
            }
            NotifyKind::Alive if boot.is_some() && seen.boot != boot => {
                assert_eq!(seen.boot, promised, "{quiet:#?}");
                boot = seen.boot;
            }
            NotifyKind::Alive => boot = seen.boot,
            _ => assert!(boot.is_none_or(|boot| seen.boot == Some(boot)), "{quiet:#?}"),
        }
    }
}

fn assert_nothing_stale(quiet: &[Seen], restless: &[Seen], addresses: &Addresses) {
    for seen in quiet.iter().chain(restless) {
        let Some(location) = &seen.location else { continue };
        for (address, gone) in &addresses.gone {
            let named = location.contains(&format!("//{address}:"));
            assert!(!named || seen.at < *gone + GRACE, "{address} is gone: {seen:?}");
        }
    }
    let of_the_other = |seen: &&Seen| {
        seen.location.as_deref().is_some_and(|location| location.contains("10.77.2."))
            || seen.source.to_string().starts_with("10.77.2.")
    };
    assert_eq!(quiet.iter().filter(of_the_other).count(), 0, "each LAN has its own truth");
}
