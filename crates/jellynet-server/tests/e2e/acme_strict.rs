//! What Debian's Pebble lacks, by the keys of `[acme]`, with the authority of jellynet-tls' tests.

use std::fs;

use jellynet_tls::Timestamp;
use serde_json::{Value, json};

use crate::acme::{AUTHORITY, HERE, ISSUED, STORAGE, World};

const DAY: i64 = 86_400;

impl World {
    /// The orders that the authority got.
    fn orders(&self) -> Vec<Value> {
        let log = self.shell(&format!("curl -fsS http://{AUTHORITY}:15000/log"));
        let log: Vec<Value> = serde_json::from_str(&log).unwrap();
        log.iter().filter_map(|one| one.get("order").cloned()).collect()
    }
}

#[test]
fn a_bare_address_gets_a_short_life_and_is_renewed_when_the_authority_wants_it() {
    let Some(world) = World::new() else { return };
    let more = json!({ "profiles": {
        "classic": { "validityPeriod": 90 * DAY },
        "shortlived": { "validityPeriod": 6 * DAY, "addresses": true },
    } });
    let Some(_authority) = world.strict(&more) else { return };

    // A profile that is not there is named with those that are, and nothing is ordered.
    let toml = world.guide("bare address") + HERE;
    let wrong = world.serve(&toml.replace("\"shortlived\"", "\"tlsserver\""));
    let line = wrong.wait_for_line("ACME gives no certificate", ISSUED);
    assert!(line.contains("tlsserver") && line.contains("classic, shortlived"), "{line}");
    assert!(line.contains("acme.profile"), "{line}");
    assert_eq!(world.orders(), [] as [Value; 0]);
    drop(wrong);

    let server = world.serve(&toml);
    server.wait_for_line("serve issued certificate", ISSUED);
    // A client that connects to an address sends no name.
    let first = world.shown("");
    assert!(first.names.contains("IP Address:203.0.113.7"), "{first:?}");
    let acme = &world.status()["acme"][0];
    let left = |key: &str| {
        let seconds = world.shell(&format!("date -d {} +%s", acme[key])).trim().parse::<i64>();
        seconds.unwrap() - Timestamp::now().as_unix()
    };
    assert!((5 * DAY..=6 * DAY).contains(&left("not_after")), "{acme}");
    server.wait_for_line("as the authority suggests", ISSUED);
    let [order] = world.orders().try_into().unwrap();
    assert_eq!(order["profile"], "shortlived", "{order}");
    assert_eq!(order["identifiers"], json!([{ "type": "ip", "value": "203.0.113.7" }]));
    drop(server);

    // The authority wants it back, and the hours until the next question are over.
    let now = Timestamp::now().as_unix();
    let window = json!([now - 7200, now - 3600]);
    world.shell(&format!("curl -fsS -d '{window}' http://{AUTHORITY}:15000/window"));
    let state = world.data().join(STORAGE).join("state.json");
    let mut kept: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    assert!(kept["ask_at"].as_i64() > Some(now + 3600), "{kept}");
    kept["ask_at"] = json!(0);
    fs::write(&state, kept.to_string()).unwrap();
    let server = world.serve(&toml);
    let line = server.wait_for_line("as the authority suggests", ISSUED);
    assert!(line.contains("/why"), "{line}");
    server.wait_for_line("serve issued certificate", ISSUED);
    assert_ne!(world.shown("").sha, first.sha);
    let [_, order] = world.orders().try_into().unwrap();
    assert!(order["replaces"].as_str().unwrap().contains('.'), "{order}");
}

#[test]
fn one_record_by_hand_proves_a_wildcard_for_good() {
    let Some(world) = World::new() else { return };
    let Some(_authority) = world.strict(&json!({})) else { return };
    // This authority knows itself by another name than Let's Encrypt.
    let toml = world.guide("dns-persist-01") + "issuer = \"authority.test\"\n" + HERE;
    let server = world.serve(&toml);
    let record = server.wait_for_line("expect the TXT record", ISSUED);
    server.wait_for_line("ACME gives no certificate", ISSUED);
    let (_, record) = record.split_once("_validation-persist.example.org: \"").unwrap();
    let (value, _) = record.split_once('"').unwrap();
    assert!(value.starts_with("authority.test; accounturi="), "{value}");
    assert!(value.contains("policy=wildcard"), "{value}");

    let set = json!({ "host": "_validation-persist.example.org.", "value": value });
    world.shell(&format!("curl -fsS -d '{set}' http://{AUTHORITY}:8055/set-txt"));
    server.wait_for_line("serve issued certificate", ISSUED);
    let first = world.shown("any.example.org");
    assert!(first.names.contains("DNS:*.example.org"), "{first:?}");
    drop(server);

    // It proves the next one as well.
    fs::remove_file(world.data().join(STORAGE).join("certificate.pem")).unwrap();
    let server = world.serve(&toml);
    server.wait_for_line("serve issued certificate", ISSUED);
    assert_ne!(world.shown("any.example.org").sha, first.sha);
}
