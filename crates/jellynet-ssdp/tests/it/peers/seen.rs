//! Control points see the server, each with the location of its LAN, and see it go.

use std::process::Command;

use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};

use super::beside::Scratch;
use super::stage::{NAME, PATIENCE, Server, Stage};
use crate::support::{MEDIA_SERVER, USN};

fn command(program: &peer::Program, arguments: &[&str]) -> Command {
    let mut command = program.command();
    command.args(arguments);
    command
}

fn index(namespace: &Namespace, interface: &str) -> String {
    let line = namespace.ip_output(&format!("-o link show {interface}"));
    line.split(':').next().unwrap().trim().to_owned()
}

#[test]
fn gssdp_sees_the_location_of_its_lan_and_the_end() {
    let Some(gssdp) = peer::find_with("gssdp-discover", &[]) else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let server = Server::start(&stage.server);
    let target = format!("--target={MEDIA_SERVER}");
    let arguments = ["-i", "eth0", "--timeout=30", &target, "-m", "all"];
    let watchers: Vec<Process> =
        stage.clients.iter().map(|client| client.spawn(command(&gssdp, &arguments))).collect();
    for (watcher, n) in watchers.iter().zip(1..) {
        watcher.wait_for_line("resource available", PATIENCE);
        watcher.wait_for_line(&format!("{USN}::{MEDIA_SERVER}"), PATIENCE);
        watcher.wait_for_line(&format!("Location: http://10.77.{n}.1:8096/dlna/"), PATIENCE);
    }
    server.stop();
    for watcher in &watchers {
        watcher.wait_for_line("resource unavailable", PATIENCE);
    }
    let [one, two] = watchers.as_slice() else { panic!() };
    assert!(!one.output().contains("10.77.2.1"), "{}", one.output());
    assert!(!two.output().contains("10.77.1.1"), "{}", two.output());
}

/// How async-upnp-client is told to use IPv4 and IPv6 on a client's LAN, and the URL it gets there.
fn ways(client: &Namespace, n: usize) -> [(Vec<String>, String); 2] {
    let eth0 = index(client, "eth0");
    let bind = "--bind".to_owned();
    [
        (vec![bind.clone(), format!("10.77.{n}.2")], format!("http://10.77.{n}.1:8096/")),
        (
            vec![
                bind,
                format!("fd77:{n}::2%{eth0}"),
                "--target".to_owned(),
                format!("FF02::C%{eth0}"),
            ],
            format!("http://[fd77:{n}::1]:8096/"),
        ),
    ]
}

#[test]
fn async_upnp_client_finds_it_over_both_families_and_reads_its_description() {
    let Some(python) = peer::find_python("async-upnp-client") else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let _server = Server::start(&stage.server);
    let module = ["-c", "from async_upnp_client.cli import main; main()", "--timeout", "4"];
    let mut searches = Vec::new();
    for (client, n) in stage.clients.iter().zip(1..) {
        for (way, url) in ways(client, n) {
            let way: Vec<_> = way.iter().map(String::as_str).collect();
            let search = [&module[..], &["search", "--search_target", MEDIA_SERVER], &way].concat();
            searches.push((client.spawn(command(&python, &search)), url));
        }
    }
    for (found, url) in &searches {
        let line = found.wait_for_line("BOOTID.UPNP.ORG", PATIENCE);
        assert!(line.contains(url), "{line}");
        assert!(line.contains("EXT"), "{line}");
    }
    let client = &stage.clients[0];
    let read = "import asyncio, sys\n\
        from async_upnp_client.aiohttp import AiohttpRequester\n\
        from async_upnp_client.client_factory import UpnpFactory\n\
        async def main():\n\
        \x20   device = await UpnpFactory(AiohttpRequester()).async_create_device(sys.argv[1])\n\
        \x20   print('name', device.name, 'services', len(device.services))\n\
        \x20   print('actions', sorted(a for s in device.services.values() for a in s.actions))\n\
        \x20   print('icons', [i.url for i in device.icons])\n\
        asyncio.run(main())\n";
    let url = format!("http://10.77.1.1:8096/dlna/{}/description.xml", &USN[5..]);
    let strict = client.spawn(command(&python, &["-c", read, &url]));
    strict.wait_for_line(&format!("name {NAME} services 2"), PATIENCE);
    strict.wait_for_line("Browse", PATIENCE);
    strict.wait_for_line("http://10.77.1.1:8096/dlna/", PATIENCE);
}

