//! The URLs that peers are told: can they be fetched, do they lead here, who can use them?

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, UNIX_EPOCH};

use ipnet::IpNet;
use jellynet_netif::InterfaceTable;
use jellynet_published::{Announced, Ask, Because};
use jellynet_tls::Timestamp;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::{Finding, Patient, running};
use crate::config::Config;
use crate::fetch::{self, Answer, Target};
use crate::reach;

const TEST: &str = "published";
/// Of TEST-NET-3 (RFC 5737): a peer that is on nobody's LAN.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
/// More than a clock may be wrong before certificates and signatures suffer.
const SKEW: Duration = Duration::from_secs(60);
/// Longer than a resolver that works takes.
const RESOLVE: Duration = Duration::from_secs(4);

/// For each address that is up and no loopback: its interface, its subnet, and the URL that a peer
/// there is told.
pub(super) fn by_address(
    config: &Config,
    table: &InterfaceTable,
) -> Vec<(String, IpNet, Option<String>)> {
    let addresses = table.addresses().filter(|(i, _)| i.flags.up && !i.flags.loopback);
    let rows = addresses.map(|(interface, address)| {
        let told = ask(config, table, Ask::new(address.ip()).came_by(interface.index));
        (interface.name.clone(), address.net.trunc(), told.map(|told| told.url))
    });
    rows.collect()
}

fn ask(config: &Config, table: &InterfaceTable, ask: Ask<'_>) -> Option<Announced> {
    let listeners = reach::planned(&config.http.listen, &config.https.listen, table);
    config.published_urls().for_peer(&ask, table, &listeners)
}

/// A URL that some peer is told.
struct Told {
    url: String,
    /// Whether somebody outside is told it.
    outside: bool,
    /// Whether the operator wrote it.
    written: bool,
}

fn told(config: &Config, table: &InterfaceTable) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    let mut add = |announced: Option<Announced>, outside| {
        let Some(announced) = announced else { return };
        let written = matches!(announced.because, Because::Override { .. });
        match all.iter_mut().find(|told| told.url == announced.url) {
            Some(known) => known.outside |= outside,
            None => all.push(Told { url: announced.url, outside, written }),
        }
    };
    if config.access.remote {
        add(ask(config, table, Ask::new(ELSEWHERE)), true);
    }
    let addresses = table.addresses().filter(|(i, _)| i.flags.up && !i.flags.loopback);
    for (interface, address) in addresses {
        add(ask(config, table, Ask::new(address.ip()).came_by(interface.index)), false);
    }
    all
}

pub(super) async fn test(patient: Patient) -> Vec<Finding> {
    let table = patient.table();
    let mut found = Vec::new();
    let all = told(&patient.config, &table);
    let looked = all.iter().map(|told| look(&patient, told));
    for findings in futures_util::future::join_all(looked).await {
        found.extend(findings);
    }
    found
}

async fn look(patient: &Patient, told: &Told) -> Vec<Finding> {
    let url = &told.url;
    let (Some(who), Some(health)) =
        (Target::below(url, "/System/Info/Public"), Target::below(url, "/health"))
    else {
        return vec![Finding::problem(
            TEST,
            format!("{url} is no URL with a host"),
            "mend published.urls",
        )];
    };
    let mut found = Vec::new();
    if told.written {
        found.extend(name(&who, told).await);
    } else if told.outside && is_private(&who) {
        found.push(Finding::note(
            TEST,
            format!("peers outside are told {url}, an address of this network"),
            "publish a URL for them: published.urls = [\"external=https://tv.example.org\"]",
        ));
    }
    if !patient.running.answers() {
        return found;
    }
    let target = if patient.config.has_upstream() { &who } else { &health };
    match fetch::get(target).await {
        Err(why) => found.push(Finding::problem(
            TEST,
            format!("{url} cannot be fetched from this host: {why}"),
            "is the name resolved, is the port forwarded, does the proxy run? A router that does \
             not lead back to its own outer address (NAT hairpin) is a reason too: then try from \
             elsewhere",
        )),
        Ok(answer) => {
            found.push(verdict(patient, url, &answer));
            found.extend(trust(url, &answer));
            found.extend(skew(url, &answer));
        }
    }
    found
}

/// Whether the right server answered.
fn verdict(patient: &Patient, url: &str, answer: &Answer) -> Finding {
    let status = answer.status;
    if status.is_redirection() {
        let location = answer.headers.get("location").and_then(|l| l.to_str().ok()).unwrap_or("?");
        return Finding::problem(
            TEST,
            format!("{url} redirects to {location}: some clients follow no redirect"),
            "publish the URL that it leads to",
        );
    }
    if !status.is_success() {
        return Finding::problem(
            TEST,
            format!("{url} answers {status}"),
            "does the path belong to the base URL (base_url.path), does the proxy pass it on, may \
             this host come in (access)?",
        );
    }
    if !patient.config.has_upstream() {
        return Finding::good(TEST, format!("{url} answers"));
    }
    match (running::identity(answer), &patient.running.id) {
        (Some(theirs), Some(ours)) if theirs.eq_ignore_ascii_case(ours) => {
            Finding::good(TEST, format!("{url} leads here: it has our id {ours}"))
        }
        (Some(theirs), Some(ours)) => Finding::problem(
            TEST,
            format!("{url} leads to another server: its id is {theirs}, ours is {ours}"),
            "let the name or the port forwarding lead to this host, or mend published.urls",
        ),
        (Some(theirs), None) => Finding::note(
            TEST,
            format!("{url} answers as {theirs}; our own id is not known"),
            "see whether the server runs and its upstream answers",
        ),
        (None, _) => Finding::problem(
            TEST,
            format!("{url} answers, but not as a media server"),
            "something else answers there: a captive portal, a proxy's own page, another site",
        ),
    }
}

