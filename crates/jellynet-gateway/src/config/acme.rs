//! Certificates from Let's Encrypt and its like.

mod dns;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jellynet_settings::Settings;
use jellynet_tls::{
    AcmeConfig, AcmeKey, Challenge, ExternalAccount, LETS_ENCRYPT, LETS_ENCRYPT_STAGING,
};

/// Of ZeroSSL; it wants an external account.
const ZEROSSL: &str = "https://acme.zerossl.com/v2/DV90";
/// No public authority vouches for what is below these (RFC 6761, RFC 8375, RFC 6762).
const PRIVATE: &[&str] = &["local", "lan", "home", "internal", "localhost", "home.arpa", "test"];

/// What to ask of which authority, for which kinds of key.
#[derive(Clone, Debug)]
pub(crate) struct Acme {
    /// All but the folder, which is the server's.
    pub(crate) config: AcmeConfig,
    /// At least one.
    pub(crate) keys: Vec<AcmeKey>,
}

/// An authority.
struct Directory {
    url: String,
    /// Its terms of service, where they are known here.
    terms: &'static str,
    /// The domain by which it knows itself, for DNS-PERSIST-01.
    issuer: Option<&'static str>,
    /// Whether it vouches for public names alone.
    public: bool,
    wants_account: bool,
}

impl Acme {
    /// `None` without any key of it; what is wrong is left in the settings.
    pub(super) fn read(settings: &mut Settings) -> Option<Self> {
        if !settings.origins().any(|(key, _)| key.starts_with("acme.")) {
            return None;
        }
        let directory = settings
            .parse("acme.directory", |text| Directory::parse(text).ok_or(DIRECTORIES))
            .unwrap_or_else(Directory::lets_encrypt);
        agreed(settings, &directory);
        let domains = domains(settings, &directory);
        let mut config = AcmeConfig::new("", domains);
        config.challenge = challenge(settings, &config.names, &directory);
        config.contact = contact(settings);
        config.profile = settings.text("acme.profile");
        config.external_account = external_account(settings, directory.wants_account);
        config.directory_root = readable(settings, "acme.directory_root");
        config.first_pause =
            settings.parse("acme.retry", retry).unwrap_or_else(|| Duration::from_secs(60));
        config.directory = directory.url;
        let keys = settings.list("acme.key_types", key_type).filter(|keys| !keys.is_empty());
        Some(Self { config, keys: keys.unwrap_or_else(|| vec![AcmeKey::EcdsaP256]) })
    }
}

const DIRECTORIES: &str =
    "write letsencrypt, letsencrypt-staging, zerossl, or the https:// URL of a directory";

