//! What an engine is told of this host and this moment.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

/// The product line for `SERVER` and `USER-AGENT`: `Linux/6.12 UPnP/1.1 jellynet/0.1`.
///
/// Characters that do not belong into it become hyphens.
#[must_use]
pub fn product_line(product: &str, version: &str) -> String {
    let system = match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "macOS",
        "windows" => "Windows",
        other => other,
    };
    let token = |text: &str| -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        text.chars().map(|c| if fits(c) { c } else { '-' }).collect()
    };
    format!(
        "{}/{} UPnP/1.1 {}/{}",
        token(system),
        token(&release()),
        token(product),
        token(version)
    )
}

/// The first two numbers of the kernel's release; more would tell strangers which holes it has.
fn release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let numbers: Vec<_> = release.trim().splitn(3, '.').take(2).collect();
    match numbers.as_slice() {
        [major, minor] if !major.is_empty() && !minor.is_empty() => format!("{major}.{minor}"),
        _ => "1.0".to_owned(),
    }
}

/// A boot id for [`AdvertiserConfig::new`](crate::AdvertiserConfig::new): the seconds since 1970,
/// which are more at each start.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the engine gets the time once, as an argument")]
pub fn boot_id() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    u32::try_from(seconds & u64::from(crate::AdvertiserConfig::MAX_BOOT_ID)).unwrap_or(0)
}

/// A seed that differs at each call and on each host.
#[must_use]
pub fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
