//! The sections of the configuration, each with its defaults.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use jellynet_access::{FilterMode, Lan, ParseRemoteFilterError, RemoteFilter};
use jellynet_base_url::{BasePath, DefaultPath, InPlacePath, Router};
use jellynet_bind::{Families, Listen};
use jellynet_forwarded::{AllowedHosts, Contract, Family, HopLimit, KnownProxies};
use jellynet_netif::SubnetSet;
use jellynet_settings::Settings;
use jellynet_tuner::ports::parse_range;

use super::site::Site;
use super::upstream::Upstream;

/// Reports the bad entries of a list, each at its index.
pub(super) fn reject_entries<T>(
    settings: &mut Settings,
    key: &str,
    bad: impl IntoIterator<Item = (usize, T)>,
) where
    T: Display,
{
    for (index, entry) in bad {
        settings.reject(&format!("{key}[{index}]"), entry);
    }
}

fn subnets(settings: &mut Settings, key: &str) -> Option<SubnetSet> {
    let entries = settings.elements(key)?;
    SubnetSet::parse(&entries)
        .map_err(|error| reject_entries(settings, key, error.bad().iter().map(|b| (b.index, b))))
        .ok()
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) name: Option<String>,
    data_dir: Option<PathBuf>,
}

impl Server {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let name = settings.parse("server.name", |name| match name.trim() {
            "" => Err("write a name that clients can show"),
            name => Ok(name.to_owned()),
        });
        Self { name, data_dir: settings.text("server.data_dir").map(PathBuf::from) }
    }

    /// Where this server keeps what it must remember.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(data_dir)
    }
}

/// systemd's directory, root's, or the user's.
fn data_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(directory) = variable("STATE_DIRECTORY") {
        return directory;
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/jellynet");
    }
    let state = variable("XDG_STATE_HOME")
        .or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    state.unwrap_or_default().join("jellynet")
}

#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) listen: Vec<Listen>,
    pub(crate) max_connections: usize,
    pub(crate) first_byte: Duration,
    pub(crate) headers: Duration,
    pub(crate) idle: Duration,
    pub(crate) send: Duration,
    pub(crate) send_crowded: Duration,
    pub(crate) drain: Duration,
}

impl Http {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let everywhere = || vec![Listen::Wildcard { families: Families::Both, port: 8096 }];
        // An empty list never becomes "everywhere": it leaves HTTPS alone.
        let listen = settings.list("http.listen", str::parse);
        let mut time =
            |key, default| settings.duration(key).unwrap_or_else(|| Duration::from_secs(default));
        Self {
            first_byte: time("http.first_byte_timeout", 10),
            headers: time("http.header_timeout", 15),
            idle: time("http.idle_timeout", 120),
            send: time("http.send_timeout", 3600),
            send_crowded: time("http.send_timeout_crowded", 60),
            drain: time("http.drain_timeout", 10),
            listen: listen.unwrap_or_else(everywhere),
            max_connections: settings.parse("http.max_connections", str::parse).unwrap_or(20_000),
        }
    }
}

pub(super) fn web_directory(settings: &mut Settings, upstreams: &[Upstream]) -> Option<PathBuf> {
    let directory = PathBuf::from(settings.text("web.directory")?);
    if !upstreams.is_empty() {
        settings.reject(
            "web.directory",
            "is not served while there is an upstream: remove one of them",
        );
    }
    if let Err(error) = std::fs::read_dir(&directory) {
        settings.reject(
            "web.directory",
            format!("cannot read the directory {}: {error}", directory.display()),
        );
    }
    Some(directory)
}

/// The base path of whoever has none of his own, and what holds for all.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    pub(crate) path: BasePath,
    pub(super) previous: Vec<BasePath>,
    default_path: Option<DefaultPath>,
    in_place: Vec<InPlacePath>,
}

impl BaseUrl {
    pub(super) fn read(settings: &mut Settings) -> Self {
        Self {
            path: settings.parse("base_url.path", str::parse).unwrap_or_else(BasePath::root),
            previous: settings.list("base_url.previous", str::parse).unwrap_or_default(),
            default_path: settings.parse("base_url.default_path", str::parse),
            in_place: settings.list("base_url.in_place", str::parse).unwrap_or_default(),
        }
    }

    /// Serves one more path with and without the base path.
    pub(crate) fn serve_in_place(&mut self, path: &str) {
        self.in_place.extend(path.parse::<InPlacePath>());
    }

