//! Which certificate a client gets, and how files are followed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use jellynet_tls::{Event, Identity, IdentityStore, Output, Source, Timestamp};

use crate::support::{corpus, folder, identity, loader, write_pem};

fn store() -> IdentityStore {
    IdentityStore::new(loader())
}

fn served(store: &IdentityStore) -> [u8; 32] {
    store.identity_for(None).unwrap().fingerprint()
}

fn now() -> Timestamp {
    Timestamp::now()
}

#[test]
fn names_choose_exactly_then_by_wildcard_then_the_default() {
    let store = store();
    let [first, exact, wildcard] = ["home.test", "tv.example.org", "*.example.org"].map(identity);
    for (name, identity) in [("first", &first), ("exact", &exact), ("wildcard", &wildcard)] {
        store.set(name, identity.clone(), now());
    }
    let pick = |host| store.identity_for(host).unwrap().fingerprint();
    assert_eq!(pick(Some("tv.example.org")), exact.fingerprint());
    assert_eq!(pick(Some("TV.Example.ORG")), exact.fingerprint());
    assert_eq!(pick(Some("radio.example.org")), wildcard.fingerprint());
    assert_eq!(pick(Some("a.b.example.org")), first.fingerprint());
    assert_eq!(pick(Some("unknown.test")), first.fingerprint());
    assert_eq!(pick(None), first.fingerprint());
    store.remove("first", now());
    assert_eq!(pick(None), exact.fingerprint());
}

#[test]
fn a_new_file_is_served_and_a_broken_one_is_not() {
    let folder = folder("store-broken");
    let path = folder.join("server.pem");
    let (old, new) = (identity("old.test"), identity("new.test"));
    write_pem(&path, &old);
    let store = store();
    store.add("main", Source::new(&path), now()).unwrap();
    assert_eq!(store.reload(now()), [], "nothing changed");

    fs::write(&path, "-----BEGIN CERTIFICATE-----\nhalf a file").unwrap();
    let events = store.reload(now());
    assert!(matches!(&events[..], [Event::Failed { serving_until: Some(_), .. }]), "{events:?}");
    assert_eq!(store.reload(now()), [], "told once");
    assert_eq!(served(&store), old.fingerprint(), "the old one stays");
    let status = &store.status(now())[0];
    assert!(status.serving && !status.is_healthy());
    assert!(status.last_error.as_ref().unwrap().contains("cut short"), "{status:?}");

    fs::remove_file(&path).unwrap();
    assert!(matches!(&store.reload(now())[..], [Event::Failed { .. }]));
    assert_eq!(served(&store), old.fingerprint(), "the old one stays");

    write_pem(&path, &new);
    let events = store.reload(now());
    assert!(matches!(&events[..], [Event::Recovered { .. }, Event::Replaced { .. }]), "{events:?}");
    assert_eq!(served(&store), new.fingerprint());
    assert!(store.status(now())[0].is_healthy());
}

#[test]
fn a_key_without_its_certificate_waits_for_it() {
    let folder = folder("store-pair");
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let write = |identity: &Identity, output, path: &Path| {
        fs::write(path, &*identity.export(output, loader().provider()).unwrap()).unwrap();
    };
    let (old, new) = (identity("old.test"), identity("new.test"));
    write(&old, Output::PemCertificates, &certificate);
    write(&old, Output::PemKey, &key);
    let store = store();
    store.add("main", Source::new(&certificate).with_key(&key), now()).unwrap();
    let generation = store.generation();

    write(&new, Output::PemKey, &key);
    assert!(matches!(&store.reload(now())[..], [Event::Failed { .. }]));
    assert_eq!(served(&store), old.fingerprint());
    write(&new, Output::PemCertificates, &certificate);
    let _ = store.reload(now());
    assert_eq!(served(&store), new.fingerprint());
    assert_eq!(store.generation(), generation + 1, "sessions ended once");
}

#[test]
fn the_same_content_with_another_date_changes_nothing() {
    let folder = folder("store-touch");
    let path = folder.join("server.pem");
    let same = identity("same.test");
    write_pem(&path, &same);
    let store = store();
    store.add("main", Source::new(&path), now()).unwrap();
    let generation = store.generation();
    write_pem(&path, &same);
    assert_eq!(store.reload(now()), []);
    assert_eq!(store.generation(), generation);
}

/// Watches until this many events came, or fails after a while.
fn watch_while(store: &IdentityStore, action: impl FnOnce()) -> Event {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (send, receive) = mpsc::channel();
    runtime.spawn(store.clone().watch(Duration::from_millis(100), move |event| {
        let _ = send.send(event);
    }));
    action();
    // One poll, and the settling.
    let event = receive.recv_timeout(Duration::from_secs(2)).expect("an event within 2 s");
    runtime.shutdown_background();
    event
}

/// How long a change takes to be served, by the watcher's clock: files and threads are real, and
/// time stands still while they work. `changes` are moments after the start, each with what to do.
fn time_to_be_served(store: &IdentityStore, changes: Vec<(u64, impl FnOnce())>) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let start = tokio::time::Instant::now();
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(store.clone().watch(IdentityStore::WATCH_INTERVAL, move |event| {
            let _ = send.send((tokio::time::Instant::now(), event));
        }));
        let mut last = start;
        for (at, change) in changes {
            last = start + Duration::from_millis(at);
            tokio::time::sleep_until(last).await;
            change();
        }
        loop {
            let (at, event) = receive.recv().await.unwrap();
            if matches!(event, Event::Replaced { .. }) {
                return at - last;
            }
        }
    })
}

