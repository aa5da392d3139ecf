//! The URLs that peers are told: can they be fetched, do they lead here, who can use them?

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, UNIX_EPOCH};

use futures_util::future::join_all;
use http::header;
use ipnet::IpNet;
use jellynet_base_url::BasePath;
use jellynet_netif::InterfaceTable;
use jellynet_published::{Announced, Ask, Because};
use jellynet_tls::Timestamp;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::{Finding, Patient, running};
use crate::config::{Config, Site};
use crate::fetch::{self, Answer, Target};
use crate::reach;
use crate::sites::is_twice;

const TEST: &str = "published";
/// Of TEST-NET-3 (RFC 5737): a peer that is on nobody's LAN.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
/// More than a clock may be wrong before certificates and signatures suffer.
const SKEW: Duration = Duration::from_secs(60);
/// Longer than a resolver that works takes.
const RESOLVE: Duration = Duration::from_secs(4);

/// For each address that is up and no loopback: its interface, its subnet, and the URLs that a peer
/// there is told, one for each site at most.
pub(super) fn by_address(
    config: &Config,
    table: &InterfaceTable,
) -> Vec<(String, IpNet, Vec<String>)> {
    let addresses = table.addresses().filter(|(i, _)| i.flags.up && !i.flags.loopback);
    let rows = addresses.map(|(interface, address)| {
        let question = Ask::new(address.ip()).came_by(interface.index);
        let told = config.sites.iter().filter_map(|site| ask(config, site, table, question));
        (interface.name.clone(), address.net.trunc(), told.map(|told| told.url).collect())
    });
    rows.collect()
}

fn ask(
    config: &Config,
    site: &Site,
    table: &InterfaceTable,
    question: Ask<'_>,
) -> Option<Announced> {
    let listeners = reach::planned(&config.http.listen, &config.https.listen, table);
    site.published.for_peer(&question, table, &listeners)
}

/// A URL that some peer is told.
struct Told {
    url: String,
    /// The index of the site that it is to lead to.
    site: usize,
    /// Whether somebody outside is told it.
    outside: bool,
    /// Whether the operator wrote it.
    written: bool,
}

fn told(config: &Config, table: &InterfaceTable) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    for (index, site) in config.sites.iter().enumerate() {
        let mut add = |announced: Option<Announced>, outside| {
            let Some(announced) = announced else { return };
            let written = matches!(announced.because, Because::Override { .. });
            let is_it = |told: &&mut Told| told.url == announced.url && told.site == index;
            match all.iter_mut().find(is_it) {
                Some(known) => known.outside |= outside,
                None => all.push(Told { url: announced.url, site: index, outside, written }),
            }
        };
        if config.access.remote {
            add(ask(config, site, table, Ask::new(ELSEWHERE)), true);
        }
        let addresses = table.addresses().filter(|(i, _)| i.flags.up && !i.flags.loopback);
        for (interface, address) in addresses {
            let question = Ask::new(address.ip()).came_by(interface.index);
            add(ask(config, site, table, question), false);
        }
    }
    all
}

pub(super) async fn test(patient: Patient) -> Vec<Finding> {
    let table = patient.table();
    let all = told(&patient.config, &table);
    let looked = all.iter().map(|told| look(&patient, told));
    join_all(looked).await.into_iter().flatten().collect()
}

async fn look(patient: &Patient, told: &Told) -> Vec<Finding> {
    let url = &told.url;
    let site = patient.config.sites.get(told.site);
    let (Some(who), Some(health), Some(site)) =
        (Target::below(url, "/System/Info/Public"), Target::below(url, "/health"), site)
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
    let target = if site.upstream.is_some() { &who } else { &health };
    match fetch::get(target).await {
        Err(why) => found.push(Finding::problem(
            TEST,
            format!("{url} cannot be fetched from this host: {why}"),
            "is the name resolved, is the port forwarded, does the proxy run? A router that does \
             not lead back to its own outer address (NAT hairpin) is a reason too: then try from \
             elsewhere",
        )),
        Ok(answer) => {
            found.push(verdict(patient, told, site, &answer));
            found.extend(trust(url, &answer));
            found.extend(skew(url, &answer));
            found.extend(cut_off(url, &site.base).await);
        }
    }
    found
}

/// Whether a proxy on the way cuts the base path off and does not say so: who visits the base path
/// is then sent to one below it once more.
async fn cut_off(url: &str, base: &BasePath) -> Option<Finding> {
    if base.is_root() {
        return None;
    }
    let target = Target::below(url, "/")?;
    let answer = fetch::get(&target).await.ok()?;
    let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
    let to = resolved(&target.path, location);
    (answer.status.is_redirection() && is_twice(base, &to)).then(|| {
        Finding::problem(
            TEST,
            format!(
                "{url} is behind a proxy that cuts {base} off and does not say so: browsers end up \
                 at {to}"
            ),
            format!(
                "let the proxy pass the path on as it is, or send X-Forwarded-Prefix: {base}, or \
                 remove the base path here (base_url.path)"
            ),
        )
    })
}

/// The path that a `Location` of a path leads to, as browsers see it (RFC 3986 § 5.2.4, as far as
/// redirects of ours need it).
fn resolved(path: &str, location: &str) -> String {
    let location = match location.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => location,
    };
    if location.starts_with('/') {
        return location.to_owned();
    }
    let mut folder: Vec<_> = path.split('/').collect();
    folder.pop();
    for part in location.split('/') {
        match part {
            "." => {}
            ".." => drop(folder.pop()),
            part => folder.push(part),
        }
    }
    folder.join("/")
}

/// Whether the right server answered.
fn verdict(patient: &Patient, told: &Told, site: &Site, answer: &Answer) -> Finding {
    let (url, status) = (&told.url, answer.status);
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
    if site.upstream.is_none() {
        return Finding::good(TEST, format!("{url} answers"));
    }
    let ours = patient.running.ids.get(told.site).and_then(Option::as_ref);
    match (running::identity(answer), ours) {
        (Some(theirs), Some(ours)) if theirs.eq_ignore_ascii_case(ours) => Finding::good(
            TEST,
            format!("{url} leads here: it has our id {ours}{}", of(patient, site)),
        ),
        (Some(theirs), Some(ours)) => Finding::problem(
            TEST,
            format!(
                "{url} leads to another server: its id is {theirs}, ours is {ours}{}",
                of(patient, site)
            ),
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

/// Which of several sites it is.
fn of(patient: &Patient, site: &Site) -> String {
    match patient.config.sites.len() {
        1 => String::new(),
        _ => format!(" ({})", site.name),
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
    fn a_location_leads_where_browsers_go() {
        for (path, location, to) in [
            ("/tv/", "web/", "/tv/web/"),
            ("/tv/", "tv/web/", "/tv/tv/web/"),
            ("/tv/", "../tv/web/", "/tv/web/"),
            ("/tv/", "./x", "/tv/x"),
            ("/tv/", "/web/", "/web/"),
            ("/tv/", "https://tv.example/web/", "/web/"),
            ("/tv/", "https://tv.example", "/"),
        ] {
            assert_eq!(resolved(path, location), to, "{path} {location}");
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
