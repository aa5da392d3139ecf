//! Certificates from Pebble, the authority of Let's Encrypt for tests.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jellynet_tls::{
    AcmeConfig, AcmeError, AcmeEvent, AcmeManager, Challenge, DnsError, DnsFuture, DnsHook,
    DnsProvider, ExternalAccount, IdentityStore, Timestamp,
};
use rustls::version::TLS13;
use serde_json::json;

use crate::authority::{Authority, http, serve_http, serve_tls};
use crate::support::{client, connect, folder, identity, loader};

/// Sets records in Pebble's name server.
struct TestDns {
    control: SocketAddr,
    set: Mutex<Vec<String>>,
}

impl TestDns {
    async fn post(&self, path: &str, body: String) -> Result<(), DnsError> {
        http(self.control, &format!("POST {path}"), &body).await;
        Ok(())
    }
}

impl DnsProvider for TestDns {
    fn add_txt<'a>(&'a self, name: &'a str, value: &'a str) -> DnsFuture<'a> {
        self.set.lock().unwrap().push(name.to_owned());
        let body = json!({ "host": format!("{name}."), "value": value }).to_string();
        Box::pin(self.post("/set-txt", body))
    }

    fn remove_txt<'a>(&'a self, name: &'a str, _value: &'a str) -> DnsFuture<'a> {
        let body = json!({ "host": format!("{name}.") }).to_string();
        Box::pin(self.post("/clear-txt", body))
    }
}

