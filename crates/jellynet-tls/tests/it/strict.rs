//! What Debian's Pebble lacks, with the authority of `tests/authority/server.py`.

use std::fs;
use std::time::Duration;

use jellynet_tls::{
    AcmeConfig, AcmeError, AcmeEvent, AcmeManager, Challenge, ExternalAccount, Identity,
    IdentityStore, Timestamp,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::authority::{Authority, PATIENCE, http, serve_http, serve_tls};
use crate::support::loader;

const DAY: u64 = 86_400;

fn profiles() -> Value {
    json!({ "profiles": {
        "classic": { "validityPeriod": 90 * DAY },
        "shortlived": { "validityPeriod": 6 * DAY, "addresses": true },
    } })
}

fn store() -> IdentityStore {
    IdentityStore::new(loader())
}

fn life(identity: &Identity) -> Duration {
    identity.info().not_after.since(identity.info().not_before)
}

/// What the authority was asked.
async fn log(authority: &Authority) -> Vec<Value> {
    let log = http(authority.address("management"), "GET /log", "").await;
    serde_json::from_str(&log).unwrap()
}

async fn orders(authority: &Authority) -> Vec<Value> {
    log(authority).await.iter().filter_map(|one| one.get("order").cloned()).collect()
}

/// Runs a manager, whose events come out of the second value, but for the steps of an order.
fn run(manager: AcmeManager) -> (JoinHandle<()>, mpsc::UnboundedReceiver<AcmeEvent>) {
    let (send, receive) = mpsc::unbounded_channel();
    let running = manager.run(move |event| {
        if !matches!(event, AcmeEvent::Step(_)) {
            let _ = send.send(event);
        }
    });
    (tokio::spawn(running), receive)
}

async fn next(events: &mut mpsc::UnboundedReceiver<AcmeEvent>) -> AcmeEvent {
    timeout(PATIENCE, events.recv()).await.expect("an event in time").unwrap()
}

/// Changes what is kept of the time: six hours are over.
fn forget_when_to_ask(config: &AcmeConfig) -> i64 {
    let folder = fs::read_dir(&config.storage).unwrap().next().unwrap().unwrap().path();
    let file = folder.join("state.json");
    let mut state: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let before = state["ask_at"].as_i64().unwrap();
    state["ask_at"] = json!(0);
    fs::write(&file, state.to_string()).unwrap();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_comes_when_the_authority_suggests_it_and_says_what_it_replaces() {
    let Some(authority) = Authority::strict("strict-ari", &json!({})) else { return };
    let store = store();
    serve_tls(authority.address("tls"), &store).await;
    let config = authority.config(&["tv.example.org"], Challenge::TlsAlpn01);
    let manager = AcmeManager::new(config.clone(), &store).unwrap();
    manager.renew(Timestamp::now()).await.unwrap();
    let first = store.identity_for(None).unwrap();
    assert!(first.chain().len() == 2 && life(&first).as_secs() == 90 * DAY, "{first:?}");

    // The window is the authority's, and so is the time of the next question.
    let (running, mut events) = run(manager.clone());
    let AcmeEvent::Suggested { renew_at, explanation } = next(&mut events).await else {
        panic!("no suggestion");
    };
    let share = renew_at.since(first.info().not_before).as_secs() * 100 / (90 * DAY);
    assert!((66..=75).contains(&share), "{share} % of the life");
    assert!(explanation.unwrap().ends_with("/why"));
    assert_eq!(manager.due(Timestamp::now()), renew_at);
    running.abort();
    let wait = forget_when_to_ask(&config) - Timestamp::now().as_unix();
    assert!((21_600 - 60..=21_600).contains(&wait), "asked again after {wait} s");
    assert_eq!(log(&authority).await.len(), 2, "one order, one question");

    // An incident: the authority wants all of them renewed at once.
    let now = Timestamp::now().as_unix();
    let window = json!([now - 7200, now - 3600]).to_string();
    http(authority.address("management"), "POST /window", &window).await;
    let (running, mut events) = run(AcmeManager::new(config.clone(), &store).unwrap());
    let suggested = next(&mut events).await;
    assert!(
        matches!(&suggested, AcmeEvent::Suggested { renew_at, .. } if renew_at.as_unix() < now),
        "{suggested}"
    );
    let issued = next(&mut events).await;
    assert!(matches!(issued, AcmeEvent::Issued { .. }), "{issued}");
    running.abort();
    assert_ne!(store.identity_for(None).unwrap().fingerprint(), first.fingerprint());
    let asked = orders(&authority).await;
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].get("replaces").is_none(), "{asked:?}");
    assert!(asked[1]["replaces"].as_str().unwrap().contains('.'), "{asked:?}");

    // What was replaced already is no reason to go without.
    let other = self::store();
    other.set("acme", first.clone(), Timestamp::now());
    let mut config = config;
    config.challenge = Challenge::Http01;
    let manager = AcmeManager::new(config, &other).unwrap();
    serve_http(authority.address("http"), manager.http01()).await;
    manager.renew(Timestamp::now()).await.unwrap();
    let asked = orders(&authority).await;
    assert_eq!(asked[2]["replaces"], asked[1]["replaces"]);
    assert!(asked[3].get("replaces").is_none(), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_lived_certificate_vouches_for_bare_addresses() {
    let Some(authority) = Authority::strict("strict-address", &profiles()) else { return };
    let names = ["127.0.0.1", "2001:db8::7", "tv.example.org"];
    for challenge in [Challenge::TlsAlpn01, Challenge::Http01] {
        let store = store();
        let mut config = authority.config(&names, challenge.clone());
        config.profile = Some("shortlived".to_owned());
        let manager = AcmeManager::new(config, &store).unwrap();
        match challenge {
            Challenge::Http01 => serve_http(authority.address("http"), manager.http01()).await,
            _ => drop(serve_tls(authority.address("tls"), &store).await),
        }
        let now = Timestamp::now();
        manager.renew(now).await.unwrap();
        let identity = store.identity_for(None).unwrap();
        assert!(names.iter().all(|name| identity.covers(name)), "{:?}", identity.info());
        assert_eq!(life(&identity).as_secs(), 6 * DAY);
        let due = manager.due(now).since(identity.info().not_before);
        assert_eq!(due.as_secs(), 3 * DAY, "half of a short life");
    }
    let asked = orders(&authority).await;
    assert_eq!(asked[0]["identifiers"][0], json!({ "type": "ip", "value": "127.0.0.1" }));
    assert_eq!(asked[0]["profile"], "shortlived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_not_offered_is_named_with_those_that_are() {
    let Some(authority) = Authority::strict("strict-profile", &profiles()) else { return };
    let mut config = authority.config(&["tv.example.org"], Challenge::TlsAlpn01);
    config.profile = Some("tlsserver".to_owned());
    let error =
        AcmeManager::new(config, &store()).unwrap().renew(Timestamp::now()).await.unwrap_err();
    assert!(matches!(error, AcmeError::Profile { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("tlsserver") && said.contains("classic, shortlived"), "{said}");
    assert_eq!(orders(&authority).await.len(), 0, "nothing was ordered");

    // Without the profile, the authority's own words.
    let config = authority.config(&["127.0.0.1"], Challenge::TlsAlpn01);
    let error =
        AcmeManager::new(config, &store()).unwrap().renew(Timestamp::now()).await.unwrap_err();
    assert!(error.to_string().contains("addresses need the profile shortlived"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_stays_proves_a_wildcard_again_and_again() {
    let Some(authority) = Authority::strict("strict-persist", &json!({})) else { return };
    let store = store();
    let issuer = "authority.test".to_owned();
    let names = ["*.example.org", "example.org"];
    let config = authority.config(&names, Challenge::DnsPersist01 { issuer });
    let manager = AcmeManager::new(config, &store).unwrap();
    let error = manager.renew(Timestamp::now()).await.unwrap_err();
    assert!(error.to_string().contains("_validation-persist.example.org"), "{error}");

    let records = manager.persistent_records().await.unwrap();
    let [(name, value)] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!(name, "_validation-persist.example.org");
    let set = json!({ "host": format!("{name}."), "value": value }).to_string();
    http(authority.address("control"), "POST /set-txt", &set).await;
    for _ in 0..2 {
        manager.renew(Timestamp::now()).await.unwrap();
        let identity = store.identity_for(None).unwrap();
        assert!(identity.covers("any.example.org") && identity.covers("example.org"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_account_is_bound_by_its_key() {
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let more = json!({
        "externalAccountBindingRequired": true,
        "externalAccountMACKeys": { "kid-1": key },
    });
    let Some(authority) = Authority::strict("strict-external", &more) else { return };
    let store = store();
    serve_tls(authority.address("tls"), &store).await;
    let mut config = authority.config(&["tv.example.org"], Challenge::TlsAlpn01);
    for (account, why) in [
        (None, "externalAccountRequired"),
        (ExternalAccount::new("kid-1", "c2VjcmV0"), "binding"),
        (ExternalAccount::new("kid-2", key), "binding"),
    ] {
        config.external_account = account;
        let manager = AcmeManager::new(config.clone(), &store).unwrap();
        let error = manager.renew(Timestamp::now()).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    config.external_account = ExternalAccount::new("kid-1", key);
    AcmeManager::new(config, &store).unwrap().renew(Timestamp::now()).await.unwrap();
}
