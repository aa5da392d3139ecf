//! Namespaces and programs.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};

const SECOND: Duration = Duration::from_secs(1);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn a_datagram_crosses_a_link_between_namespaces() {
    let Some(server) = Namespace::new("jellynet-test") else {
        return;
    };
    let Some(client) = Namespace::new("jellynet-test") else {
        return;
    };
    server.link("eth0", &client, "eth7");
    server.address("eth0", "10.77.1.1/24");
    server.address("eth0", "fd77::1/64");
    client.address("eth7", "10.77.1.2/24");
    client.address("eth7", "fd77::2/64");
    client.default_route("10.77.1.1".parse().unwrap());

    for (here, there) in [("10.77.1.1:0", "10.77.1.2:0"), ("[fd77::1]:0", "[fd77::2]:0")] {
        let receiver = server.run(|| UdpSocket::bind(here)).unwrap();
        receiver.set_read_timeout(Some(5 * SECOND)).unwrap();
        let address = receiver.local_addr().unwrap();
        let sender = client.run(|| UdpSocket::bind(there)).unwrap();
        sender.send_to(b"hello", address).unwrap();
        let (length, source) = receiver.recv_from(&mut [0; 16]).unwrap();
        assert_eq!((length, source), (5, sender.local_addr().unwrap()));
    }
}

#[test]
fn a_program_runs_inside_and_the_namespace_goes_with_its_handle() {
    let Some(namespace) = Namespace::new("jellynet-test") else {
        return;
    };
    let name = namespace.name().to_owned();
    let process = namespace.spawn(shell("cat /proc/net/dev"));
    assert!(process.wait(5 * SECOND).success());
    let interfaces = process.output();
    assert!(interfaces.contains("lo:") && !interfaces.contains("eth"), "{interfaces}");
    drop(namespace);
    let left = Command::new("ip").args(["netns", "list"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&left.stdout).contains(&name));
}

#[test]
fn a_router_passes_packets_on() {
    let (Some(router), Some(left), Some(right)) = (
        Namespace::new("jellynet-test"),
        Namespace::new("jellynet-test"),
        Namespace::new("jellynet-test"),
    ) else {
        return;
    };
    for (side, host, net) in [("left", &left, "10.77.1"), ("right", &right, "10.77.2")] {
        router.link(side, host, "eth0");
        router.address(side, &format!("{net}.1/24"));
        host.address("eth0", &format!("{net}.2/24"));
        host.default_route(format!("{net}.1").parse().unwrap());
    }
    router.forward();
    let listener = right.run(|| TcpListener::bind("10.77.2.2:0")).unwrap();
    let address = listener.local_addr().unwrap();
    left.run(|| peer::wait_for_port(address, 5 * SECOND));
}

#[test]
fn a_process_is_listened_to_and_ends_with_its_handle() {
    let process = Process::spawn(shell("echo one; echo two >&2; exec sleep 600"));
    process.wait_for_line("two", 5 * SECOND);
    assert_eq!(process.wait_for_line("one", 5 * SECOND), "one");
    assert!(process.find_line("three", Duration::ZERO).is_none());
    assert!(process.exit_status().is_none());
    let pid = process.pid();
    drop(process);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_signal_reaches_the_program_and_its_last_words_are_kept() {
    let process = Process::spawn_with_input(shell(
        "trap 'echo bye; exit 3' TERM; echo up; read x; echo $x; read y",
    ));
    process.wait_for_line("up", 5 * SECOND);
    process.write(b"word\n");
    process.wait_for_line("word", 5 * SECOND);
    process.terminate();
    assert_eq!(process.wait(5 * SECOND).code(), Some(3));
    assert!(process.output().contains("bye"));
}

#[test]
fn a_program_is_found_with_its_version() {
    let cargo = peer::find(env!("CARGO")).expect("cargo runs this test");
    assert!(cargo.version().starts_with("cargo "), "{}", cargo.version());
    assert!(cargo.command().arg("--help").output().unwrap().status.success());
}

#[test]
fn code_without_allocations_is_told_from_code_with() {
    assert_eq!(jellynet_test::allocations(|| ()).count_total, 0);
    let counted = jellynet_test::allocations(|| drop(vec![0_u8; 100]));
    assert_eq!((counted.bytes_total, counted.bytes_current), (100, 0));
}
