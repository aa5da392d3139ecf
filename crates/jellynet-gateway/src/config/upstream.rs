//! The upstreams as they are written: `[[upstream]]`, each with its own place.

use jellynet_base_url::BasePath;
use jellynet_forwarded::AllowedHosts;
use jellynet_settings::Settings;
use jellynet_upstream::UpstreamConfig;

use super::towards::Trust;

/// The most upstreams of one gateway: each has labels of its own, and one answer more on 7359.
const MOST: usize = 32;
/// The longest name, in characters.
const LONGEST_NAME: usize = 64;

/// An upstream, and where clients find it.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    /// Its index in the configuration.
    pub(super) at: usize,
    /// What it is called in metrics, logs and on the administrator's side.
    pub(crate) name: String,
    /// Where it is, and how it is asked.
    pub(crate) towards: UpstreamConfig,
    /// Whom to believe that it is the upstream.
    trust: Trust,
    /// Whether `LocalAddress` is replaced.
    pub(crate) local_address: bool,
    /// The base path where it has one of its own.
    pub(super) base: Option<BasePath>,
    /// The earlier base paths where it has some of its own.
    pub(super) previous: Option<Vec<BasePath>>,
    /// The hosts that it answers to, in lower case; none for any.
    pub(super) hosts: Vec<String>,
    /// Whether plain requests are sent to HTTPS, where it is not as for all.
    pub(super) https_redirect: Option<bool>,
}

impl Upstream {
    pub(super) fn read_all(settings: &mut Settings) -> Vec<Self> {
        let tables = settings.tables("upstream");
        if tables > MOST {
            settings.reject(
                &format!("upstream[{MOST}]"),
                format!("is one too many: {MOST} upstreams are served by one gateway"),
            );
        }
        let mut all = Vec::new();
        for at in 0..tables.min(MOST) {
            if let Some(one) = Self::read(settings, at, &all) {
                all.push(one);
            }
        }
        all
    }

    fn read(settings: &mut Settings, at: usize, before: &[Self]) -> Option<Self> {
        let key = |name: &str| format!("upstream[{at}].{name}");
        if !settings.is_set(&key("url")) {
            settings.reject(&key("url"), "is missing: write http://host:port or unix:/path");
        }
        let towards = super::towards::read(settings, at);
        let base: Option<BasePath> = settings.parse(&key("base_url"), str::parse);
        let previous = settings.list(&key("previous"), str::parse);
        let hosts = hosts(settings, &key("hosts")).unwrap_or_default();
        let local_address = settings.bool(&key("local_address")).unwrap_or(true);
        let https_redirect = settings.bool(&key("https_redirect"));
        let written = settings.parse(&key("name"), |name| match is_name(name) {
            true => Ok(name.to_owned()),
            false => Err("write 1 to 64 letters, digits, `-`, `_` and `.`"),
        });
        let taken = |name: &str| before.iter().find(|one| one.name == name);
        if let Some(other) = written.as_deref().and_then(taken) {
            let other = other.at;
            settings.reject(
                &key("name"),
                format!("is the name of upstream[{other}] too: each needs its own"),
            );
        }
        let name = written.unwrap_or_else(|| {
            let derived = derived_name(base.as_ref(), &hosts);
            let mut numbered = (2..).map(|number| format!("{derived}-{number}"));
            match taken(&derived) {
                None => derived,
                Some(_) => numbered.find(|name| taken(name).is_none()).unwrap_or(derived),
            }
        });
        let (towards, trust) = towards?;
        Some(Self {
            at,
            name,
            towards,
            trust,
            local_address,
            base,
            previous,
            hosts,
            https_redirect,
        })
    }

    /// Whether it is the same server, reached in the same way, wherever clients find it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.towards.url == other.towards.url
            && self.trust == other.trust
            && self.local_address == other.local_address
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fits)
}

/// `films` of `/films`, else the first host, else `main`; fit to be a label.
fn derived_name(base: Option<&BasePath>, hosts: &[String]) -> String {
    let path = base.map(|base| base.as_str().trim_matches('/')).filter(|path| !path.is_empty());
    let host = hosts.first().map(|host| host.trim_start_matches("*."));
    let text = path.or(host).unwrap_or("main");
    let fit = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => character,
        _ => '-',
    };
    // Room for a number, where there are several of a name.
    text.chars().map(fit).take(LONGEST_NAME - 4).collect()
}

/// Names and addresses without ports, and `*.` in front of what stands for all names below it.
fn hosts(settings: &mut Settings, key: &str) -> Option<Vec<String>> {
    let written = settings.elements(key)?;
    if written.is_empty() {
        settings.reject(key, "names no host: leave it out for any host");
    }
    let plain = |host: &String| host.trim().trim_end_matches('.').to_ascii_lowercase();
    let Err(bad) = AllowedHosts::parse(&written) else {
        return Some(written.iter().map(plain).collect());
    };
    for (at, host) in bad.bad() {
        let what = format!(
            "{host:?} is no host: write tv.example.org, *.example.org, 192.0.2.1 or [2001:db8::1], \
             without scheme, port and path"
        );
        settings.reject(&format!("{key}[{at}]"), what);
    }
    None
}
