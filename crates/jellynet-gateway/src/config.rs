//! The configuration: every key, its type, its default.
//!
//! Read once from all sources; what comes out has only parsed values, and every bad key is
//! reported at the same time. docs/DEFAULTS.md says where the defaults come from.

mod acme;
mod https;
mod sections;
mod site;
mod towards;
mod upstream;
mod written;

use std::path::PathBuf;

use jellynet_settings::{Settings, SettingsError};

use self::written::Written;
use crate::reach;

pub(crate) use self::https::Https;
pub(crate) use self::sections::{
    Access, Admin, BaseUrl, Discovery, Http, Proxies, Published, Server, Tuner,
};
pub(crate) use self::site::Site;
pub(crate) use self::upstream::Upstream;

/// Every key there is, those of the program's own log among them; `upstream` is a list of tables.
pub const KEYS: &[&str] = &[
    "access.lan",
    "access.remote",
    "access.remote_filter",
    "access.remote_filter_mode",
    "acme.agree_to_terms",
    "acme.challenge",
    "acme.contact",
    "acme.directory",
    "acme.directory_root",
    "acme.dns_algorithm",
    "acme.dns_hook",
    "acme.dns_key_file",
    "acme.dns_key_name",
    "acme.dns_server",
    "acme.dns_wait",
    "acme.dns_zone",
    "acme.domains",
    "acme.eab_key",
    "acme.eab_key_file",
    "acme.eab_key_id",
    "acme.issuer",
    "acme.key_types",
    "acme.profile",
    "acme.retry",
    "admin.listen",
    "admin.public_metrics",
    "base_url.default_path",
    "base_url.in_place",
    "base_url.path",
    "base_url.previous",
    "discovery.allow",
    "discovery.enabled",
    "http.drain_timeout",
    "http.first_byte_timeout",
    "http.header_timeout",
    "http.idle_timeout",
    "http.listen",
    "http.max_connections",
    "http.send_timeout",
    "http.send_timeout_crowded",
    "https.hsts",
    "https.listen",
    "https.optional",
    "https.redirect",
    "identity[].certificate",
    "identity[].chain",
    "identity[].key",
    "identity[].password",
    "identity[].password_file",
    "log.access",
    "log.format",
    "log.level",
    "proxies.allowed_hosts",
    "proxies.family",
    "proxies.known",
    "proxies.limit",
    "proxies.protocol",
    "published.http_port",
    "published.https_port",
    "published.urls",
    "server.data_dir",
    "server.name",
    "ssdp.enabled",
    "tls.local_ca",
    "tls.names",
    "tls.profile",
    "tuner.advertise",
    "tuner.devices",
    "tuner.enabled",
    "tuner.ports",
    "upstream[].base_url",
    "upstream[].ca_file",
    "upstream[].hosts",
    "upstream[].https_redirect",
    "upstream[].insecure_any_certificate",
    "upstream[].local_address",
    "upstream[].name",
    "upstream[].previous",
    "upstream[].server_name",
    "upstream[].url",
    "web.directory",
];

/// What the operator wants, with every value parsed.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) server: Server,
    pub(crate) http: Http,
    pub(crate) https: Https,
    /// The upstreams with their places; without any, the one site of files or the page.
    pub(crate) sites: Vec<Site>,
    pub(crate) web_directory: Option<PathBuf>,
    pub(crate) base_url: BaseUrl,
    pub(crate) proxies: Proxies,
    pub(crate) access: Access,
    pub(crate) published: Published,
    pub(crate) discovery: Discovery,
    /// Whether UPnP control points are told of this server.
    pub(crate) ssdp: bool,
    pub(crate) tuner: Tuner,
    pub(crate) admin: Admin,
    pub(crate) access_log: jellynet_admin::Format,
    /// All of it as it was written.
    pub(crate) written: Written,
}

impl Config {
    /// Where this host reaches a gateway of this configuration, and whether by TLS: a socket
    /// address, or `unix:` and a path. `None` where no listener has a place that is known
    /// beforehand.
    pub(crate) fn own_place(&self) -> Option<(String, bool)> {
        let first = |listen: &[_]| listen.iter().find_map(reach::from_this_host);
        let plain = first(&self.http.listen).map(|place| (place, false));
        plain.or_else(|| first(&self.https.listen).map(|place| (place, true)))
    }

    /// Every key that is set, its value and where it comes from, then the keys that have their
    /// default; a line each, secrets as `***`.
    #[must_use]
    pub fn describe(&self) -> String {
        self.written.describe(KEYS)
    }

    /// Takes from `old` whatever cannot change while a gateway runs.
    pub(crate) fn keep_fixed(&mut self, old: &Self) {
        self.server = old.server.clone();
        self.http.listen.clone_from(&old.http.listen);
        self.http.max_connections = old.http.max_connections;
        self.http.drain = old.http.drain;
        self.https.listen.clone_from(&old.https.listen);
        self.https.optional = old.https.optional;
        self.https.profile = old.https.profile;
        self.https.acme.clone_from(&old.https.acme);
        self.https.local_ca = old.https.local_ca;
        self.https.names.clone_from(&old.https.names);
        self.tuner = old.tuner.clone();
        self.admin.listen.clone_from(&old.admin.listen);
    }

    /// Whether there is a media server behind this one.
    pub(crate) fn has_upstream(&self) -> bool {
        self.sites.iter().any(|site| site.upstream.is_some())
    }

    /// Reads every key but `log.level` and `log.format`, which are the program's.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, what was reported on `settings` before among it.
    pub fn from_settings(mut settings: Settings) -> Result<Self, SettingsError> {
        let config = Self::read(&mut settings);
        settings.finish()?;
        Ok(config)
    }

    /// Reads every key; what is wrong is left in the settings.
    fn read(settings: &mut Settings) -> Self {
        let upstreams = Upstream::read_all(settings);
        let admin = Admin::read(settings);
        let mut base_url = BaseUrl::read(settings);
        if admin.public_metrics {
            base_url.serve_in_place("/metrics");
        }
        let access = Access::read(settings);
        let (http, https) = (Http::read(settings), Https::read(settings));
        if http.listen.is_empty() && https.listen.is_empty() {
            let remedy = "is empty and HTTPS is off: write where to listen, such as \"*:8096\"";
            settings.reject("http.listen", remedy);
        }
        let web_directory = sections::web_directory(settings, &upstreams);
        let sites = Site::read_all(settings, upstreams, &base_url, &access.lan.subnets(), &https);
        Self {
            server: Server::read(settings),
            http,
            https,
            web_directory,
            sites,
            published: Published::read(settings),
            base_url,
            proxies: Proxies::read(settings),
            access,
            discovery: Discovery::read(settings),
            ssdp: settings.bool("ssdp.enabled").unwrap_or(false),
            tuner: Tuner::read(settings),
            admin,
            access_log: settings.parse("log.access", str::parse).unwrap_or_default(),
            written: Written::of(settings),
        }
    }
}
