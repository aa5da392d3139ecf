//! The sites: each upstream at the hosts and the base path where clients find it, and the URLs
//! under which it is published.

use std::collections::BTreeSet;

use http::Uri;
use jellynet_base_url::{BasePath, DefaultPath};
use jellynet_netif::SubnetSet;
use jellynet_published::{OwnHost, Published, PublishedConfig, PublishedConfigError};
use jellynet_settings::Settings;

use super::https::Https;
use super::sections::{self, BaseUrl};
use super::upstream::Upstream;
use crate::routing::{Asked, Chosen, Routing};

/// One server behind this one, and where it is found.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// What it is called on the administrator's side.
    pub(crate) name: String,
    /// The hosts that it answers to, `*.` in front of what stands for all below it; none for any.
    pub(crate) hosts: Vec<String>,
    /// The path below which clients find it.
    pub(crate) base: BasePath,
    /// The paths below which they found it before.
    pub(crate) previous: Vec<BasePath>,
    /// What is behind it; none for files and the welcome page.
    pub(crate) upstream: Option<Upstream>,
    /// The rule that gives its URL to each peer.
    pub(crate) published: Published,
    /// Whether plain requests for it are sent to HTTPS.
    pub(crate) https_redirect: bool,
}

impl Site {
    /// The sites of these upstreams, or where there are none, the one of files and the page.
    pub(super) fn read_all(
        settings: &mut Settings,
        upstreams: Vec<Upstream>,
        base: &BaseUrl,
        lan: &SubnetSet,
        https: &Https,
    ) -> Vec<Self> {
        for upstream in upstreams.iter().filter(|it| it.https_redirect == Some(true)) {
            https.refuse_redirect(settings, &format!("upstream[{}].https_redirect", upstream.at));
        }
        let of = |one| Self::of(one, base, https.redirect);
        let mut sites: Vec<_> = upstreams.into_iter().map(of).collect();
        if sites.is_empty() {
            sites.push(Self {
                name: "jellynet".to_owned(),
                hosts: Vec::new(),
                base: base.path.clone(),
                previous: base.previous.clone(),
                upstream: None,
                published: Published::default(),
                https_redirect: https.redirect,
            });
        }
        refuse_same_places(settings, &sites);
        publish(settings, &mut sites, base, lan);
        sites
    }

    fn of(upstream: Upstream, base: &BaseUrl, https_redirect: bool) -> Self {
        // Where the server was before, so was whoever is where it is now.
        let inherited = match upstream.base {
            None => base.previous.clone(),
            Some(_) => Vec::new(),
        };
        Self {
            name: upstream.name.clone(),
            hosts: upstream.hosts.clone(),
            base: upstream.base.clone().unwrap_or_else(|| base.path.clone()),
            previous: upstream.previous.clone().unwrap_or(inherited),
            https_redirect: upstream.https_redirect.unwrap_or(https_redirect),
            upstream: Some(upstream),
            published: Published::default(),
        }
    }

    /// A host that both answer to; the empty text where both answer to any.
    fn shared_host<'a>(&'a self, other: &Self) -> Option<&'a str> {
        if self.hosts.is_empty() && other.hosts.is_empty() {
            return Some("");
        }
        self.hosts.iter().find(|host| other.hosts.contains(host)).map(String::as_str)
    }

    /// Under which host a URL leads here.
    fn own_host(&self) -> OwnHost {
        if self.hosts.is_empty() {
            return OwnHost::Any;
        }
        let exact = || self.hosts.iter().filter(|host| !host.starts_with("*."));
        let is_name =
            |host: &&String| !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err();
        let host = exact().find(is_name).or_else(|| exact().next());
        host.map_or(OwnHost::Unknown, |host| OwnHost::Named(host.clone()))
    }
}

/// Two sites at one place: a request would find the first alone.
fn refuse_same_places(settings: &mut Settings, sites: &[Site]) {
    for (index, site) in sites.iter().enumerate() {
        let Some(at) = site.upstream.as_ref().map(|upstream| upstream.at) else { continue };
        let others = || sites.iter().enumerate().filter(move |(other, _)| *other != index);
        for (_, other) in others().filter(|(earlier, _)| *earlier < index) {
            if site.base == other.base
                && let Some(host) = site.shared_host(other)
            {
                let key = format!(
                    "upstream[{at}].{}",
                    if host.is_empty() { "base_url" } else { "hosts" }
                );
                settings.reject(&key, same_place(site, other, host));
            }
        }
        for (position, previous) in site.previous.iter().enumerate() {
            let is_there =
                |other: &Site| site.shared_host(other).is_some() && (other.base == *previous);
            if let Some((_, other)) = others().find(|(_, other)| is_there(other)) {
                let what = format!(
                    "`{}` is where {} is now: nobody would come here by it",
                    shown(previous),
                    named(other)
                );
                settings.reject(&format!("upstream[{at}].previous[{position}]"), what);
            }
        }
    }
}

