//! What needs a process of its own: this test program starts itself again.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use jellynet_bind::Bind;
use jellynet_netif::{Interface, InterfaceTable};
use jellynet_test::netns::Namespace;
use jellynet_test::peer;

const LISTENS: &str = "JELLYNET_BIND_TEST_LISTENS";

/// The part of the child: binds what it is told to and prints what became of it.
#[test]
fn child_binds_and_prints() {
    let Ok(listens) = std::env::var(LISTENS) else {
        return;
    };
    let mut bind = Bind::new();
    for listen in listens.split(' ') {
        bind = bind.listen("child", listen.parse().unwrap());
    }
    let table = InterfaceTable::new([Interface::loopback(1)]);
    for outcome in bind.bind(&table).outcomes() {
        println!("outcome={outcome}");
    }
}

/// A shell that becomes this program again, with `before` done first.
fn again(listens: &str, before: &str, program: &PathBuf) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            &format!("{before} exec \"$0\" --exact child::child_binds_and_prints --nocapture"),
        ])
        .arg(program)
        .env(LISTENS, listens)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    shell
}

fn myself() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn outcomes(mut command: Command) -> Vec<String> {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once("outcome="));
    lines.map(|(_, outcome)| outcome.to_owned()).collect()
}

#[test]
fn systemd_passes_sockets_by_name() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = tcp.local_addr().unwrap();
    let path = std::env::temp_dir().join(format!("jellynet-bind-{}.sock", std::process::id()));
    let unix = UnixListener::bind(&path).unwrap();
    let before = "exec 3<&0 4<&2; export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=http:admin;";
    for (listens, expected) in [
        (
            "systemd:admin systemd:http systemd:http systemd:tls",
            &[
                format!("child: listening on unix:{}", path.display()),
                format!("child: listening on {addr}"),
                "child: cannot listen on systemd:tls: systemd passed no socket of this name, but \
                 http, admin: set FileDescriptorName= in the socket unit"
                    .into(),
            ][..],
        ),
        (
            "systemd",
            &[
                format!("child: listening on {addr}"),
                format!("child: listening on unix:{}", path.display()),
            ],
        ),
        ("fd:3", &[format!("child: listening on {addr}")]),
    ] {
        let mut command = again(listens, before, &myself());
        command
            .stdin(OwnedFd::from(tcp.try_clone().unwrap()))
            .stderr(OwnedFd::from(unix.try_clone().unwrap()));
        assert_eq!(outcomes(command), expected, "{listens}");
    }
    assert!(path.exists(), "whoever made the file removes it");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_systemd_passed_to_somebody_else_or_not_listening_is_refused() {
    let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let foreign = "exec 3<&0; export LISTEN_PID=1 LISTEN_FDS=1;";
    let ours = "exec 3<&0; export LISTEN_PID=$$ LISTEN_FDS=1;";
    let broken = "export LISTEN_PID=x LISTEN_FDS=1;";
    for (before, part) in [
        (foreign, "LISTEN_FDS is not set for this process"),
        (ours, "cannot listen on fd:3: it is no stream socket"),
        (broken, "the environment cannot be read: invalid LISTEN_PID"),
    ] {
        let mut command = again("systemd", before, &myself());
        command.stdin(OwnedFd::from(client.try_clone().unwrap()));
        let outcomes = outcomes(command);
        assert!(outcomes[0].contains(part), "{outcomes:?}");
    }
}

#[test]
fn another_copy_of_the_program_is_recognised() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap();
    let outcomes = outcomes(again(&addr.to_string(), "", &myself()));
    let expected =
        format!("held by another copy of this program (pid {}, user ", std::process::id());
    assert!(outcomes[0].contains(&expected), "{outcomes:?}");
}

/// This program where every user may run it.
struct ForAll(PathBuf);

impl ForAll {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("jellynet-bind-{}-it", std::process::id()));
        std::fs::copy(myself(), &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }
}

impl Drop for ForAll {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn a_plain_user_learns_what_a_low_port_needs_and_whose_a_busy_one_is() {
    let Some(namespace) = Namespace::new("jellynet-bind") else {
        return;
    };
    let Some(setpriv) = peer::find("setpriv") else {
        return;
    };
    let program = ForAll::new();
    let held = namespace.run(|| TcpListener::bind("127.0.0.1:8096")).unwrap();
    let mut command = Command::new(setpriv.path());
    let shell = again("127.0.0.1:80 127.0.0.1:8096", "", &program.0);
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(shell.get_program())
        .args(shell.get_args())
        .env(LISTENS, "127.0.0.1:80 127.0.0.1:8096")
        .current_dir("/");
    let outcomes = namespace.run(|| outcomes(command));
    assert_eq!(
        outcomes[0],
        format!(
            "child: cannot listen on 127.0.0.1:80: ports below 1024 need a permission: run \
             `setcap cap_net_bind_service=+ep {}`, or lower the sysctl \
             net.ipv4.ip_unprivileged_port_start, or let systemd open the port (`systemd:NAME`), \
             or choose a higher port: Permission denied (os error 13)",
            program.0.display()
        )
    );
    assert_eq!(
        outcomes[1],
        "child: cannot listen on 127.0.0.1:8096: held by a process of user root (root can see \
         which), stop it or choose another port: Address already in use (os error 98)"
    );
    drop(held);
}
