//! The tower layer, over plain requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Uri};
use jellynet_forwarded::{
    AuditFlag, AuditLog, EffectiveOrigin, ForwardedLayer, KnownProxies, LiveRules, PreambleClient,
    Rules, Scheme, Strip,
};
use jellynet_netif::{ClientAddr, PeerAddr};
use tower::{Layer, ServiceExt, service_fn};

use crate::request::{peer, rules};

type Empty = Request<()>;

/// What the application behind the layer receives.
async fn behind(layer: ForwardedLayer, request: Empty) -> Empty {
    let application = service_fn(async |request: Empty| Ok::<_, Infallible>(request));
    layer.layer(application).oneshot(request).await.unwrap()
}

fn request(target: &str, from: &str) -> Empty {
    let mut request = Request::get(target)
        .header("Host", "own.lan:8096")
        .header("X-Forwarded-For", "6.6.6.6, 1.2.3.4")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "tv.example")
        .header("X_Forwarded_For", "6.6.6.6")
        .header("X-Real-IP", "6.6.6.6")
        .header("Accept", "*/*")
        .body(())
        .unwrap();
    request.extensions_mut().insert(peer(from));
    request
}

fn client(request: &Empty) -> Option<String> {
    let client = request.extensions().get::<ClientAddr>();
    client.map(|client| client.ip.to_string())
}

#[tokio::test]
async fn client_and_target_are_told() {
    let layer = ForwardedLayer::new(rules(&["10.0.0.2"]));
    for (target, from, expected_client, expected_target, why) in [
        ("/a?b", "10.0.0.2:1", "1.2.3.4", "https://tv.example/a?b", "behind a proxy"),
        ("/a?b", "10.0.0.9:1", "10.0.0.9", "http://own.lan:8096/a?b", "direct"),
        ("http://abs.lan/a", "10.0.0.9:1", "10.0.0.9", "http://abs.lan/a", "absolute form"),
        (
            "https://abs.lan/a",
            "10.0.0.9:1",
            "10.0.0.9",
            "http://abs.lan/a",
            "a scheme that the connection has not",
        ),
        ("http://u@abs.lan/a", "10.0.0.9:1", "10.0.0.9", "/a", "an authority with a user"),
        ("*", "10.0.0.9:1", "10.0.0.9", "*", "asterisk form"),
    ] {
        let received = behind(layer.clone(), request(target, from)).await;
        assert_eq!(client(&received).as_deref(), Some(expected_client), "{why}");
        assert_eq!(*received.uri(), expected_target, "{why}");
        assert!(received.headers().contains_key("x-forwarded-for"), "{why}");
    }
    let mut connect = request("own.lan:443", "10.0.0.2:1");
    *connect.method_mut() = Method::CONNECT;
    assert_eq!(*behind(layer, connect).await.uri(), "own.lan:443");
}

#[tokio::test]
async fn the_target_is_left_alone_where_it_is_right() {
    let layer = ForwardedLayer::new(rules(&[])).with_scheme(Scheme::Https);
    let plain = request("https://own.lan/a", "10.0.0.9:1");
    let before: Uri = plain.uri().clone();
    let received = behind(layer, plain).await;
    assert_eq!(*received.uri(), before);
    let text = |uri: &Uri| uri.authority().map(|authority| authority.as_str().as_ptr());
    assert_eq!(text(received.uri()), text(&before), "nothing was copied");
}

#[tokio::test]
async fn without_a_peer_nobody_is_the_client() {
    let (audit, told) = listening();
    let layer = ForwardedLayer::new(rules(&["0.0.0.0/0", "unix"])).with_audit(audit);
    let mut anonymous = request("/", "10.0.0.2:1");
    anonymous.extensions_mut().remove::<PeerAddr>();
    // Whatever stood there before was not said by this layer.
    let claimed = ClientAddr::direct("127.0.0.1:1".parse().unwrap());
    anonymous.extensions_mut().insert(claimed);
    let received = behind(layer, anonymous).await;
    assert_eq!(client(&received), None);
    assert_eq!(*received.uri(), "http://own.lan:8096/");
    assert_eq!(*told.lock().unwrap(), [AuditFlag::NoPeer]);
}

