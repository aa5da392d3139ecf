//! Live TV: a tuner that the binary plays, the vendor's client, and ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};

use crate::rig::{Folder, SOON, Server, get, jellynet};

/// The device's id and address.
const DEVICE: &str = "10A5B1C0";
const ADDRESS: &str = "10.77.2.2";
/// A channel that the device receives.
const CHANNEL: &str = "ch183000000";
/// Length of a packet of a transport stream.
const PACKET: u64 = 188;

/// A host, and a device on its LAN.
struct Home {
    host: Namespace,
    tv: Namespace,
    _device: Process,
}

impl Home {
    /// `None`, after saying so, where there can be no namespaces.
    fn new(simulate: &[&str]) -> Option<Self> {
        let (host, tv) = (Namespace::new("jellynet-server")?, Namespace::new("jellynet-server")?);
        host.link("eth0", &tv, "eth0");
        host.address("eth0", "10.77.2.1/24");
        tv.address("eth0", "10.77.2.2/24");
        host.default_route(ADDRESS.parse().unwrap());
        let device = tv.spawn(jellynet(&[&["tuner", "simulate"], simulate].concat()));
        device.wait_for_line(&format!("device {DEVICE} listens"), SOON);
        Some(Self { host, tv, _device: device })
    }

    /// `jellynet tuner` on the host: its exit code, and all it prints.
    fn tuner(&self, arguments: &[&str]) -> (i32, String) {
        let process = self.host.spawn(jellynet(&[&["tuner"], arguments].concat()));
        let status = process.wait(SOON);
        (status.code().unwrap(), process.output())
    }

    /// How many tuners are idle and how many locked.
    fn idle_and_locked(&self) -> (usize, usize) {
        // By its id: the first answer is enough.
        let (code, text) = self.tuner(&["info", "--device", DEVICE]);
        assert_eq!(code, 0, "{text}");
        let count = |what| text.lines().filter(|line| line.contains(what)).count();
        (count("idle; locked by none"), count("locked by 10.77.2.1"))
    }

    /// Watches the channel through the server; returns once something was received.
    fn watch(&self, device: &str, file: &Path) -> Option<Process> {
        let mut command: Command = peer::find("curl")?.command();
        let url = format!("http://10.77.2.1:8096/tuner/{device}/{CHANNEL}");
        command.args(["-sSfN", &url, "-o", file.to_str().unwrap()]);
        let _ = fs::remove_file(file);
        let viewer = self.host.spawn(command);
        peer::wait_until("something to watch", SOON, || size(file) > 200_000);
        Some(viewer)
    }
}

/// Whether a file is a transport stream from its first byte to its last.
fn assert_whole_packets(file: &Path) {
    let stream = fs::read(file).unwrap();
    assert!(stream.len() > 100_000, "{} bytes", stream.len());
    let packets = stream.chunks(usize::try_from(PACKET).unwrap());
    assert!(packets.clone().all(|packet| packet[0] == 0x47));
    assert_eq!(packets.last().unwrap().len() as u64, PACKET);
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |data| data.len())
}

#[test]
fn the_vendors_client_takes_the_simulator_for_a_device() {
    // It has no option that only tells its version.
    let (Some(client), Some(home)) = (peer::find_with("hdhomerun_config", &[]), Home::new(&[]))
    else {
        return;
    };
    let start = |arguments: &[&str]| {
        let mut command = client.command();
        command.args(arguments);
        home.host.spawn(command)
    };
    let run = |arguments: &[&str]| {
        let process = start(arguments);
        process.wait(SOON);
        process.output()
    };
    let found = format!("hdhomerun device {DEVICE} found at {ADDRESS}");
    assert!(run(&["discover"]).contains(&found));
    assert!(run(&[DEVICE, "get", "/sys/model"]).contains("hdhomerun3_atsc"));
    run(&[DEVICE, "set", "/tuner0/channel", "auto:183000000"]);
    assert!(run(&[DEVICE, "get", "/tuner0/channel"]).contains("auto:183000000"));
    assert!(run(&[DEVICE, "get", "/tuner0/status"]).contains("lock=8vsb"));

    let folder = Folder::new();
    let file = folder.path().join("saved.ts");
    let saving = start(&[DEVICE, "save", "/tuner0", file.to_str().unwrap()]);
    peer::wait_until("something saved", SOON, || size(&file) > 500_000);
    saving.interrupt();
    saving.wait(SOON);
    let account = saving.output();
    assert!(account.contains(" 0 network errors, 0 transport errors"), "{account}");
}

