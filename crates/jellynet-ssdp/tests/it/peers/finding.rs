//! Our control point finds real servers, and hears them go.

use jellynet_netif::Interfaces;
use jellynet_ssdp::{Search, SearcherConfig, SearcherEvent, Target, product_line, seed};
use jellynet_test::netns::Namespace;
use jellynet_test::peer;

use super::beside::{Scratch, minidlna};
use super::stage::{PATIENCE, Server, Stage};

/// Searches in the namespace until `done` says so, and returns what it was told.
fn search(
    namespace: &Namespace,
    mut done: impl FnMut(&SearcherEvent) -> bool + Send,
) -> Vec<SearcherEvent> {
    namespace.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            let agent = product_line("jellynet-test", "0.1");
            let config = SearcherConfig::new([Target::media_servers()], agent, seed());
            let mut search = Search::start(config, Interfaces::watch().unwrap()).unwrap();
            let mut events = Vec::new();
            let wait = async {
                while let Some(event) = search.next().await {
                    let last = done(&event);
                    events.push(event);
                    if last {
                        return;
                    }
                }
            };
            let waited = tokio::time::timeout(PATIENCE, wait).await;
            assert!(waited.is_ok(), "{events:?}");
            events
        })
    })
}

#[test]
fn our_own_server_is_found_on_both_families() {
    let Some(stage) = Stage::set() else { return };
    let _server = Server::start(&stage.server);
    let events = search(&stage.clients[1], |event| match event {
        SearcherEvent::Alive(found) | SearcherEvent::Update(found) => found.ways.len() >= 2,
        _ => false,
    });
    let Some(SearcherEvent::Update(found)) = events.last() else {
        panic!("{events:?}");
    };
    for way in &found.ways {
        let url = if way.source.is_ipv4() {
            "http://10.77.2.1:8096/"
        } else {
            "http://[fd77:2::1]:8096/"
        };
        assert!(way.location.starts_with(url), "{way:?}");
    }
}

#[test]
fn minidlna_is_found_and_heard_to_go() {
    let Some(stage) = Stage::set() else { return };
    let Some((minidlna, _scratch)) = minidlna(&stage.server, "eth1") else {
        return;
    };
    let events = search(&stage.clients[0], |event| match event {
        SearcherEvent::Alive(found) => {
            assert_eq!(found.location, "http://10.77.1.1:8200/rootDesc.xml");
            minidlna.terminate();
            false
        }
        SearcherEvent::ByeBye(_) => true,
        _ => false,
    });
    assert!(events.len() >= 2, "{events:?}");
}

#[test]
fn gerbera_is_found_and_heard_to_go() {
    let Some(gerbera) = peer::find("gerbera") else {
        return;
    };
    let Some(stage) = Stage::set() else { return };
    let scratch = Scratch::new("gerbera");
    let home = scratch.path().to_str().unwrap();
    let Ok(text) = std::fs::read_to_string("/etc/gerbera/config.xml") else {
        peer::skip("gerbera has no /etc/gerbera/config.xml");
        return;
    };
    let (before, rest) = text.split_once("<home>").unwrap();
    let (_, after) = rest.split_once("</home>").unwrap();
    let config = scratch.file("config.xml");
    std::fs::write(&config, format!("{before}<home>{home}</home>{after}")).unwrap();
    let mut command = gerbera.command();
    command.args(["-c", &config, "-e", "eth1", "-m", home]).env("HOME", home);
    let process = stage.server.spawn(command);
    let events = search(&stage.clients[0], |event| match event {
        SearcherEvent::Alive(found) => {
            assert!(found.location.starts_with("http://10.77.1.1:"), "{found:?}");
            process.terminate();
            false
        }
        SearcherEvent::ByeBye(_) => true,
        _ => false,
    });
    assert!(events.len() >= 2, "{events:?}");
}

#[test]
fn a_search_waits_for_its_first_interface() {
    let (Some(server), Some(client)) =
        (Namespace::new("jellynet-ssdp"), Namespace::new("jellynet-ssdp"))
    else {
        return;
    };
    let advertised = Server::start(&server);
    let finder = std::thread::scope(|scope| {
        let finder = scope.spawn(|| search(&client, |e| matches!(e, SearcherEvent::Alive(_))));
        server.link("eth1", &client, "eth0");
        server.address("eth1", "10.77.1.1/24");
        client.address("eth0", "10.77.1.2/24");
        finder.join().unwrap()
    });
    let Some(SearcherEvent::Alive(found)) = finder.last() else {
        panic!("{finder:?}");
    };
    assert!(
        found.location.contains("//10.77.1.1:") || found.location.contains("//[fe80"),
        "{found:?}"
    );
    advertised.stop();
}