impl Directory {
    fn lets_encrypt() -> Self {
        Self {
            url: LETS_ENCRYPT.to_owned(),
            terms: " (https://letsencrypt.org/repository/)",
            issuer: Some("letsencrypt.org"),
            public: true,
            wants_account: false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let lets_encrypt = Self::lets_encrypt();
        Some(match text {
            "letsencrypt" => lets_encrypt,
            "letsencrypt-staging" => Self { url: LETS_ENCRYPT_STAGING.to_owned(), ..lets_encrypt },
            "zerossl" => Self {
                url: ZEROSSL.to_owned(),
                terms: " (https://zerossl.com/terms/)",
                issuer: None,
                public: true,
                wants_account: true,
            },
            url if url.starts_with("https://") => Self {
                url: url.to_owned(),
                terms: "",
                issuer: None,
                public: url == LETS_ENCRYPT || url == LETS_ENCRYPT_STAGING,
                wants_account: false,
            },
            _ => return None,
        })
    }
}

/// Nobody agrees to anything by leaving a line out.
fn agreed(settings: &mut Settings, directory: &Directory) {
    if settings.bool("acme.agree_to_terms") != Some(true) {
        let message = format!(
            "must be true: read the authority's terms of service{} and agree to them",
            directory.terms
        );
        settings.reject("acme.agree_to_terms", message);
    }
}

fn domains(settings: &mut Settings, directory: &Directory) -> Vec<String> {
    let key = "acme.domains";
    if settings.elements(key).is_none_or(|domains| domains.is_empty()) {
        settings.reject(key, "is missing: write the names of the certificate");
    }
    settings.list(key, |text| domain(text, directory.public)).unwrap_or_default()
}

fn domain(text: &str, public: bool) -> Result<String, String> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = name.parse::<IpAddr>() {
        if public && is_private(address) {
            return Err(
                "is an address of one network, for which no public authority vouches: set \
                        tls.local_ca instead"
                    .to_owned(),
            );
        }
        return Ok(name);
    }
    if !name.is_ascii() {
        return Err("has letters outside of ASCII: write it as xn--…".to_owned());
    }
    let bare = name.strip_prefix("*.").unwrap_or(&name);
    let good = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    if bare.len() > 253 || !bare.split('.').all(good) {
        return Err("is no name: write tv.example.org, *.example.org or an address".to_owned());
    }
    let private = |suffix: &&str| {
        bare.strip_suffix(*suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if public && (!bare.contains('.') || PRIVATE.iter().any(private)) {
        return Err("is a name of one network, for which no public authority vouches: set \
                    tls.local_ca instead"
            .to_owned());
    }
    Ok(name)
}

/// Loopback, link-local and private networks (RFC 1918, RFC 3927, RFC 4193, RFC 6598).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn challenge(settings: &mut Settings, domains: &[String], directory: &Directory) -> Challenge {
    let known = |text: &str| match text {
        "tls-alpn-01" | "http-01" | "dns-01" | "dns-persist-01" => Ok(text.to_owned()),
        _ => Err("write tls-alpn-01, http-01, dns-01 or dns-persist-01"),
    };
    let name = settings.parse("acme.challenge", known);
    let name = name.unwrap_or_else(|| "tls-alpn-01".to_owned());
    let in_dns = name.starts_with("dns-");
    let wildcard = domains.iter().find(|domain| domain.starts_with("*."));
    if let Some(wildcard) = wildcard.filter(|_| !in_dns) {
        settings.reject(
            "acme.challenge",
            format!("cannot prove {wildcard} by {name}: write dns-01 or dns-persist-01"),
        );
    }
    let address = domains.iter().find(|domain| domain.parse::<IpAddr>().is_ok());
    if let Some(address) = address.filter(|_| in_dns) {
        settings.reject(
            "acme.challenge",
            format!("cannot prove the address {address} by {name}: write tls-alpn-01 or http-01"),
        );
    }
    match name.as_str() {
        "http-01" => Challenge::Http01,
        "dns-01" => dns::challenge(settings),
        "dns-persist-01" => {
            let issuer = settings.text("acme.issuer");
            let issuer = issuer.or_else(|| directory.issuer.map(str::to_owned));
            if issuer.is_none() {
                settings.reject(
                    "acme.issuer",
                    "is missing: write the domain by which the authority knows itself, such as \
                     letsencrypt.org",
                );
            }
            Challenge::DnsPersist01 { issuer: issuer.unwrap_or_default() }
        }
        _ => Challenge::TlsAlpn01,
    }
}

/// Addresses of mail, `mailto:` or not.
fn contact(settings: &mut Settings) -> Vec<String> {
    let address = |text: &str| match text.strip_prefix("mailto:").unwrap_or(text) {
        mail if mail.contains('@') && !mail.contains(char::is_whitespace) => {
            Ok(format!("mailto:{mail}"))
        }
        _ => Err("is no address of mail: write admin@example.org"),
    };
    settings.list("acme.contact", address).unwrap_or_default()
}

/// RFC 8555 § 7.3.4: identifier and key of an account that exists elsewhere.
fn external_account(settings: &mut Settings, wanted: bool) -> Option<ExternalAccount> {
    let id = settings.text("acme.eab_key_id");
    let key = settings.text("acme.eab_key");
    let file = readable(settings, "acme.eab_key_file");
    if key.is_some() && file.is_some() {
        settings.reject("acme.eab_key", "stands beside eab_key_file: keep one of them");
    }
    let (name, key) = match (key, file) {
        (Some(key), _) => ("acme.eab_key", Some(key)),
        (None, Some(file)) => ("acme.eab_key_file", std::fs::read_to_string(file).ok()),
        (None, None) => ("acme.eab_key_file", None),
    };
    match (id, key) {
        (Some(id), Some(key)) => {
            let account = ExternalAccount::new(id, &key);
            if account.is_none() {
                settings.reject(name, "is no key in base64url, as the authority gives it out");
            }
            account
        }
        (Some(_), None) => {
            settings.reject(name, "is missing: it holds the key that belongs to eab_key_id");
            None
        }
        (None, Some(_)) => {
            settings.reject("acme.eab_key_id", "is missing: it names the account of the key");
            None
        }
        (None, None) => {
            if wanted {
                settings.reject(
                    "acme.eab_key_id",
                    "is missing: this authority wants an account (external account binding); \
                     make one on its pages, and write its id here and its key to eab_key_file",
                );
            }
            None
        }
    }
}

/// The path of a file that can be read.
fn readable(settings: &mut Settings, key: &str) -> Option<PathBuf> {
    let path = PathBuf::from(settings.text(key)?);
    if let Err(error) = std::fs::read(&path) {
        settings.reject(key, format!("cannot read {}: {error}", path.display()));
    }
    Some(path)
}

fn key_type(text: &str) -> Result<AcmeKey, &'static str> {
    match text {
        "ecdsa" => Ok(AcmeKey::EcdsaP256),
        "rsa" => Ok(AcmeKey::Rsa2048),
        _ => Err("write ecdsa or rsa"),
    }
}

fn retry(text: &str) -> Result<Duration, String> {
    let time = jellynet_settings::parse_duration(text).map_err(|error| error.to_string())?;
    if (1..=86_400).contains(&time.as_secs()) {
        Ok(time)
    } else {
        Err("write a time from 1s to 24h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_an_authority_can_vouch_for_are_names() {
        for good in ["tv.example.org", "*.Example.org", "192.0.2.1", "2001:db8::1", "xn--a.de."] {
            assert!(domain(good, true).is_ok(), "{good}");
        }
        for bad in ["nas", "tv.lan", "tv.home.arpa", "192.168.1.5", "fd00::1", "a..b", "ä.de", ""]
        {
            assert!(domain(bad, true).is_err(), "{bad}");
        }
        for private in ["nas", "tv.lan", "192.168.1.5"] {
            assert!(domain(private, false).is_ok(), "{private}, of a private authority");
        }
    }
}
