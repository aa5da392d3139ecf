//! HTTPS: listeners, certificates, redirect and HSTS.

use std::path::PathBuf;
use std::time::Duration;

use jellynet_bind::{Families, Listen};
use jellynet_settings::{Settings, parse_duration};
use jellynet_tls::{Password, Profile, Source};

use super::acme::Acme;

/// The port of Jellyfin's HTTPS.
const PORT: u16 = 8920;

/// HTTPS; without listeners it is off.
#[derive(Clone, Debug)]
pub(crate) struct Https {
    pub(crate) listen: Vec<Listen>,
    /// Whether the server starts without it.
    pub(crate) optional: bool,
    /// Whether plain requests are sent to HTTPS.
    pub(crate) redirect: bool,
    pub(crate) hsts: Option<Duration>,
    pub(crate) profile: Profile,
    pub(crate) identities: Vec<Source>,
    /// Of an authority, by ACME.
    pub(crate) acme: Option<Acme>,
    /// Names for a certificate that is made here, besides this host's own.
    pub(crate) names: Vec<String>,
    /// Whether an authority of this host's own issues for its names and addresses.
    pub(crate) local_ca: bool,
}

impl Https {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let identities: Vec<_> =
            (0..settings.tables("identity")).filter_map(|at| identity(settings, at)).collect();
        let acme = Acme::read(settings);
        let local_ca = settings.bool("tls.local_ca").unwrap_or(false);
        let wanted = !identities.is_empty() || acme.is_some() || local_ca;
        let everywhere = Listen::Wildcard { families: Families::Both, port: PORT };
        let usual = || wanted.then_some(everywhere).into_iter().collect();
        let listen = settings.list("https.listen", str::parse).unwrap_or_else(usual);
        let redirect = settings.bool("https.redirect").unwrap_or(false);
        for (key, set) in [("acme.domains", acme.is_some()), ("tls.local_ca", local_ca)] {
            if set && listen.is_empty() {
                settings.reject(key, "is for nothing while HTTPS is off: set https.listen");
            }
        }
        let https = Self {
            acme,
            local_ca,
            redirect,
            hsts: settings.parse("https.hsts", hsts).flatten(),
            optional: settings.bool("https.optional").unwrap_or(false),
            profile: settings.parse("tls.profile", profile).unwrap_or_default(),
            names: settings.elements("tls.names").unwrap_or_default(),
            listen,
            identities,
        };
        if redirect {
            https.refuse_redirect(settings, "https.redirect");
        }
        https
    }

    /// Reports a key that asks for a redirect to nowhere.
    pub(super) fn refuse_redirect(&self, settings: &mut Settings, key: &str) {
        if self.listen.is_empty() {
            settings.reject(key, "leads nowhere while HTTPS is off: set https.listen");
        }
    }

    /// The port that clients on the LAN use.
    pub(crate) fn port(&self) -> u16 {
        self.listen.iter().find_map(Listen::port).unwrap_or(PORT)
    }
}

fn identity(settings: &mut Settings, at: usize) -> Option<Source> {
    let key = |name: &str| format!("identity[{at}].{name}");
    let mut path = |name: &str| settings.text(&key(name)).map(PathBuf::from);
    let (certificate, private, chain) = (path("certificate"), path("key"), path("chain"));
    let password_file = path("password_file");
    let password = settings.text(&key("password"));
    if password.is_some() && password_file.is_some() {
        settings.reject(&key("password"), "stands beside password_file: keep one of them");
    }
    let Some(certificate) = certificate else {
        settings.reject(
            &key("certificate"),
            "is missing: write the path of a PKCS#12 or PEM file, or of a folder",
        );
        return None;
    };
    let mut source = Source::new(certificate);
    if let Some(private) = private {
        source = source.with_key(private);
    }
    if let Some(chain) = chain {
        source = source.with_chain(chain);
    }
    Some(match (password, password_file) {
        (Some(text), _) => source.with_password(Password::text(text)),
        (None, Some(file)) => source.with_password(Password::file(file)),
        (None, None) => source,
    })
}

fn profile(text: &str) -> Result<Profile, &'static str> {
    match text {
        "intermediate" => Ok(Profile::Intermediate),
        "modern" => Ok(Profile::Modern),
        _ => Err("write intermediate or modern"),
    }
}

fn hsts(text: &str) -> Result<Option<Duration>, String> {
    match text {
        "off" => Ok(None),
        time => parse_duration(time).map(Some).map_err(|error| error.to_string()),
    }
}