#[test]
fn async_upnp_client_hears_the_announcements_of_both_families() {
    let Some(python) = peer::find_python("async-upnp-client") else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let listen = ["-u", "-c", "from async_upnp_client.cli import main; main()", "advertisements"];
    let mut listeners = Vec::new();
    for (client, n) in stage.clients.iter().zip(1..) {
        for (way, url) in ways(client, n) {
            let way: Vec<_> = way.iter().map(String::as_str).collect();
            let arguments = [&listen[..], &way].concat();
            listeners.push((client.spawn(command(&python, &arguments)), url));
        }
        // The program says nothing when it is ready: its sockets do.
        peer::wait_until("the listeners to join", PATIENCE, || {
            let joined = client.ip_output("maddress show dev eth0");
            joined.contains("239.255.255.250") && joined.contains("ff02::c")
        });
    }
    let server = Server::start(&stage.server);
    for (listener, url) in &listeners {
        listener.wait_for_line(url, PATIENCE);
        listener.wait_for_line("ssdp:alive", PATIENCE);
    }
    server.stop();
    for (listener, _) in &listeners {
        listener.wait_for_line("ssdp:byebye", PATIENCE);
    }
}

#[test]
fn vlc_lists_the_server() {
    let Some(vlc) = peer::find_with("cvlc", &[]) else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let Some(runuser) = peer::find_with("runuser", &["--version"]) else {
        return;
    };
    let _server = Server::start(&stage.server);
    for (client, at) in stage.clients.iter().zip(["vlc-one", "vlc-two"]) {
        let scratch = Scratch::new(at);
        let home = scratch.path().to_str().unwrap();
        // VLC does not run as root.
        let mut chown = Command::new("chown");
        assert!(chown.args(["nobody", home]).status().unwrap().success());
        let mut command = runuser.command();
        command.args(["-u", "nobody", "--", "env"]);
        command.args([&format!("HOME={home}"), &format!("XDG_RUNTIME_DIR={home}")]);
        command.arg(vlc.path());
        command.args(["-vvv", "--services-discovery", "upnp", "--miface", "eth0"]);
        let process = client.spawn(command);
        let line = process.wait_for_line("Adding server", PATIENCE);
        assert!(line.contains(NAME) && line.contains(USN), "{line}");
    }
}

#[test]
fn the_universal_control_point_of_gupnp_reads_everything() {
    let (Some(gupnp), Some(xvfb)) =
        (peer::find_with("gupnp-universal-cp", &[]), peer::find_with("xvfb-run", &[]))
    else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let _server = Server::start(&stage.server);
    for (client, n) in stage.clients.iter().zip(1..) {
        let mut command = xvfb.command();
        command.arg("-a").arg(gupnp.path()).args(["-i", "eth0"]);
        command.env("GUPNP_DEBUG", "1").env("G_MESSAGES_DEBUG", "all");
        let process = client.spawn(command);
        for part in ["description.xml", "contentdirectory.xml", "connectionmanager.xml"] {
            process.wait_for_line(part, PATIENCE);
        }
        // By whichever family was heard first: it reads a device once.
        let of_this_link = [format!("http://10.77.{n}.1:"), format!("http://[fd77:{n}::1]:")];
        let said = process.output();
        assert!(of_this_link.iter().any(|url| said.contains(url)), "{said}");
    }
}

#[test]
fn node_ssdp_gets_an_answer() {
    let Some(node) = peer::find_node("node-ssdp") else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let _server = Server::start(&stage.server);
    let script = format!(
        "const {{ Client }} = require('node-ssdp');\n\
         const client = new Client();\n\
         client.on('response', (headers, code, from) => console.log(code, from.address, from.port, headers.LOCATION));\n\
         const ask = () => client.search('{MEDIA_SERVER}');\n\
         ask(); setInterval(ask, 2000); setTimeout(() => process.exit(0), 15000);\n"
    );
    for (client, n) in stage.clients.iter().zip(1..) {
        let process = client.spawn(command(&node, &["-e", &script]));
        let expected = format!("200 10.77.{n}.1 1900 http://10.77.{n}.1:8096/dlna/");
        process.wait_for_line(&expected, PATIENCE);
    }
}

#[test]
fn upnpc_lists_the_description() {
    let Some(upnpc) = peer::find_with("upnpc", &[]) else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let _server = Server::start(&stage.server);
    for (client, n) in stage.clients.iter().zip(1..) {
        let process = client.spawn(command(&upnpc, &["-m", "eth0", "-l"]));
        process.wait_for_line(&format!("desc: http://10.77.{n}.1:8096/dlna/"), PATIENCE);
    }
}