#[test]
fn channels_are_found_received_and_recorded() {
    let Some(home) = Home::new(&[]) else { return };
    let (code, text) = home.tuner(&["info"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains(&format!("device {DEVICE} (hdhomerun3_atsc) at {ADDRESS}:65001, 2 tuners")),
        "{text}"
    );
    assert_eq!(home.idle_and_locked(), (2, 0));

    let (code, text) = home.tuner(&["scan", "--from", "7", "--to", "8"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("8: auto:8 8vsb") && text.contains("5.1 KTST-HD"), "{text}");

    let (code, text) = home.tuner(&["tune", CHANNEL, "--duration", "1s"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&format!("device {DEVICE}, tuner ")), "{text}");
    assert!(
        text.contains("packets; lost in the network 0, ") && text.contains("damaged 0"),
        "{text}"
    );

    let folder = Folder::new();
    let file = folder.path().join("recorded.ts");
    let path = file.to_str().unwrap();
    let (code, text) =
        home.tuner(&["capture", "--device", ADDRESS, CHANNEL, "--duration", "2s", path]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("packets; lost in the network 0, "), "{text}");
    assert_whole_packets(&file);
    let number = |before: &str, after: &str| -> u64 {
        let (head, _) = text.split_once(after).unwrap();
        head.rsplit(before).next().unwrap().parse().unwrap()
    };
    assert_eq!(number("\n", " bytes, "), size(&file), "{text}");
    assert_eq!(number(", ", " packets;") * PACKET, size(&file), "to the last packet: {text}");
    assert_eq!(home.idle_and_locked(), (2, 0), "all is given back");
    if let Some(ffprobe) = peer::find_with("ffprobe", &["-version"]) {
        let mut command = ffprobe.command();
        command.args(["-v", "error", "-show_entries", "format=format_name,nb_programs", path]);
        let probed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(
            probed.contains("format_name=mpegts") && !probed.contains("nb_programs=0"),
            "{probed}"
        );
    }
}

#[test]
fn what_the_network_loses_is_told() {
    let Some(home) = Home::new(&["--drop-every", "50"]) else { return };
    let (code, text) = home.tuner(&["tune", CHANNEL, "--duration", "1s"]);
    assert_eq!(code, 0, "{text}");
    let (_, lost) = text.split_once("lost in the network ").unwrap();
    let lost: u64 = lost.split_once(',').unwrap().0.parse().unwrap();
    assert!(lost > 0, "{text}");
}

#[test]
fn what_cannot_be_tuned_is_an_error() {
    let Some(home) = Home::new(&["--tuners", "1"]) else { return };
    let (code, text) = home.tuner(&["tune", "nonsense"]);
    assert_eq!(code, 2, "{text}");
    let (code, text) = home.tuner(&["info", "--device", "10.77.2.9"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no tuner answers"), "{text}");
    let (code, text) = home.tuner(&["capture", CHANNEL, "/nonexistent/file.ts"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("/nonexistent/file.ts"), "{text}");
    peer::wait_until("the tuner to be free again", SOON, || home.idle_and_locked() == (1, 0));

    let first = home.host.spawn(jellynet(&["tuner", "tune", CHANNEL]));
    first.wait_for_line(&format!("device {DEVICE}, tuner 0"), SOON);
    let (code, text) = home.tuner(&["tune", CHANNEL, "--duration", "1s"]);
    assert_eq!(code, 1, "all tuners are taken: {text}");
    first.interrupt();
    assert_eq!(first.wait(SOON).code(), Some(0), "{}", first.output());
    assert!(first.output().contains("packets; lost in the network"), "{}", first.output());
    assert_eq!(home.idle_and_locked(), (1, 0), "Ctrl-C gives the tuner back");

    // No signal there: it takes some seconds until that is known.
    let hopeless = home.host.spawn(jellynet(&["tuner", "tune", "ch57000000"]));
    peer::wait_until("the tuner to be taken", SOON, || home.idle_and_locked().1 == 1);
    hopeless.interrupt();
    assert_eq!(hopeless.wait(SOON).code(), Some(0), "{}", hopeless.output());
    assert_eq!(home.idle_and_locked(), (1, 0), "also while it is being tuned");
    let (code, text) = home.tuner(&["tune", "ch57000000"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no signal on auto:57000000") && text.contains("tuner scan"), "{text}");
    let (code, text) = home.tuner(&["info", "--device", "10A5B1C1"]);
    assert_eq!(code, 2, "a mistyped id is wrong usage: {text}");
}

#[test]
fn a_server_that_stops_or_dies_leaves_no_tuner_locked() {
    let Some(home) = Home::new(&[]) else { return };
    let (config, folder) = ("[tuner]\nenabled = true\n", Folder::new());
    let config = folder.write("jellynet.toml", config);
    let data = folder.path().join("data");
    let arguments = ["--config", config.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
    let start = || {
        let server = home.host.spawn(jellynet(&arguments));
        server.wait_for_line("ready to serve", SOON);
        server
    };
    let file = folder.path().join("watched.ts");
    let killed = start();
    let Some(viewer) = home.watch(DEVICE, &file) else { return };
    drop(killed);
    drop(viewer);
    assert_eq!(home.idle_and_locked(), (1, 1), "nobody was there to release it");
    let server = start();
    peer::wait_until("the journal to be worked off", SOON, || home.idle_and_locked() == (2, 0));

    let _viewer = home.watch(DEVICE, &file);
    assert_eq!(home.idle_and_locked(), (1, 1));
    server.terminate();
    assert_eq!(server.wait(SOON).code(), Some(0), "{}", server.output());
    assert_eq!(home.idle_and_locked(), (2, 0), "a stop releases it before the end");
}

#[test]
fn the_administrator_sees_streams_viewers_and_losses() {
    let (Some(curl), Some(home)) = (peer::find("curl"), Home::new(&["--drop-every", "100"])) else {
        return;
    };
    let config = "[tuner]\nenabled = true\n[admin]\nlisten = ['127.0.0.1:9096']\n";
    let server = Server::start(&home.host, config);
    let files = [1, 2].map(|n| server.folder.path().join(format!("{n}.ts")));
    let viewers = files.each_ref().map(|file| {
        let mut command: Command = curl.command();
        let url = format!("http://10.77.2.1:8096/tuner/{DEVICE}/{CHANNEL}");
        command.args(["-sSfN", &url, "-o", file.to_str().unwrap()]);
        home.host.spawn(command)
    });
    peer::wait_until("both to watch", SOON, || files.iter().all(|file| size(file) > 500_000));
    let ask = |path| get(&home.host, "127.0.0.1:9096", path).unwrap().body;
    let status = ask("/status.json");
    for field in [format!("\"device\": \"{DEVICE}\""), "\"viewers\": 2".to_owned()] {
        assert!(status.contains(&field), "{field}: {status}");
    }
    let metrics = ask("/metrics");
    for line in ["jellynet_tuner_streams 1", "jellynet_tuner_viewers 2"] {
        assert!(metrics.lines().any(|l| l == line), "{line}: {metrics}");
    }
    drop(viewers);
    peer::wait_until("the tuner to be free", SOON, || home.idle_and_locked() == (2, 0));
    assert!(ask("/status.json").contains("\"tuner_streams\": []"));
    let metrics = ask("/metrics");
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    assert!(value("jellynet_tuner_lost_total{kind=\"network\"}") > 0.0, "{metrics}");
    assert!(value("jellynet_tuner_received_bytes_total") > 500_000.0, "{metrics}");
    assert!((value("jellynet_tuner_viewers")).abs() < 0.5, "{metrics}");
}

#[test]
fn four_readers_share_one_tuner() {
    let (Some(curl), Some(home)) = (peer::find("curl"), Home::new(&[])) else { return };
    for base in ["", "/tv"] {
        let config = format!("[tuner]\nenabled = true\n[base_url]\npath = '{base}'\n");
        let server = Server::start(&home.host, &config);
        let url = format!("http://10.77.2.1:8096{base}/tuner/{DEVICE}/{CHANNEL}");
        let files = [1, 2, 3, 4].map(|n| server.folder.path().join(format!("{n}.ts")));
        let readers = files.each_ref().map(|file| {
            let mut command: Command = curl.command();
            command.args(["-sSfN", &url, "-o", file.to_str().unwrap()]);
            home.host.spawn(command)
        });
        peer::wait_until("all four to read", SOON, || {
            files.iter().all(|file| size(file) > 200_000)
        });
        assert_eq!(home.idle_and_locked(), (1, 1), "{}", server.process.output());

        let [first, rest @ ..] = readers;
        drop(rest);
        let before = size(&files[0]);
        peer::wait_until("the last one to read on", SOON, || size(&files[0]) > before + 500_000);
        assert_eq!(home.idle_and_locked(), (1, 1), "it is held for the last reader");
        drop(first);
        peer::wait_until("the tuner to be free", SOON, || home.idle_and_locked() == (2, 0));
        for file in &files {
            let mut start = fs::read(file).unwrap();
            start.truncate(100 * usize::try_from(PACKET).unwrap());
            assert!(start.chunks(188).all(|packet| packet[0] == 0x47), "each begins at a packet");
        }
        server.process.terminate();
        server.process.wait(SOON);
    }
}

#[test]
fn a_path_that_is_no_channel_is_told_why() {
    let Some(home) = Home::new(&[]) else { return };
    let _server = Server::start(&home.host, "[tuner]\nenabled = true\n");
    for (path, part) in [
        ("/tuner/10A5B1C0", "/{device}/{channel}"),
        ("/tuner/10A5B1C0/nonsense", "nonsense"),
        ("/tuner/10112233/ch183000000", "10112233"),
    ] {
        let answer = get(&home.host, "10.77.2.1:8096", path).unwrap();
        assert_eq!(answer.status, 404, "{path}: {}", answer.head);
        assert!(answer.body.contains(part), "{path}: {}", answer.body);
    }
    assert_eq!(home.idle_and_locked(), (2, 0));
}

#[test]
fn a_device_that_moved_or_that_no_broadcast_reaches_is_found() {
    let (Some(nft), Some(home)) = (peer::find("nft"), Home::new(&[])) else { return };
    let config = format!("[tuner]\nenabled = true\ndevices = ['{ADDRESS}']\n");
    let server = Server::start(&home.host, &config);
    let file = server.folder.path().join("watched.ts");
    let Some(viewer) = home.watch(DEVICE, &file) else { return };
    drop(viewer);
    peer::wait_until("the tuner to be free", SOON, || home.idle_and_locked() == (2, 0));
    home.tv.ip("addr del 10.77.2.2/24 dev eth0");
    home.tv.address("eth0", "10.77.2.3/24");
    drop(home.watch(DEVICE, &file));
    peer::wait_until("the tuner to be free", SOON, || home.idle_and_locked() == (2, 0));

    // Back again, and no answer to a broadcast comes through.
    home.tv.ip("addr del 10.77.2.3/24 dev eth0");
    home.tv.address("eth0", "10.77.2.2/24");
    let mut command: Command = nft.command();
    command.arg(
        "table inet filter { chain input { type filter hook input priority 0; policy drop; \
         iifname lo accept; ct state established,related accept; }; }",
    );
    assert!(home.host.spawn(command).wait(SOON).success());
    let (code, text) = home.tuner(&["info"]);
    assert_eq!(code, 1, "{text}");
    server.process.terminate();
    server.process.wait(SOON);
    let _server = Server::start(&home.host, &config);
    drop(home.watch(DEVICE, &file));
    drop(home.watch(ADDRESS, &file));
}

#[test]
fn the_doctor_finds_tuners_and_says_what_keeps_them_away() {
    let (Some(nft), Some(home)) = (peer::find("nft"), Home::new(&[])) else { return };
    let folder = Folder::new();
    let config = folder.write("jellynet.toml", "[tuner]\nenabled = true\n");
    let doctor = || {
        let arguments = ["doctor", "--config", config.to_str().unwrap()];
        let process = home.host.spawn(jellynet(&arguments));
        process.wait(SOON);
        process.output()
    };
    let text = doctor();
    assert!(text.contains(&format!("device {DEVICE} answers at {ADDRESS}")), "{text}");
    assert!(text.contains("2 of 2 tuners"), "{text}");
    let mut command: Command = nft.command();
    command.arg(
        "table inet filter { chain input { type filter hook input priority 0; policy drop; \
         iifname lo accept; ct state established,related accept; }; }",
    );
    assert!(home.host.spawn(command).wait(SOON).success());
    let text = doctor();
    assert!(text.contains("no tuner answers") && text.contains("udp sport 65001 accept"), "{text}");
}
