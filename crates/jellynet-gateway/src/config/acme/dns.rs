//! How TXT records are set for DNS-01: by a program, or on a name server with dynamic updates.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jellynet_settings::Settings;
use jellynet_tls::{Challenge, DnsHook, DnsUpdate, TsigAlgorithm, TsigKey};

const HOOK: &str = "acme.dns_hook";
const SERVER: &str = "acme.dns_server";
const KEY_FILE: &str = "acme.dns_key_file";
/// What means nothing without a server.
const OF_A_SERVER: &[&str] =
    &[KEY_FILE, "acme.dns_key_name", "acme.dns_algorithm", "acme.dns_zone"];

pub(super) fn challenge(settings: &mut Settings) -> Challenge {
    let wait = settings.duration("acme.dns_wait").unwrap_or_else(|| Duration::from_secs(10));
    let (hook, server) = (settings.text(HOOK).map(PathBuf::from), settings.text(SERVER));
    if server.is_none() {
        let set: Vec<_> =
            OF_A_SERVER.iter().filter(|key| settings.text(key).is_some()).copied().collect();
        for key in set {
            settings.reject(key, format!("means nothing without {SERVER}"));
        }
    }
    match (hook, server) {
        (Some(_), Some(_)) => {
            settings.reject(HOOK, format!("stands beside {SERVER}: keep one of them"));
        }
        (None, None) => settings.reject(
            HOOK,
            format!(
                "is missing: dns-01 needs a program that sets TXT records, or {SERVER}, see \
                 docs/guide/lets-encrypt.md"
            ),
        ),
        (Some(program), None) => {
            if let Err(why) = executable(&program) {
                settings.reject(HOOK, format!("cannot run {}: {why}", program.display()));
            }
            return Challenge::Dns01(Arc::new(DnsHook::new(program).with_pause(wait)));
        }
        (None, Some(server)) => {
            if let Some(update) = update(settings, server) {
                return Challenge::Dns01(Arc::new(update.with_pause(wait)));
            }
        }
    }
    Challenge::TlsAlpn01
}

fn update(settings: &mut Settings, server: String) -> Option<DnsUpdate> {
    let zone = settings.text("acme.dns_zone");
    let name = settings.text("acme.dns_key_name");
    let algorithm = settings.parse("acme.dns_algorithm", str::parse::<TsigAlgorithm>);
    let Some(file) = settings.text(KEY_FILE) else {
        settings.reject(
            KEY_FILE,
            "is missing: write the path of the file that tsig-keygen made on the name server",
        );
        return None;
    };
    match TsigKey::read(file.as_ref(), name.as_deref(), algorithm) {
        Ok(key) => {
            let update = DnsUpdate::new(server, key);
            Some(match zone {
                Some(zone) => update.with_zone(zone),
                None => update,
            })
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            settings.reject(KEY_FILE, format!("{error}{}", cause.unwrap_or_default()));
            None
        }
    }
}

fn executable(program: &Path) -> Result<(), String> {
    if !program.is_absolute() {
        return Err("write its whole path, from / on".to_owned());
    }
    let metadata = program.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err("it is not executable: chmod +x it".to_owned());
    }
    Ok(())
}
