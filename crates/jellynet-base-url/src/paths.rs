//! Paths that a router treats specially: where visitors land, and what needs no prefix.

use std::fmt;
use std::str::FromStr;

use crate::base_path::{BasePath, ParseBasePathError};

/// Where a visitor of the base itself is sent, relative to the base. Default: `web/`.
///
/// Written as `web/`, `/web/` or `web/index.html`; empty for no redirect, in which case only the
/// missing `/` behind the base is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultPath(Box<str>);

impl DefaultPath {
    /// No redirect from the base: the application answers there.
    #[must_use]
    pub fn none() -> Self {
        Self("".into())
    }

    /// Whether visitors of the base are left there.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The path, without a `/` in front.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for DefaultPath {
    fn default() -> Self {
        Self("web/".into())
    }
}

impl fmt::Display for DefaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DefaultPath {
    type Err = ParseBasePathError;

    /// # Errors
    ///
    /// As for a [`BasePath`]: no empty or dot segments, no query, no host.
    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let path: BasePath = written.parse()?;
        let slash = if written.trim().ends_with('/') && !path.is_root() { "/" } else { "" };
        let text = path.as_str().trim_start_matches('/');
        Ok(Self([text, slash].concat().into()))
    }
}

/// A path that answers with and without the prefix, in any letter case.
///
/// `/health` is that path alone (and `/health/`); `/dlna/`, with a `/` at its end, all below it
/// too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlacePath {
    path: BasePath,
    subtree: bool,
}

impl InPlacePath {
    /// Who is this server, and is it well: `/System/Info/Public`, `/System/Ping`, `/health`.
    /// Clients ask these first, and many follow no redirect.
    pub const IDENTITY: [&'static str; 3] = ["/System/Info/Public", "/System/Ping", "/health"];

    /// What tuners and players on the LAN ask at the root, since their protocols know no prefix:
    /// HDHomeRun (`/discover.json`, `/lineup.json`, `/lineup_status.json`, `/lineup.post`,
    /// `/device.xml`) and DLNA (`/dlna/`).
    pub const DEVICES: [&'static str; 6] = [
        "/discover.json",
        "/lineup.json",
        "/lineup_status.json",
        "/lineup.post",
        "/device.xml",
        "/dlna/",
    ];

    /// [`Self::IDENTITY`] and [`Self::DEVICES`].
    ///
    /// # Panics
    ///
    /// Never: a test parses each of them.
    #[must_use]
    pub fn defaults() -> Vec<Self> {
        let all = Self::IDENTITY.iter().chain(&Self::DEVICES);
        all.map(|path| path.parse().expect("the defaults parse")).collect()
    }

    /// What follows this entry in a raw request path (without query) that it covers.
    pub(crate) fn strip<'t>(&self, path: &'t str) -> Option<&'t str> {
        let rest = self.path.strip(path)?;
        (self.subtree || matches!(rest, "" | "/")).then_some(rest)
    }
}

impl fmt::Display for InPlacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, if self.subtree { "/" } else { "" })
    }
}

impl FromStr for InPlacePath {
    type Err = ParseBasePathError;

    /// # Errors
    ///
    /// As for a [`BasePath`].
    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let path: BasePath = written.parse()?;
        Ok(Self {
            // The root alone is `/`: as a subtree it would switch the base URL off unseen.
            subtree: !path.is_root() && written.trim().ends_with('/'),
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_path_keeps_its_last_slash() {
        for (written, path) in [
            ("web/", "web/"),
            ("/web/", "web/"),
            ("web/index.html", "web/index.html"),
            ("", ""),
            ("/", ""),
        ] {
            assert_eq!(written.parse::<DefaultPath>().unwrap().as_str(), path);
        }
        assert!("//evil.com".parse::<DefaultPath>().is_err());
    }

    #[test]
    fn an_entry_covers_itself_or_its_subtree() {
        let covers = |entry: &InPlacePath, path| entry.strip(path).is_some();
        let health: InPlacePath = "/health".parse().unwrap();
        assert!(covers(&health, "/Health") && covers(&health, "/health/"));
        assert!(!covers(&health, "/health/x") && !covers(&health, "/healthy"));
        let dlna: InPlacePath = "/dlna/".parse().unwrap();
        assert!(covers(&dlna, "/dlna") && covers(&dlna, "/DLNA/icon.png"));
        let root: InPlacePath = "/".parse().unwrap();
        assert!(covers(&root, "/") && !covers(&root, "/x"));
        assert_eq!(InPlacePath::defaults().len(), 9);
    }
}
