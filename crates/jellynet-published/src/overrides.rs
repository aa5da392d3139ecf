//! The list of published URLs, in Jellyfin's syntax.

use std::collections::HashMap;
use std::net::IpAddr;

use jellynet_netif::{BadEntry, InterfaceTable, NamedSubnets, ParseListError, SubnetSet};
use thiserror::Error;

use crate::url::{BadUrl, PublicUrl, corrected};

/// The longest interface name that Linux allows (`IFNAMSIZ` less the terminating zero).
const LONGEST_NAME: usize = 15;

/// For whom a URL is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    All,
    Internal,
    External,
    Subnets(Box<SubnetSet>),
    Interface(String),
}

/// How closely an override fits a peer; a greater one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    All,
    Side,
    /// By the length of the interface's prefix, then of the subnet's: one that names the subnet
    /// itself goes before one that names its interface.
    Subnet {
        prefix_len: u8,
        named: bool,
    },
}

/// One published URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    pub(crate) index: usize,
    /// The key as it was written; `all` for a bare URL.
    pub(crate) name: String,
    key: Key,
    pub(crate) url: PublicUrl,
}

impl Override {
    /// How closely it fits; `None` when it is for other peers.
    pub(crate) fn fit(
        &self,
        peer: IpAddr,
        internal: bool,
        came_by: Option<u32>,
        interfaces: &InterfaceTable,
    ) -> Option<Fit> {
        match &self.key {
            Key::All => Some(Fit::All),
            Key::Internal => internal.then_some(Fit::Side),
            Key::External => (!internal).then_some(Fit::Side),
            Key::Subnets(subnets) => subnets
                .longest_match(peer)
                .map(|net| Fit::Subnet { prefix_len: net.prefix_len(), named: true }),
            Key::Interface(name) => {
                let interface = interfaces.by_name(name)?;
                let holding = interface.addresses.iter().filter(|a| a.on_link(peer));
                let longest = holding.map(|a| a.net.prefix_len()).max();
                let came = came_by == Some(interface.index);
                longest
                    .or_else(|| came.then_some(0))
                    .map(|prefix_len| Fit::Subnet { prefix_len, named: false })
            }
        }
    }

    /// The interface that it names, if it names one.
    pub(crate) fn interface(&self) -> Option<&str> {
        match &self.key {
            Key::Interface(name) => Some(name),
            Key::All | Key::Internal | Key::External | Key::Subnets(_) => None,
        }
    }

    /// Whether it is for this host alone.
    fn is_for_loopback(&self) -> bool {
        match &self.key {
            Key::Subnets(subnets) => subnets.included().all(|net| {
                NamedSubnets::Loopback.subnets().any(|loopback| loopback.contains(&net))
            }),
            Key::Interface(name) => name == "lo",
            Key::All | Key::Internal | Key::External => false,
        }
    }
}

/// Reads every entry, or names every bad one, each by its position in the operator's list.
pub(crate) fn parse<S: AsRef<str>>(
    entries: &[S],
    positions: &[usize],
    base: &str,
) -> Result<Vec<Override>, ParseListError<BadOverrideReason>> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    let mut first: HashMap<String, usize> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let index = positions.get(at).copied().unwrap_or(at);
        let entry = entry.as_ref();
        let parsed = parse_entry(index, entry, base).and_then(|parsed| {
            let key = parsed.name.to_ascii_lowercase();
            match *first.entry(key).or_insert(index) {
                earlier if earlier != index => Err(BadOverrideReason::Twice { earlier }),
                _ => Ok(parsed),
            }
        });
        match parsed {
            Ok(parsed) => good.push(parsed),
            Err(reason) => {
                bad.push(BadOverride::new(index, entry, reason, hint(entry, reason, base)));
            }
        }
    }
    ParseListError::check(bad)?;
    Ok(good)
}

fn parse_entry(index: usize, entry: &str, base: &str) -> Result<Override, BadOverrideReason> {
    let (name, url) = split(entry)?;
    let key = parse_key(name)?;
    let parsed = Override {
        index,
        name: name.to_owned(),
        key,
        url: PublicUrl::parse(url, base).map_err(BadOverrideReason::Url)?,
    };
    if parsed.url.is_loopback() && !parsed.is_for_loopback() {
        return Err(BadOverrideReason::Url(BadUrl::Loopback));
    }
    Ok(parsed)
}

/// Cuts `key=URL` at the first `=`; a bare URL is for all.
fn split(entry: &str) -> Result<(&str, &str), BadOverrideReason> {
    let entry = entry.trim();
    if entry.is_empty() {
        return Err(BadOverrideReason::Empty);
    }
    match entry.split_once('=') {
        Some((key, url)) if !key.contains("://") => Ok((key.trim(), url.trim())),
        Some(_) | None => Ok(("all", entry)),
    }
}

fn parse_key(text: &str) -> Result<Key, BadOverrideReason> {
    for (word, key) in [("all", Key::All), ("internal", Key::Internal), ("external", Key::External)]
    {
        if text.eq_ignore_ascii_case(word) {
            return Ok(key);
        }
    }
    if text.is_empty() || text.starts_with('!') {
        return Err(BadOverrideReason::Key);
    }
    if let Ok(subnets) = SubnetSet::parse([text]) {
        return Ok(Key::Subnets(Box::new(subnets)));
    }
    let like_an_interface = text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace());
    if like_an_interface {
        Ok(Key::Interface(text.to_owned()))
    } else {
        Err(BadOverrideReason::Key)
    }
}

