//! In what a container is to a program: a root and processes of its own, and a network that is one
//! end of a cable, or the host's.

use std::path::Path;
use std::process::Command;

use jellynet_test::netns::Namespace;

use super::{WITH_ADMIN, doctor_by, finds};
use crate::rig::{Folder, Server, jellynet};

/// Makes a root of programs and libraries with a marker in it, `/proc` of its own processes and
/// `/sys` of its own network, and runs what follows there. All of it ends with the namespaces.
const MAKE: &str = r#"
set -e
root=$1 build=$2 marker=$3
shift 3
mount -t tmpfs tmpfs "$root"
for name in bin sbin lib lib64 usr etc dev; do
  if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
  elif [ -e "/$name" ]; then mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"; fi
done
mkdir -p "$root/proc" "$root/sys" "$root/tmp" "$root/run" "$root$build"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind "$build" "$root$build"
[ -z "$marker" ] || touch "$root/$marker"
exec chroot "$root" "$@"
"#;

/// A command that runs what follows in a container with this marker.
fn container(folder: &Folder, marker: &str) -> Command {
    let root = folder.path().join("root");
    std::fs::create_dir_all(&root).unwrap();
    let build = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--pid",
        "--cgroup",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        MAKE,
        "sh",
    ]);
    command.arg(root).arg(build).arg(marker);
    command
}

#[test]
fn a_container_behind_a_bridge_is_told_from_one_on_the_network_of_its_host() {
    let namespace = || Namespace::new("jellynet-server");
    let (Some(host), Some(bridged)) = (namespace(), namespace()) else { return };
    host.ip("link add docker0 type bridge");
    host.address("docker0", "172.17.0.1/16");
    host.ip("link set docker0 up");
    host.link("veth0", &bridged, "eth0");
    host.ip("link set veth0 master docker0");
    bridged.address("eth0", "172.17.0.2/16");
    bridged.default_route("172.17.0.1".parse().unwrap());

    let folder = Folder::new();
    for (on, marker, verdict, part) in [
        (&bridged, ".dockerenv", "problem", "a Docker container behind a bridge: sea"),
        (&bridged, "run/.containerenv", "problem", "a Podman container behind"),
        // The host's end of the other's cable is there too.
        (&host, ".dockerenv", "good", "a Docker container on the host's own network"),
        (&bridged, "", "good", "no container"),
    ] {
        let server = Server::start_by(on, container(&folder, marker), WITH_ADMIN);
        let mut command = container(&folder, marker);
        command.arg(jellynet(&[]).get_program());
        let (_, found) = doctor_by(on, &server, command);
        assert!(finds(&found, "container", verdict, part), "{marker} {part}: {found:#}");
        assert!(finds(&found, "server", "good", "says that it is well"), "{found:#}");
    }
}