    /// The router of a site whose own first page is `default_path`.
    pub(crate) fn router(&self, site: &Site, default_path: DefaultPath) -> Router {
        let in_place = InPlacePath::defaults().into_iter().chain(self.in_place.iter().cloned());
        Router::new(site.base.clone())
            .with_previous(site.previous.iter().cloned())
            .with_default_path(self.default_path.clone().unwrap_or(default_path))
            .with_in_place(in_place)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Proxies {
    pub(crate) known: KnownProxies,
    pub(crate) family: Family,
    pub(crate) limit: HopLimit,
    pub(crate) allowed_hosts: AllowedHosts,
    /// Whether known proxies must begin each connection with a PROXY protocol header.
    pub(crate) protocol: bool,
}

impl Proxies {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let family = |text: &str| Family::parse(text).ok_or("write x-forwarded, forwarded or both");
        let limit = |text: &str| {
            let hops =
                text.parse().map_err(|_| "write a number of hops from 1 to 32".to_owned())?;
            HopLimit::new(hops).map_err(|error| error.to_string())
        };
        let protocol = |text: &str| match text {
            "off" => Ok(false),
            "required" => Ok(true),
            _ => Err("write off or required"),
        };
        Self {
            known: Self::known(settings).unwrap_or_default(),
            family: settings.parse("proxies.family", family).unwrap_or_default(),
            limit: settings.parse("proxies.limit", limit).unwrap_or_default(),
            allowed_hosts: Self::allowed_hosts(settings).unwrap_or_default(),
            protocol: settings.parse("proxies.protocol", protocol).unwrap_or_default(),
        }
    }

    fn known(settings: &mut Settings) -> Option<KnownProxies> {
        let key = "proxies.known";
        let entries = settings.elements(key)?;
        if settings.is_split(key) {
            refuse_torn(settings, key, &entries);
        }
        KnownProxies::parse(&entries)
            .map_err(|error| {
                reject_entries(settings, key, error.bad().iter().map(|b| (b.index, b)));
            })
            .ok()
    }

    fn allowed_hosts(settings: &mut Settings) -> Option<AllowedHosts> {
        let key = "proxies.allowed_hosts";
        let entries = settings.elements(key)?;
        AllowedHosts::parse(&entries)
            .map_err(|error| {
                let bad = error.bad().map(|(at, host)| {
                    (at, format!("{host:?} is no host name: write tv.example.org or *.example.org"))
                });
                reject_entries(settings, key, bad);
            })
            .ok()
    }
}

/// `10.0.0.2 sets for,proto` in a variable are two entries, of which the second would be a proxy of
/// the name `proto`.
fn refuse_torn(settings: &mut Settings, key: &str, entries: &[String]) {
    for (at, pair) in entries.windows(2).enumerate() {
        if let [entry, next] = pair
            && entry.contains(" sets ")
            && next.parse::<Contract>().is_ok()
        {
            let what = format!(
                "`{next}` behind `{entry}` is an entry of its own, since commas part them here: \
                 write `{entry}+{next}`"
            );
            settings.reject(&format!("{key}[{}]", at + 1), what);
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) lan: Lan,
    pub(crate) remote: bool,
    pub(crate) remote_filter: Option<RemoteFilter>,
}

impl Access {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let mode = |text: &str| FilterMode::parse(text).ok_or("write allow or block");
        let mode = settings.parse("access.remote_filter_mode", mode).unwrap_or(FilterMode::Allow);
        Self {
            lan: Self::lan(settings).unwrap_or_else(Lan::private),
            remote: settings.bool("access.remote").unwrap_or(true),
            remote_filter: Self::filter(settings, mode),
        }
    }

    fn lan(settings: &mut Settings) -> Option<Lan> {
        let key = "access.lan";
        let entries = settings.elements(key)?;
        Lan::parse(&entries)
            .map_err(|error| {
                reject_entries(settings, key, error.bad().iter().map(|b| (b.index, b)));
            })
            .ok()
    }

    fn filter(settings: &mut Settings, mode: FilterMode) -> Option<RemoteFilter> {
        let key = "access.remote_filter";
        let entries = settings.elements(key)?;
        RemoteFilter::parse(mode, &entries)
            .map_err(|error| match &error {
                ParseRemoteFilterError::Entries(bad) => {
                    reject_entries(settings, key, bad.bad().iter().map(|b| (b.index, b)));
                }
                error => settings.reject(key, error),
            })
            .ok()
            .flatten()
    }
}

/// What is published of all sites.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// The port of HTTPS as external peers see it, where it is another than the listener's.
    pub(crate) https_port: Option<u16>,
    /// The URLs of published HTTPS, whoever is told them.
    pub(crate) https_urls: Vec<Uri>,
}

impl Published {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let entries = settings.elements("published.urls").unwrap_or_default();
        let urls = entries.iter().filter_map(|entry| published_url(entry));
        let https = urls.filter(|url| url.scheme() == Some(&Scheme::HTTPS));
        Self {
            https_urls: https.collect(),
            https_port: settings.parse("published.https_port", port),
        }
    }
}

/// The URL of an entry of `published.urls`, which may say in front of it for whom it is.
pub(super) fn published_url(entry: &str) -> Option<Uri> {
    let url = match entry.split_once('=') {
        Some((key, url)) if !key.contains("://") => url,
        _ => entry,
    };
    let url: Uri = url.trim().parse().ok()?;
    (url.scheme().is_some() && url.host().is_some()).then_some(url)
}

pub(super) fn port(text: &str) -> Result<u16, &'static str> {
    text.parse().ok().filter(|port| *port != 0).ok_or("a port is a number from 1 to 65535")
}

#[derive(Clone, Debug)]
pub(crate) struct Discovery {
    pub(crate) enabled: bool,
    pub(crate) allow: SubnetSet,
}

impl Discovery {
    pub(super) fn read(settings: &mut Settings) -> Self {
        Self {
            enabled: settings.bool("discovery.enabled").unwrap_or(true),
            allow: subnets(settings, "discovery.allow").unwrap_or_default(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) listen: Vec<Listen>,
    /// Whether `/metrics` answers on the public listeners too, to the LAN.
    pub(crate) public_metrics: bool,
}

impl Admin {
    pub(super) fn read(settings: &mut Settings) -> Self {
        Self {
            listen: settings.list("admin.listen", str::parse).unwrap_or_default(),
            public_metrics: settings.bool("admin.public_metrics").unwrap_or(false),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Tuner {
    pub(crate) enabled: bool,
    pub(crate) devices: Vec<IpAddr>,
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) advertise: Option<IpAddr>,
}

impl Tuner {
    pub(super) fn read(settings: &mut Settings) -> Self {
        Self {
            enabled: settings.bool("tuner.enabled").unwrap_or(false),
            devices: settings.list("tuner.devices", str::parse).unwrap_or_default(),
            ports: settings.parse("tuner.ports", parse_range).unwrap_or(49152..=65535),
            advertise: settings.parse("tuner.advertise", str::parse),
        }
    }
}
