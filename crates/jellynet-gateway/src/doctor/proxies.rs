//! Whom does the server believe, and does it do so as configured?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::{Finding, Patient};
use crate::fetch::{self, Target};
use crate::{healthcheck, reach, stack};

const TEST: &str = "proxies";
/// A peer of this host that no proxy is: so that it is told apart from one on 127.0.0.1.
const PROBE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 99, 83, 88));
/// Longer than a resolver that works takes.
const RESOLVE: Duration = Duration::from_secs(4);

pub(super) async fn test(patient: Patient) -> Vec<Finding> {
    let mut found = everybody(&patient);
    found.extend(peers(&patient));
    let (names, probe) = tokio::join!(names(&patient), probe(&patient));
    found.extend(names);
    found.extend(probe);
    if found.is_empty() {
        found.push(Finding::good(TEST, "no proxy is known: nobody is believed"));
    }
    found
}

/// Addresses that belong to nobody: who believes them believes everybody.
fn everybody(patient: &Patient) -> Vec<Finding> {
    let rules = stack::rules(&patient.config.proxies);
    let strangers = [
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)),
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9)),
    ];
    let believed = strangers.into_iter().filter(|ip| rules.proxies().contract(*ip).is_some());
    believed
        .map(|ip| {
            Finding::problem(
                TEST,
                format!(
                    "proxies.known has {ip} in it, an address of nobody: everybody is believed"
                ),
                "name the proxies alone, not the whole Internet",
            )
        })
        .collect()
}

/// Peers that send headers in vain.
fn peers(patient: &Patient) -> Vec<Finding> {
    let status = patient.running.status.as_ref();
    let peers = status.and_then(|s| s.pointer("/proxies/untrusted_peers")?.as_array());
    let peers = peers.into_iter().flatten().filter_map(Value::as_str);
    let peers: Vec<_> = peers.filter(|peer| *peer != PROBE.to_string()).collect();
    if peers.is_empty() {
        return Vec::new();
    }
    vec![Finding::note(
        TEST,
        format!("send forwarding headers and are no known proxies: {}", peers.join(", ")),
        "add those that are your proxies to proxies.known; block the others",
    )]
}

async fn names(patient: &Patient) -> Vec<Finding> {
    let names = patient.config.proxies.known.host_names().map(str::to_owned);
    let asked = names.map(|name| async move {
        let answer = timeout(RESOLVE, lookup_host((name.as_str(), 0))).await;
        let remedy = "until it resolves it is no proxy: mend the name, or write its address";
        match answer {
            Ok(Ok(addresses)) => {
                let all: Vec<_> = addresses.map(|a| a.ip().to_string()).collect();
                Finding::good(TEST, format!("the proxy {name} is {}", all.join(", ")))
            }
            Ok(Err(why)) => {
                Finding::problem(TEST, format!("the proxy {name} does not resolve: {why}"), remedy)
            }
            Err(_) => Finding::problem(
                TEST,
                format!("the proxy {name} is not resolved within {} s", RESOLVE.as_secs()),
                remedy,
            ),
        }
    });
    join_all(asked).await
}

/// Sends a forwarding header as a peer of this host, and sees whether it is believed.
async fn probe(patient: &Patient) -> Option<Finding> {
    let config = &patient.config;
    if config.proxies.protocol || !patient.running.answers() {
        return None;
    }
    let target = healthcheck::target(config, "/health")?;
    if !target.place.starts_with("127.") {
        return None;
    }
    let known = stack::rules(&config.proxies).proxies().contract(PROBE).is_some();
    let admin = config.admin.listen.iter().find_map(reach::from_this_host)?;
    let before = untrusted(&admin).await?;
    let probe = Target { from: Some(PROBE), ..target };
    let probe = probe.with_header("x-forwarded-for", "203.0.113.77");
    fetch::get(&probe).await.ok()?;
    let after = untrusted(&admin).await?;
    Some(match (known, after > before) {
        (false, true) => Finding::good(
            TEST,
            "a forwarding header of a peer that is no known proxy was sent, and changed nothing",
        ),
        (true, false) => {
            Finding::good(TEST, "a forwarding header of a known proxy was sent, and was believed")
        }
        (false, false) => Finding::problem(
            TEST,
            "a forwarding header of a peer that is no known proxy was sent, and was believed",
            "the server runs with another configuration: reload it (SIGHUP) or restart it",
        ),
        (true, true) => Finding::problem(
            TEST,
            "a forwarding header of a known proxy was sent, and was ignored",
            "the server runs with another configuration: reload it (SIGHUP) or restart it",
        ),
    })
}

/// How many requests had headers that were not believed.
async fn untrusted(admin: &str) -> Option<u64> {
    let answer = fetch::get(&Target::here(admin, false, "/status.json")).await.ok()?;
    let status: Value = serde_json::from_slice(&answer.body).ok()?;
    status.pointer("/proxies/untrusted_requests")?.as_u64()
}