fn same_place(site: &Site, other: &Site, host: &str) -> String {
    let (place, site, other) = (shown(&site.base), named(site), named(other));
    match host {
        "" => format!(
            "`{place}` is where {other} is too: give {site} another base_url, or hosts of its own"
        ),
        host => format!(
            "{host} with the base path `{place}` leads to {other} too: give {site} other hosts, or \
             another base_url"
        ),
    }
}

fn named(site: &Site) -> String {
    let at = site.upstream.as_ref().map_or(0, |upstream| upstream.at);
    format!("upstream[{at}] ({})", site.name)
}

fn shown(base: &BasePath) -> &str {
    if base.is_root() { "/" } else { base.as_str() }
}

/// Gives each site the published URLs that lead to it.
fn publish(settings: &mut Settings, sites: &mut [Site], base: &BaseUrl, lan: &SubnetSet) {
    let key = "published.urls";
    let entries = settings.elements(key).unwrap_or_default();
    let ports = ["published.http_port", "published.https_port"]
        .map(|key| settings.parse(key, sections::port));
    let owners = owners(settings, sites, base, &entries);
    let mut told = BTreeSet::new();
    for (index, site) in sites.iter_mut().enumerate() {
        let mut config = PublishedConfig::default();
        let own =
            entries.iter().enumerate().zip(&owners).filter(|(_, owners)| owners.contains(&index));
        (config.positions, config.overrides) =
            own.map(|((position, entry), _)| (position, entry.clone())).unzip();
        config.base_path = site.base.as_str().to_owned();
        config.own_host = site.own_host();
        [config.public_http_port, config.public_https_port] = ports;
        config.lan = lan.clone();
        site.published = Published::new(config).unwrap_or_else(|error| {
            match &error {
                PublishedConfigError::Overrides(bad) => {
                    // What is wrong with an entry of several sites is wrong once.
                    let new = bad.bad().iter().filter(|bad| told.insert(bad.index));
                    sections::reject_entries(settings, key, new.map(|bad| (bad.index, bad)));
                }
                error => settings.reject(key, error),
            }
            Published::default()
        });
    }
}