#[test]
fn a_change_is_served_after_a_look_and_a_second_one() {
    // What is left of the two seconds that are promised is for the reading itself.
    let most = Duration::from_millis(1200);
    let folder = folder("store-time");
    let export = |identity: &Identity, output| {
        identity.export(output, loader().provider()).unwrap().to_vec()
    };
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let (old, new) = (identity("old.test"), identity("new.test"));
    for (why, key_at, certificate_at) in [
        ("at once, right after a look", 1001, 1001),
        ("at once, between two", 2500, 2500),
        ("at once, right before a look", 1999, 1999),
        ("in halves, on both sides of a look", 1999, 2001),
        ("in halves, the second while the first settles", 1999, 2199),
        ("in halves, the second when the first has failed", 1999, 2201),
        ("in halves, far apart", 1100, 4300),
    ] {
        fs::write(&certificate, export(&old, Output::PemCertificates)).unwrap();
        fs::write(&key, export(&old, Output::PemKey)).unwrap();
        let store = store();
        store.add("main", Source::new(&certificate).with_key(&key), now()).unwrap();
        let halves = [
            (key_at, &key, export(&new, Output::PemKey)),
            (certificate_at, &certificate, export(&new, Output::PemCertificates)),
        ];
        let changes = halves.map(|(at, path, bytes)| (at, move || fs::write(path, bytes).unwrap()));
        let took = time_to_be_served(&store, changes.into());
        assert!(took <= most, "{why}: {took:?}");
        assert_eq!(served(&store), new.fingerprint(), "{why}");
    }
}

#[test]
fn the_folder_of_certbot_is_followed_through_its_links() {
    let folder = folder("store-certbot");
    let (archive, live) = (folder.join("archive"), folder.join("live"));
    fs::create_dir_all(&archive).unwrap();
    fs::create_dir_all(&live).unwrap();
    fs::write(live.join("README"), "This folder contains your keys.").unwrap();
    let put = |number: u32, identity: &Identity| {
        for (name, output) in [("fullchain", Output::PemCertificates), ("privkey", Output::PemKey)]
        {
            let file = archive.join(format!("{name}{number}.pem"));
            fs::write(&file, &*identity.export(output, loader().provider()).unwrap()).unwrap();
            let link = live.join(format!("{name}.pem"));
            let _ = fs::remove_file(&link);
            symlink(&file, &link).unwrap();
        }
    };
    let (old, new) = (identity("a.test"), identity("b.test"));
    put(1, &old);
    let store = store();
    store.add("main", Source::new(&live), now()).unwrap();
    let event = watch_while(&store, || put(2, &new));
    assert!(matches!(event, Event::Replaced { .. } | Event::Failed { .. }), "{event:?}");
    let _ = store.reload(now());
    assert_eq!(served(&store), new.fingerprint());
}

#[test]
fn the_swap_of_kubernetes_is_followed() {
    let folder = folder("store-kubernetes");
    let put = |version: &str, identity: &Identity| {
        let data = folder.join(version);
        fs::create_dir_all(&data).unwrap();
        for (name, output) in [("tls.crt", Output::PemCertificates), ("tls.key", Output::PemKey)] {
            let bytes = identity.export(output, loader().provider()).unwrap();
            fs::write(data.join(name), &*bytes).unwrap();
        }
        let next = folder.join("..data_tmp");
        symlink(version, &next).unwrap();
        fs::rename(&next, folder.join("..data")).unwrap();
    };
    let (old, new) = (identity("a.test"), identity("b.test"));
    put("..2026_1", &old);
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
    }
    let store = store();
    let source = Source::new(folder.join("tls.crt")).with_key(folder.join("tls.key"));
    store.add("pair", source, now()).unwrap();
    store.add("folder", Source::new(&folder), now()).unwrap();
    let event = watch_while(&store, || put("..2026_2", &new));
    assert!(matches!(event, Event::Replaced { .. }), "{event:?}");
    let _ = store.reload(now());
    let status = store.status(now());
    assert!(status.iter().all(|one| one.names.contains(&"b.test".to_owned())), "{status:?}");
}

#[test]
fn trust_needs_a_name_a_date_and_an_issuer() {
    let store = store();
    store.set("own", identity("own.example.org"), now());
    assert!(!store.is_trustworthy_for("own.example.org", now()), "self-signed");
    let Some(corpus) = corpus() else { return };
    store.add("issued", Source::new(corpus.folder.join("p256-both.pem")), now()).unwrap();
    assert!(store.is_trustworthy_for("example.org", now()));
    assert!(store.is_trustworthy_for("tv.example.org", now()));
    assert!(!store.is_trustworthy_for("example.net", now()), "another name");
    let later = now().plus(Duration::from_secs(200 * 86_400));
    assert!(!store.is_trustworthy_for("example.org", later), "expired");
}