fn trust(url: &str, answer: &Answer) -> Option<Finding> {
    Some(match answer.trust.as_ref()? {
        Ok(()) => Finding::good(TEST, format!("{url} shows a certificate that this host trusts")),
        Err(why) => Finding::problem(
            TEST,
            format!("{url} shows a certificate that this host does not trust: {why}"),
            "use one of a public authority for this very name, with its chain (Let's Encrypt), or \
             install your authority on every client",
        ),
    })
}

/// Whether the clock over there, if it is another, agrees with ours.
fn skew(url: &str, answer: &Answer) -> Option<Finding> {
    let text = answer.headers.get("date")?.to_str().ok()?;
    let theirs = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let now = u64::try_from(Timestamp::now().as_unix()).ok()?;
    let apart = theirs.as_secs().abs_diff(now);
    (apart > SKEW.as_secs()).then(|| {
        Finding::problem(
            "clock",
            format!("{url} and this host are {apart} s apart: it says {text}"),
            "synchronise both clocks: timedatectl set-ntp true",
        )
    })
}

fn host_of(target: &Target) -> String {
    let host = target.host.rsplit_once(':').map_or(target.host.as_str(), |(host, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { host } else { &target.host }
    });
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

fn is_private(target: &Target) -> bool {
    host_of(target).parse().is_ok_and(|ip| is_private_address(&ip))
}

fn is_private_address(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether a name is good on this network alone.
fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    !host.contains('.')
        || [".local", ".lan", ".internal", ".home.arpa", ".localhost", ".localdomain", ".home"]
            .iter()
            .any(|suffix| host.ends_with(suffix))
}

/// What can be said of a name that the operator wrote.
async fn name(target: &Target, told: &Told) -> Option<Finding> {
    let (host, url) = (host_of(target), &told.url);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return (told.outside && is_private_address(&ip)).then(|| {
            Finding::problem(
                TEST,
                format!("peers outside are told {url}, which only this network reaches"),
                "publish a name or address for them that the Internet reaches (external=…)",
            )
        });
    }
    if is_local_name(&host) {
        let what = format!("{host} in {url} is a name of this network alone");
        let remedy = "many clients (Android, televisions) resolve no such name: publish an address \
                      or a name of the public DNS";
        return Some(if told.outside {
            Finding::problem(TEST, format!("{what}, and peers outside are told it"), remedy)
        } else {
            Finding::note(TEST, what, remedy)
        });
    }
    let addresses = match timeout(RESOLVE, lookup_host((host.as_str(), 0))).await {
        Ok(Ok(addresses)) => addresses.map(|address| address.ip()).collect::<Vec<_>>(),
        Ok(Err(error)) => {
            return Some(Finding::problem(
                TEST,
                format!("{host} in {url} does not resolve on this host: {error}"),
                "enter the name in the DNS, or publish another",
            ));
        }
        Err(_) => {
            return Some(Finding::problem(
                TEST,
                format!("{host} in {url} is not resolved within {} s", RESOLVE.as_secs()),
                "look at this host's resolver: /etc/resolv.conf",
            ));
        }
    };
    let inside = addresses.iter().all(is_private_address);
    (told.outside && inside && !addresses.is_empty()).then(|| {
        Finding::note(
            TEST,
            format!("{host} resolves here to an address of this network alone (split DNS)"),
            "see from outside that the public DNS knows the name too",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_names_are_told_apart() {
        let host = |url| host_of(&Target::below(url, "/x").unwrap());
        assert_eq!(host("https://TV.example.org:8920/jellyfin"), "tv.example.org");
        assert_eq!(host("http://[fd00::1]:8096"), "fd00::1");
        assert_eq!(host("http://10.0.0.1"), "10.0.0.1");
        for (name, local) in
            [("nas", true), ("tv.local", true), ("tv.example.org", false), ("tv.lan.", true)]
        {
            assert_eq!(is_local_name(name), local, "{name}");
        }
    }

    #[test]
    fn a_url_is_asked_below_its_path() {
        let target = Target::below("https://tv.example.org/jellyfin/", "/health").unwrap();
        assert_eq!(target.place, "tv.example.org:443");
        assert_eq!(target.path, "/jellyfin/health");
        assert!(target.tls);
        assert_eq!(Target::below("/nowhere", "/health"), None);
    }
}