fn store() -> IdentityStore {
    IdentityStore::new(loader())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_alpn_01_needs_nothing_but_the_port_and_renewal_disturbs_nobody() {
    let Some(pebble) = Authority::pebble("acme-alpn", &json!({}), &[]) else {
        return;
    };
    let store = store();
    store.set("default", identity("default.test"), Timestamp::now());
    let acceptor = serve_tls(pebble.address("tls"), &store).await;
    let config = pebble.config(&["tv.example.org", "music.example.org"], Challenge::TlsAlpn01);
    let manager = AcmeManager::new(config.clone(), &store).unwrap();
    let now = Timestamp::now();
    assert!(manager.due(now) <= now);
    let events = manager.renew(now).await.unwrap();
    assert!(matches!(&events[..], [AcmeEvent::Issued { .. }]), "{events:?}");
    let first = store.identity_for(Some("tv.example.org")).unwrap();
    assert_eq!(first.info().names.len(), 2, "{:?}", first.info());
    assert!(first.chain().len() > 1, "with its intermediate");
    assert!(manager.due(now) > now, "nothing to do for years");

    // Requests go on while it is renewed.
    let client = Arc::new(client(&[&TLS13]));
    let (done, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = tokio::spawn({
        let (acceptor, client) = (acceptor.clone(), Arc::clone(&client));
        let (done, count) = (Arc::clone(&done), Arc::clone(&count));
        async move {
            while !done.load(Ordering::SeqCst) {
                connect(&acceptor, &client, "tv.example.org").await?;
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok::<_, String>(())
        }
    });
    manager.renew(Timestamp::now()).await.unwrap();
    done.store(true, Ordering::SeqCst);
    load.await.unwrap().expect("no handshake failed");
    assert!(count.load(Ordering::SeqCst) > 0);
    let renewed = store.identity_for(Some("tv.example.org")).unwrap();
    assert_ne!(renewed.fingerprint(), first.fingerprint());
    let seen = connect(&acceptor, &client, "tv.example.org").await.unwrap();
    assert_eq!(seen.leaf, renewed.fingerprint(), "the new one, resumed or not");

    // After a restart nothing is asked of the authority, which is gone.
    drop(pebble);
    let restarted = self::store();
    let manager = AcmeManager::new(config, &restarted).unwrap();
    manager.load(Timestamp::now());
    let kept = restarted.identity_for(None).unwrap();
    assert_eq!(kept.fingerprint(), renewed.fingerprint());
    assert!(manager.due(Timestamp::now()) > Timestamp::now());

    // And if it has to be asked, its absence changes nothing.
    let error = manager.renew(Timestamp::now()).await.unwrap_err();
    assert!(matches!(error, AcmeError::Authority { .. }), "{error}");
    assert_eq!(restarted.identity_for(None).unwrap().fingerprint(), renewed.fingerprint());
}

#[tokio::test(flavor = "multi_thread")]
async fn http_01_answers_and_stale_nonces_are_got_over() {
    let nonces = [("PEBBLE_WFE_NONCEREJECT", "20")];
    let Some(pebble) = Authority::pebble("acme-http", &json!({}), &nonces) else {
        return;
    };
    let store = store();
    let manager =
        AcmeManager::new(pebble.config(&["a.example.org"], Challenge::Http01), &store).unwrap();
    serve_http(pebble.address("http"), manager.http01()).await;
    manager.renew(Timestamp::now()).await.unwrap();
    assert_eq!(store.identity_for(None).unwrap().info().names, ["a.example.org"]);
    assert!(manager.http01().respond("/.well-known/acme-challenge/x").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn dns_01_proves_wildcards() {
    let Some(pebble) = Authority::pebble("acme-dns", &json!({}), &[]) else {
        return;
    };
    let dns = Arc::new(TestDns { control: pebble.address("control"), set: Mutex::default() });
    let store = store();
    let names = ["*.example.org", "example.org"];
    let config = pebble.config(&names, Challenge::Dns01(Arc::clone(&dns) as _));
    AcmeManager::new(config, &store).unwrap().renew(Timestamp::now()).await.unwrap();
    let identity = store.identity_for(Some("any.example.org")).unwrap();
    assert!(identity.covers("any.example.org") && identity.covers("example.org"));
    assert!(dns.set.lock().unwrap().iter().all(|name| name == "_acme-challenge.example.org"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_account_is_used_and_its_absence_is_said() {
    let more = json!({
        "externalAccountBindingRequired": true,
        "externalAccountMACKeys": { "kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W" },
    });
    let Some(pebble) = Authority::pebble("acme-external", &more, &[]) else {
        return;
    };
    let store = store();
    serve_tls(pebble.address("tls"), &store).await;
    let mut config = pebble.config(&["a.example.org"], Challenge::TlsAlpn01);
    let error = AcmeManager::new(config.clone(), &store)
        .unwrap()
        .renew(Timestamp::now())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("externalAccountRequired"), "{error}");
    let key = more["externalAccountMACKeys"]["kid-1"].as_str().unwrap();
    config.external_account = ExternalAccount::new("kid-1", key);
    assert!(!format!("{config:?}").contains(key));
    AcmeManager::new(config, &store).unwrap().renew(Timestamp::now()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_with_its_reason_and_followed_by_a_pause() {
    let more = json!({ "domainBlocklist": ["blocked.example.org"] });
    let Some(pebble) = Authority::pebble("acme-refused", &more, &[]) else {
        return;
    };
    let store = store();
    let old = identity("old.test");
    store.set("main", old.clone(), Timestamp::now());
    let config = pebble.config(&["blocked.example.org"], Challenge::TlsAlpn01);
    let manager = AcmeManager::new(config, &store).unwrap();
    let now = Timestamp::now();
    let error = manager.renew(now).await.unwrap_err();
    assert!(error.to_string().contains("rejectedIdentifier"), "{error}");
    assert_eq!(manager.due(now), now.plus(Duration::from_secs(60)));
    assert_eq!(store.identity_for(None).unwrap().fingerprint(), old.fingerprint());

    // Nobody listens where the authority looks.
    let manager =
        AcmeManager::new(pebble.config(&["a.example.org"], Challenge::TlsAlpn01), &store).unwrap();
    let error = manager.renew(now).await.unwrap_err();
    assert!(
        matches!(&error, AcmeError::Refused { name, .. } if name == "a.example.org"),
        "{error}"
    );
    assert_eq!(manager.due(now), now.plus(Duration::from_secs(60)), "another question begins anew");
    manager.renew(now).await.unwrap_err();
    assert_eq!(manager.due(now), now.plus(Duration::from_secs(240)), "the second failure in a row");
    let status = manager.status(now);
    assert_eq!((status.failures, status.under_way, status.not_after), (2, false, None));
    assert!(status.last_error.is_some_and(|text| text.contains("a.example.org")));
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_begun() {
    let folder = folder("acme-storage");
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    let mut config = AcmeConfig::new(file.join("below"), ["a.example.org"]);
    config.directory = "https://localhost:1/dir".to_owned();
    let manager = AcmeManager::new(config, &store()).unwrap();
    let error = manager.renew(Timestamp::now()).await.unwrap_err();
    assert!(matches!(error, AcmeError::Storage { .. }), "{error}");
    let none: [&str; 0] = [];
    assert!(matches!(
        AcmeManager::new(AcmeConfig::new(&folder, none), &store()),
        Err(AcmeError::NoNames)
    ));
}

#[tokio::test]
async fn a_hook_program_gets_verb_name_and_value() {
    let folder = folder("acme-hook");
    let (program, log) = (folder.join("hook"), folder.join("log"));
    write_program(&program, &format!("#!/bin/sh\necho \"$@\" >>{}\n", log.display()));
    let hook = DnsHook::new(&program).with_pause(Duration::ZERO);
    hook.add_txt("_acme-challenge.a", "value").await.unwrap();
    hook.remove_txt("_acme-challenge.a", "value").await.unwrap();
    let said = fs::read_to_string(&log).unwrap();
    assert_eq!(said, "add _acme-challenge.a value\nremove _acme-challenge.a value\n");
    write_program(&program, "#!/bin/sh\necho no such zone >&2\nexit 3\n");
    let error = hook.add_txt("a", "b").await.unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.ends_with("no such zone"), "{error}");
    let error = DnsHook::new(folder.join("missing")).add_txt("a", "b").await.unwrap_err();
    assert!(matches!(error, DnsError::Spawn { .. }), "{error}");
}

fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;

    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