#[tokio::test]
async fn a_stranger_on_a_unix_socket_is_nobody() {
    let received = behind(ForwardedLayer::new(rules(&[])), request("/", "unix")).await;
    assert_eq!(client(&received), None);
    let trusting = ForwardedLayer::new(rules(&["unix"]));
    let received = behind(trusting, request("/", "unix")).await;
    assert_eq!(client(&received).as_deref(), Some("1.2.3.4"));
}

#[tokio::test]
async fn headers_can_be_hidden_from_the_application() {
    for (strip, from, hidden, why) in [
        (Strip::Never, "10.0.0.9:1", false, "the default"),
        (Strip::Untrusted, "10.0.0.9:1", true, "ignored ones"),
        (Strip::Untrusted, "unix", true, "ignored ones"),
        (Strip::Untrusted, "10.0.0.2:1", false, "these were read"),
        (Strip::Always, "10.0.0.2:1", true, "all"),
    ] {
        let layer = ForwardedLayer::new(rules(&["10.0.0.2"])).with_strip(strip);
        let received = behind(layer, request("/", from)).await;
        for name in ["x-forwarded-for", "x-forwarded-proto", "x-real-ip", "x_forwarded_for"] {
            assert_eq!(!received.headers().contains_key(name), hidden, "{why}: {name}");
        }
        assert!(received.headers().contains_key("accept"), "{why}");
        assert!(received.headers().contains_key("host"), "{why}");
    }
}

#[tokio::test]
async fn rules_change_while_the_service_runs() {
    let rules = LiveRules::new(rules(&[]));
    let layer = ForwardedLayer::new(rules.clone());
    let before = behind(layer.clone(), request("/", "10.0.0.2:1")).await;
    assert_eq!(client(&before).as_deref(), Some("10.0.0.2"));
    rules.set_proxies(KnownProxies::parse(["10.0.0.2"]).unwrap().to_set());
    let after = behind(layer.clone(), request("/", "10.0.0.2:1")).await;
    assert_eq!(client(&after).as_deref(), Some("1.2.3.4"));
    rules.replace(Rules::default());
    let cleared = behind(layer, request("/", "10.0.0.2:1")).await;
    assert_eq!(client(&cleared).as_deref(), Some("10.0.0.2"));
}

#[tokio::test]
async fn facts_of_the_connection_come_by_extension() {
    let layer = ForwardedLayer::new(rules(&["10.0.0.2"]));
    let mut with_facts = request("/", "10.0.0.2:1");
    with_facts.extensions_mut().insert(Scheme::Https);
    with_facts
        .extensions_mut()
        .insert(PreambleClient { client: Some("9.9.9.9:5".parse().unwrap()), tls: None });
    let received = behind(layer, with_facts).await;
    assert_eq!(client(&received).as_deref(), Some("9.9.9.9"));
    let origin = received.extensions().get::<EffectiveOrigin>().unwrap();
    assert_eq!((origin.scheme, origin.hops), (Scheme::Https, 1));
    let authority = origin.authority.as_ref().map(|authority| authority.as_str());
    assert_eq!(authority, Some("own.lan:8096"));

    // A framework's own word for the peer.
    let layer = ForwardedLayer::new(rules(&["10.0.0.2"]))
        .with_peer(|extensions| extensions.get::<SocketAddr>().copied().map(PeerAddr::inet));
    let mut framework = request("/", "10.0.0.9:1");
    let address: SocketAddr = "10.0.0.2:1".parse().unwrap();
    framework.extensions_mut().insert(address);
    let received = behind(layer, framework).await;
    assert_eq!(client(&received).as_deref(), Some("1.2.3.4"));
}

#[tokio::test]
async fn what_is_odd_is_counted_and_told_once() {
    let (audit, told) = listening();
    let layer = ForwardedLayer::new(rules(&[])).with_audit(audit.clone());
    for _ in 0..3 {
        behind(layer.clone(), request("/", "10.0.0.2:1")).await;
    }
    assert_eq!(*told.lock().unwrap(), [AuditFlag::UntrustedPeer]);
    let count = |wanted| audit.counters().find(|(flag, _)| *flag == wanted);
    let untrusted = count(AuditFlag::UntrustedPeer).map(|(_, count)| count);
    assert_eq!(untrusted, Some(3));
}

fn listening() -> (AuditLog, Arc<Mutex<Vec<AuditFlag>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let audit = AuditLog::new().with_sink(move |event| sink.lock().unwrap().push(event.flag));
    (audit, told)
}