/// One entry of the list of published URLs that cannot be used.
pub type BadOverride = BadEntry<BadOverrideReason>;

/// What is wrong with an entry of the list of published URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum BadOverrideReason {
    /// Nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// What stands before the `=` names nobody.
    #[error(
        "before the = stands all, internal, external, an address, a subnet or the name of an \
         interface"
    )]
    Key,
    /// An earlier entry is for the same peers.
    #[error("entry [{earlier}] is for the same peers")]
    Twice {
        /// The earlier entry.
        earlier: usize,
    },
    /// The URL.
    #[error("{0}")]
    Url(BadUrl),
}

/// The whole entry as it was probably meant.
fn hint(entry: &str, reason: BadOverrideReason, base: &str) -> Option<String> {
    let (key, url) = split(entry).ok()?;
    let bare = !entry.trim().starts_with(key);
    let (key, url) = match reason {
        BadOverrideReason::Url(_) => (key.to_owned(), corrected(url, base)?),
        BadOverrideReason::Key => {
            let error = SubnetSet::parse([key]).err()?;
            let key = error.bad().first()?.hint.clone()?;
            let url = PublicUrl::parse(url, base)
                .map_or_else(|_| corrected(url, base), |url| Some(url.to_string()));
            (key, url?)
        }
        BadOverrideReason::Empty | BadOverrideReason::Twice { .. } => return None,
    };
    let hint = if bare { url } else { format!("{key}={url}") };
    parse_entry(0, &hint, base).ok()?;
    Some(hint)
}

/// Why the configuration of published URLs cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublishedConfigError {
    /// The list of published URLs.
    #[error(transparent)]
    Overrides(#[from] ParseListError<BadOverrideReason>),
    /// The host under which the server answers cannot stand in a URL.
    #[error("`{host}` is no host: write a name, an address, or an IPv6 address in brackets")]
    OwnHost {
        /// What was written.
        host: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_entry_is_named_with_what_was_meant() {
        use BadOverrideReason as Reason;
        let cases = [
            ("", Reason::Empty, None),
            (
                "all=media.example",
                Reason::Url(BadUrl::NoScheme),
                Some("all=http://media.example/tv"),
            ),
            (
                "media.example:8920",
                Reason::Url(BadUrl::NoScheme),
                Some("https://media.example:8920/tv"),
            ),
            (
                "external=https://media.example/web",
                Reason::Url(BadUrl::NoBase),
                Some("external=https://media.example/tv"),
            ),
            (
                "https://media.example/tv?user=1",
                Reason::Url(BadUrl::Query),
                Some("https://media.example/tv"),
            ),
            (
                "fd23:184f:2029:0100/56=http://a.example/tv",
                Reason::Key,
                Some("fd23:184f:2029:0100::/56=http://a.example/tv"),
            ),
            ("10.0.0.0/255.0.0.0=a.example", Reason::Key, Some("10.0.0.0/8=http://a.example/tv")),
            ("=http://a.example/tv", Reason::Key, None),
            ("!10.0.0.0/8=http://a.example/tv", Reason::Key, None),
            ("a very long name=http://a.example/tv", Reason::Key, None),
            ("eth0=", Reason::Url(BadUrl::NoScheme), None),
            ("internal=http://localhost:8096/tv", Reason::Url(BadUrl::Loopback), None),
            ("http://127.0.0.1:8096/tv", Reason::Url(BadUrl::Loopback), None),
            ("10.0.0.1/0=http://[::1]/tv", Reason::Url(BadUrl::Loopback), None),
        ];
        let entries: Vec<_> = cases.iter().map(|(entry, ..)| entry).collect();
        let bad = parse(&entries, &[], "/tv").unwrap_err();
        assert_eq!(bad.bad().len(), cases.len());
        for (index, ((entry, reason, hint), bad)) in cases.iter().zip(bad.bad()).enumerate() {
            assert_eq!((bad.index, bad.entry.as_str()), (index, *entry));
            assert_eq!(bad.reason, *reason, "{entry}");
            assert_eq!(bad.hint.as_deref(), *hint, "{entry}");
        }
    }

    #[test]
    fn the_same_peers_cannot_have_two_urls() {
        let bad =
            parse(&["http://a.example", "eth0=http://b.example", "ALL=http://c.example"], &[], "");
        let error = bad.unwrap_err();
        assert_eq!(error.bad().len(), 1);
        assert_eq!(error.bad()[0].reason, BadOverrideReason::Twice { earlier: 0 });
        assert_eq!(
            error.to_string(),
            "entry [2] \"ALL=http://c.example\": entry [0] is for the same peers"
        );
    }

    #[test]
    fn an_equals_sign_in_the_url_belongs_to_the_url() {
        let good = parse(&["all=http://a.example/x=y"], &[], "").unwrap();
        assert_eq!(good[0].url.to_string(), "http://a.example/x=y");
    }

    #[test]
    fn loopback_may_have_a_loopback_url() {
        for entry in
            ["127.0.0.1=http://localhost:1", "loopback=http://[::1]", "lo=http://127.0.0.1"]
        {
            assert!(parse(&[entry], &[], "").is_ok(), "{entry}");
        }
    }
}