/// To which sites each published URL leads: those that would get a request for it, at their base
/// where it has no path. One that cannot be read is left to the first, which says why.
fn owners(
    settings: &mut Settings,
    sites: &[Site],
    base: &BaseUrl,
    entries: &[String],
) -> Vec<Vec<usize>> {
    let routing = Routing::new(sites, base, &DefaultPath::default());
    let mut all = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let uri = sections::published_url(entry);
        let Some(host) = uri.as_ref().and_then(Uri::host) else {
            all.push(vec![0]);
            continue;
        };
        let path = uri.as_ref().map_or("/", Uri::path);
        let leads = |to: &usize| {
            let site = sites.get(*to);
            let home = site.map_or_else(String::new, |site| site.base.join("/"));
            let target = if path == "/" { &home } else { path };
            routing.choose(&Asked::of(Some(host), target)) == Chosen::Site(*to)
        };
        let found: Vec<_> = (0..sites.len()).filter(leads).collect();
        if found.is_empty() {
            let places: Vec<_> = sites.iter().map(|site| shown(&site.base)).collect();
            let what = match routing.choose(&Asked::of(Some(host), path)) {
                Chosen::NoHost => {
                    format!("{host} is no host of any upstream: add it to one's hosts")
                }
                _ => format!(
                    "`{path}` is the path of no upstream: write the URL without a path, or with one of {}",
                    places.join(", ")
                ),
            };
            settings.reject(&format!("published.urls[{position}]"), what);
        }
        all.push(found);
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, KEYS};
    use jellynet_settings::Settings;

    fn read(toml: &str) -> Result<Config, String> {
        let mut settings = Settings::new(KEYS);
        settings.add_toml(toml, "test.toml".as_ref());
        Config::from_settings(settings).map_err(|error| error.to_string())
    }

    /// Two upstreams, with these lines.
    fn two(first: &str, second: &str) -> String {
        format!(
            "[[upstream]]\nurl = 'http://a'\n{first}\n[[upstream]]\nurl = 'http://b'\n{second}\n"
        )
    }

    #[test]
    fn a_bad_place_names_both_upstreams() {
        for (toml, parts) in [
            (
                two("", ""),
                ["upstream[1].base_url", "`/` is where upstream[0] (main) is too", "main-2"],
            ),
            (
                two("name = 'a'\nbase_url = '/tv'", "name = 'b'\nbase_url = 'TV/'"),
                ["upstream[1].base_url", "upstream[0] (a)", "upstream[1] (b)"],
            ),
            (
                two("hosts = ['x.lan', 'y.lan']", "hosts = ['Y.lan.']"),
                ["upstream[1].hosts", "y.lan with the base path `/`", "upstream[0] (x.lan)"],
            ),
            (
                two("", "base_url = '/b'\nprevious = ['/']"),
                ["upstream[1].previous[0]", "`/` is where upstream[0] (main) is", ""],
            ),
            (
                two("name = 'a'", "name = 'a'\nbase_url = '/b'"),
                ["upstream[1].name", "upstream[0]", ""],
            ),
            (two("name = 'a b'", "base_url = '/b'"), ["upstream[0].name", "letters, digits", ""]),
            (two("hosts = []", "base_url = '/b'"), ["upstream[0].hosts", "leave it out", ""]),
            (
                two("hosts = ['http://x']", "base_url = '/b'"),
                ["upstream[0].hosts[0]", "without scheme, port and path", ""],
            ),
            ("[[upstream]]\nname = 'a'".to_owned(), ["upstream[0].url", "is missing", ""]),
        ] {
            let error = read(&toml).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{part} is not in\n{error}");
            }
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        let many: String = (0..33)
            .map(|n| format!("[[upstream]]\nurl = 'http://a'\nbase_url = '/{n}'\n"))
            .collect();
        let error = read(&many).unwrap_err();
        assert!(error.contains("32 upstreams"), "{error}");
    }

    #[test]
    fn a_name_is_derived_from_the_place() {
        let name = |lines: &str| {
            let config = read(&format!("[[upstream]]\nurl = 'http://a'\n{lines}")).unwrap();
            config.sites.first().unwrap().name.clone()
        };
        assert_eq!(name(""), "main");
        assert_eq!(name("base_url = '/films'"), "films");
        assert_eq!(name("base_url = '/a b/c'"), "a-20b-c");
        assert_eq!(name("hosts = ['*.films.lan']"), "films.lan");
        assert_eq!(name("hosts = ['[fd00::5]']"), "-fd00--5-");
        assert_eq!(name("name = 'Films_1.x'\nbase_url = '/y'"), "Films_1.x");
    }

    #[test]
    fn a_published_url_belongs_to_who_answers_under_it() {
        let urls = |toml: &str, urls: &str| {
            let read = read(&format!("[published]\nurls = [{urls}]\n{toml}"));
            read.map(|config| {
                let interfaces = jellynet_netif::InterfaceTable::default();
                let ask = jellynet_published::Ask::new("192.168.1.5".parse().unwrap());
                let url =
                    |site: &super::Site| Some(site.published.for_peer(&ask, &interfaces, &[])?.url);
                config.sites.iter().map(|site| url(site).unwrap_or_default()).collect::<Vec<_>>()
            })
        };
        let paths = two("base_url = '/films'", "base_url = '/music'");
        let hosts = two("hosts = ['films.lan']", "hosts = ['music.lan', '*.music.lan']");
        let both = urls(&paths, "'https://x.example'").unwrap();
        assert_eq!(both, ["https://x.example/films", "https://x.example/music"]);
        let one = urls(&paths, "'https://x.example/music'").unwrap();
        assert_eq!(one, ["", "https://x.example/music"]);
        let each = urls(&hosts, "'https://films.lan', 'internal=http://tv.music.lan:81'").unwrap();
        assert_eq!(each, ["https://films.lan", "http://tv.music.lan:81"]);
        for (toml, entry, part) in [
            (&hosts, "'https://x.example'", "x.example is no host of any upstream"),
            (&paths, "'https://x.example/books'", "`/books` is the path of no upstream"),
            (&paths, "'ftp://x.example'", "published.urls[0]"),
        ] {
            let error = urls(toml, entry).unwrap_err();
            assert!(error.contains(part), "{part} is not in\n{error}");
            assert_eq!(error.matches("published.urls[0]").count(), 1, "{error}");
        }
    }
}
