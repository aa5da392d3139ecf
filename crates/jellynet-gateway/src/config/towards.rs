//! How an upstream is reached: its URL, and whom to believe that it is the upstream.

use std::error::Error;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use jellynet_settings::Settings;
use jellynet_tls::default_provider;
use jellynet_upstream::{UpstreamConfig, UpstreamTls, UpstreamUrl};

/// Whom to believe, as it was written and as the file was; equal where nothing has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trust {
    server_name: Option<String>,
    any: bool,
    /// A digest of the authorities' file.
    authorities: Option<u64>,
}

impl Trust {
    fn of(server_name: Option<&String>, any: bool, ca_file: Option<&String>) -> Self {
        let digest = |path: &String| {
            let mut hasher = DefaultHasher::new();
            hasher.write(&std::fs::read(path).unwrap_or_default());
            hasher.finish()
        };
        Self { server_name: server_name.cloned(), any, authorities: ca_file.map(digest) }
    }
}

/// Reads where `upstream[at]` is and how it is spoken to.
pub(super) fn read(settings: &mut Settings, at: usize) -> Option<(UpstreamConfig, Trust)> {
    let key = |name: &str| format!("upstream[{at}].{name}");
    let url: UpstreamUrl = settings.parse(&key("url"), str::parse)?;
    let https = url.is_https();
    let mut config = UpstreamConfig::new(url);
    let (ca_file, server_name) =
        (settings.text(&key("ca_file")), settings.text(&key("server_name")));
    let any = settings.bool(&key("insecure_any_certificate")).unwrap_or(false);
    if !https {
        let set = [
            ("ca_file", ca_file.is_some()),
            ("server_name", server_name.is_some()),
            ("insecure_any_certificate", any),
        ];
        for (name, _) in set.into_iter().filter(|(_, set)| *set) {
            settings.reject(
                &key(name),
                "is for an upstream at https://: change its url, or leave it out",
            );
        }
        return Some((config, Trust::default()));
    }
    let trust = Trust::of(server_name.as_ref(), any, ca_file.as_ref());
    let tls = match &ca_file {
        Some(_) if any => {
            settings.reject(
                &key("insecure_any_certificate"),
                "stands beside ca_file, which it would make useless: keep one of them",
            );
            return None;
        }
        Some(path) => UpstreamTls::ca_file(default_provider(), Path::new(path)),
        None if any => UpstreamTls::with_insecure_any_certificate(default_provider()),
        None => UpstreamTls::system_roots(default_provider()),
    };
    let tls = tls.map_err(|error| {
        let key = if ca_file.is_some() { key("ca_file") } else { key("url") };
        settings.reject(&key, chain(&error));
    });
    let tls = match server_name {
        Some(name) => tls.ok()?.with_server_name(&name).map_err(|error| {
            settings.reject(&key("server_name"), chain(&error));
        }),
        None => tls,
    };
    config.tls = Some(tls.ok()?);
    Some((config, trust))
}

/// An error with its sources, joined by `: `.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}
