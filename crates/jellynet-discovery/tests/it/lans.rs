//! Real clients find a server with two LANs, in network namespaces.

use std::future::Future;
use std::process::Command;
use std::time::Duration;

use jellynet_discovery::{
    DiscoveryEvent, DiscoveryService, Identity, Responder, ResponderConfig, SeekEvent,
    SeekerConfig, ServerId, seek,
};
use jellynet_netif::Interfaces;
use jellynet_test::netns::Namespace;
use jellynet_test::peer::{self, Process};
use tokio::time::timeout;

const ID: ServerId = ServerId::from_bytes([7; 16]);
const SOON: Duration = Duration::from_secs(10);

struct Lans {
    server: Namespace,
    clients: [Namespace; 2],
}

/// Server 10.77.1.1 and 10.77.2.1, with one client each.
fn lans() -> Option<Lans> {
    let new = || Namespace::new("jellynet-discovery");
    let lans = Lans { server: new()?, clients: [new()?, new()?] };
    for (client, number) in lans.clients.iter().zip(1..) {
        let interface = format!("lan{number}");
        lans.server.link(&interface, client, "eth0");
        lans.server.address(&interface, &format!("10.77.{number}.1/24"));
        client.address("eth0", &format!("10.77.{number}.2/24"));
        client.default_route([10, 77, number, 1].into());
    }
    Some(lans)
}

fn inside<T: Send>(namespace: &Namespace, code: impl Future<Output = T> + Send) -> T {
    namespace.run(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(code)
    })
}

fn spawn() -> DiscoveryService {
    let identity = Identity::new(ID, "Den", |asker| Some(asker.http(8096)));
    let responder = Responder::new(ResponderConfig::default()).with_identity(identity);
    DiscoveryService::spawn(responder, Interfaces::watch().unwrap())
}

/// Lets the service work until the program has printed such a line.
async fn line(service: &mut DiscoveryService, process: &Process, needle: &str) -> String {
    let line = async {
        loop {
            if let Some(line) = process.find_line(needle, Duration::ZERO) {
                return line;
            }
            drop(timeout(Duration::from_millis(20), service.next()).await);
        }
    };
    let printed = timeout(SOON, line).await;
    printed.unwrap_or_else(|_| panic!("no {needle:?} in: {}", process.output()))
}

#[test]
fn socat_is_told_the_address_of_its_lan() {
    let Some(socat) = peer::find_with("socat", &["-V"]) else {
        return;
    };
    let Some(lans) = lans() else { return };
    inside(&lans.server, async {
        let mut service = spawn();
        assert_eq!(service.status().failures().next(), None);
        for (client, number) in lans.clients.iter().zip(1..) {
            let directed = format!("10.77.{number}.255");
            let ours = format!("10.77.{number}.1");
            for to in ["255.255.255.255", directed.as_str(), ours.as_str()] {
                let socat = socat.path().display();
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!(
                    "printf 'Who is JellyfinServer?' | {socat} -t0.3 - UDP4-DATAGRAM:{to}:7359,broadcast"
                ));
                let process = client.spawn(command);
                let answer = line(&mut service, &process, "Address").await;
                assert!(answer.contains(&format!("\"http://{ours}:8096\"")), "{to}: {answer}");
            }
        }
        service.shutdown().await;
    });
}

#[test]
fn jellyfin_apiclient_python_finds_the_server_from_both_lans() {
    const SCRIPT: &str = "
from jellyfin_apiclient_python import JellyfinClient
auth = JellyfinClient().auth
found = auth.process_found_servers(auth._server_discovery())
print('FOUND', [(s['Id'], s['address'], s['Name']) for s in found], flush=True)
";
    let Some(python) = peer::find_python("jellyfin-apiclient-python") else {
        return;
    };
    let Some(lans) = lans() else { return };
    inside(&lans.server, async {
        let mut service = spawn();
        for (client, number) in lans.clients.iter().zip(1..) {
            let mut command: Command = python.command();
            command.args(["-c", SCRIPT]);
            let process = client.spawn(command);
            let found = line(&mut service, &process, "FOUND").await;
            let expected = format!("[('{ID}', 'http://10.77.{number}.1:8096', 'Den')]");
            assert!(found.contains(&expected), "{found}");
        }
    });
}

#[test]
fn our_seeker_finds_it_and_a_second_server_with_our_id_is_a_conflict() {
    let Some(lans) = lans() else { return };
    let [client, second] = &lans.clients;
    std::thread::scope(|scope| {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = scope.spawn(|| {
            inside(&lans.server, async {
                let _service = spawn();
                drop(stopped.await);
            });
        });
        inside(client, async {
            let mut search = seek(SeekerConfig::default(), Interfaces::watch().unwrap());
            let event = timeout(SOON, search.next()).await.unwrap();
            let Some(SeekEvent::Found(found)) = event else { panic!("{event:?}") };
            assert_eq!(found.answer.address, "http://10.77.1.1:8096");
            assert_eq!(found.from.to_string(), "10.77.1.1:7359");
            assert_eq!(search.servers().len(), 1);
        });
        inside(second, async {
            let mut service = spawn();
            service.look_for_conflicts();
            let conflict = async {
                loop {
                    match service.next().await.unwrap() {
                        DiscoveryEvent::Conflict(found) => return found,
                        event => assert!(matches!(event, DiscoveryEvent::Asked(_))),
                    }
                }
            };
            let found = timeout(SOON, conflict).await.unwrap();
            assert_eq!(found.from.to_string(), "10.77.2.1:7359");
        });
        drop(stop);
        server.join().unwrap();
    });
}

#[test]
fn a_server_that_starts_without_a_network_is_found_when_one_comes() {
    let Some(lans) = lans() else { return };
    let [client, _] = &lans.clients;
    lans.server.ip("address del 10.77.1.1/24 dev lan1");
    inside(&lans.server, async {
        let mut service = spawn();
        lans.server.address("lan1", "10.77.1.3/24");
        let asked = async {
            loop {
                let socket = client.run(|| {
                    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
                    socket.set_broadcast(true).unwrap();
                    socket.set_nonblocking(true).unwrap();
                    socket
                });
                let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
                let question = b"who is JellyfinServer?";
                socket.send_to(question, "255.255.255.255:7359").await.unwrap();
                let mut buffer = [0; 1024];
                let answer = async {
                    tokio::select! {
                        answer = socket.recv_from(&mut buffer) => answer.unwrap().0,
                        _ = async { loop { service.next().await; } } => unreachable!(),
                    }
                };
                if let Ok(length) = timeout(Duration::from_millis(100), answer).await {
                    return String::from_utf8_lossy(&buffer[..length]).into_owned();
                }
            }
        };
        let answer = timeout(Duration::from_secs(2), asked).await.unwrap();
        assert!(answer.contains("http://10.77.1.3:8096"), "{answer}");
    });
}
