//! The tower layer, over plain requests.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response, StatusCode};
use jellynet_access::{AccessLayer, Counters, Decision, LivePolicy, Policy, Reason};
use jellynet_netif::{ClientAddr, PeerAddr, Provenance};
use tower::{Layer, ServiceExt, service_fn};

fn from(peer: &str) -> Request<()> {
    let mut request = Request::new(());
    let peer = PeerAddr::inet(peer.parse().unwrap());
    request.extensions_mut().insert(peer);
    request
}

/// The response to a request, and how often the application saw one.
async fn answer(layer: &AccessLayer, request: Request<()>) -> (Response<String>, usize) {
    let seen = Arc::new(AtomicUsize::new(0));
    let application = service_fn({
        let seen = Arc::clone(&seen);
        move |request: Request<()>| {
            seen.fetch_add(1, Ordering::Relaxed);
            let decision = request.extensions().get::<Decision>().unwrap();
            let body = format!("welcome, {}", decision.reason);
            async { Ok::<_, Infallible>(Response::new(body)) }
        }
    });
    let response = layer.layer(application).oneshot(request).await.unwrap();
    (response, seen.load(Ordering::Relaxed))
}

#[tokio::test]
async fn who_may_come_in_reaches_the_application() {
    let layer = AccessLayer::new(Policy::default().with_remote_access(false));
    let (response, seen) = answer(&layer, from("192.168.1.1:1")).await;
    assert_eq!((response.status(), seen), (StatusCode::OK, 1));
    assert_eq!(response.body(), "welcome, lan");
}

#[tokio::test]
async fn who_may_not_gets_a_short_answer_and_nothing_else() {
    let layer = AccessLayer::new(Policy::default().with_remote_access(false));
    let mut spoofed = from("127.0.0.1:1");
    spoofed.extensions_mut().insert(ClientAddr {
        ip: "203.0.113.9".parse().unwrap(),
        port: None,
        provenance: Provenance::Forwarded { hops: 1 },
    });
    for (request, reason) in [
        (from("203.0.113.9:1"), Reason::RemoteDisabled),
        (spoofed, Reason::RemoteDisabled),
        (Request::new(()), Reason::NoAddress),
    ] {
        let (response, seen) = answer(&layer, request).await;
        assert_eq!((response.status(), seen), (StatusCode::FORBIDDEN, 0));
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(response.body().len() < 100);
        let decision = response.extensions().get::<Decision>().unwrap();
        assert_eq!(decision.reason, reason);
    }
}

#[tokio::test]
async fn the_policy_changes_while_the_service_runs() {
    let policy = LivePolicy::new(Policy::default());
    let layer = AccessLayer::new(policy.clone());
    assert_eq!(answer(&layer, from("203.0.113.9:1")).await.1, 1);
    policy.replace(Policy::default().with_remote_access(false));
    assert_eq!(answer(&layer, from("203.0.113.9:1")).await.1, 0);
    policy.replace(Policy::default());
    assert_eq!(answer(&layer, from("203.0.113.9:1")).await.1, 1);
}

#[tokio::test]
async fn every_reason_is_counted() {
    let counters = Counters::default();
    let policy = Policy::default().with_remote_access(false);
    let layer = AccessLayer::new(policy).with_counters(counters.clone());
    for peer in ["127.0.0.1:1", "203.0.113.9:1", "203.0.113.9:2", "10.0.0.1:1"] {
        answer(&layer, from(peer)).await;
    }
    let counted: Vec<_> = counters.iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [(Reason::Loopback, 1), (Reason::Lan, 1), (Reason::RemoteDisabled, 2)]);
    assert_eq!(layer.counters().iter().len(), Reason::ALL.len());
}
