//! What the host names of known proxies resolve to, without asking anybody.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use jellynet_netif::unmapped;

/// More addresses of one name than this are left out.
const MAX_ADDRESSES: usize = 64;

/// What happened to the addresses of a proxy that is known by host name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameEvent {
    /// The name resolves to other addresses than before.
    Changed {
        /// The name.
        name: String,
        /// Addresses that are proxies from now on.
        added: Vec<IpAddr>,
        /// Addresses that are no proxies any more.
        removed: Vec<IpAddr>,
    },
    /// The name does not resolve; its last good addresses stay. Told once per failure, not for
    /// each try.
    Failed {
        /// The name.
        name: String,
        /// Why, as the resolver says it.
        error: String,
        /// How many addresses stay; 0 if it never resolved.
        kept: usize,
    },
    /// The name has not resolved for the maximum age, and its addresses are no proxies any more.
    Expired {
        /// The name.
        name: String,
        /// The addresses that were dropped.
        removed: Vec<IpAddr>,
    },
}

/// The addresses of each name, with the time of the last good answer.
#[derive(Debug)]
pub(crate) struct Names {
    entries: Vec<Entry>,
    max_age: Duration,
}

#[derive(Debug)]
struct Entry {
    name: String,
    addresses: Vec<IpAddr>,
    /// The last good answer.
    good: Option<Instant>,
    failing: bool,
}

impl Names {
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>, max_age: Duration) -> Self {
        let names: BTreeSet<_> = names.into_iter().collect();
        let entry = |name: &str| Entry {
            name: name.to_owned(),
            addresses: Vec::new(),
            good: None,
            failing: false,
        };
        Self { entries: names.into_iter().map(entry).collect(), max_age }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.name.clone()).collect()
    }

    /// The addresses that count at present.
    pub(crate) fn addresses(&self, name: &str) -> &[IpAddr] {
        let found = self.entries.iter().find(|entry| entry.name == name);
        found.map_or(&[], |entry| &entry.addresses)
    }

    /// Whether a name has no good answer at present.
    pub(crate) fn is_failing(&self) -> bool {
        self.entries.iter().any(|entry| entry.failing)
    }

    /// Notes an answer. An empty one is a failure: a name server that has lost a record must not
    /// turn a working proxy into a stranger at once.
    pub(crate) fn answer(
        &mut self,
        name: &str,
        answer: Result<Vec<IpAddr>, String>,
        now: Instant,
    ) -> Option<NameEvent> {
        let entry = self.entries.iter_mut().find(|entry| entry.name == name)?;
        match answer {
            Ok(addresses) if !addresses.is_empty() => entry.resolved(&addresses, now),
            Ok(_) => entry.failed("no address".to_owned(), self.max_age, now),
            Err(error) => entry.failed(error, self.max_age, now),
        }
    }
}

impl Entry {
    fn resolved(&mut self, addresses: &[IpAddr], now: Instant) -> Option<NameEvent> {
        let fresh: BTreeSet<_> = addresses.iter().copied().map(unmapped).collect();
        let fresh: Vec<_> = fresh.into_iter().take(MAX_ADDRESSES).collect();
        self.good = Some(now);
        self.failing = false;
        let only_in = |one: &[IpAddr], other: &[IpAddr]| -> Vec<IpAddr> {
            let alone = one.iter().filter(|ip| !other.contains(ip));
            alone.copied().collect()
        };
        let added = only_in(&fresh, &self.addresses);
        let removed = only_in(&self.addresses, &fresh);
        self.addresses = fresh;
        (!added.is_empty() || !removed.is_empty()).then(|| NameEvent::Changed {
            name: self.name.clone(),
            added,
            removed,
        })
    }

    fn failed(&mut self, error: String, max_age: Duration, now: Instant) -> Option<NameEvent> {
        let name = self.name.clone();
        let age = self.good.map(|good| now.saturating_duration_since(good));
        if age.is_some_and(|age| age >= max_age) {
            self.good = None;
            self.failing = true;
            let removed = std::mem::take(&mut self.addresses);
            return Some(NameEvent::Expired { name, removed });
        }
        let is_news = !std::mem::replace(&mut self.failing, true);
        is_news.then_some(NameEvent::Failed { name, error, kept: self.addresses.len() })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86400);

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_last_good_answer_stays_until_it_is_too_old() {
        let mut names = Names::new(["nginx", "other"], DAY);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let failed = |kept| {
            Some(NameEvent::Failed { name: "nginx".into(), error: "no such name".into(), kept })
        };
        let no_such_name = || Err("no such name".to_owned());

        assert_eq!(names.answer("nginx", no_such_name(), at(0)), failed(0));
        let first = names.answer("nginx", Ok(ips(&["::ffff:10.0.0.2", "10.0.0.3"])), at(10));
        assert_eq!(
            first,
            Some(NameEvent::Changed {
                name: "nginx".into(),
                added: ips(&["10.0.0.2", "10.0.0.3"]),
                removed: vec![],
            })
        );
        let again = names.answer("nginx", Ok(ips(&["10.0.0.3", "10.0.0.2"])), at(20));
        assert_eq!(again, None, "another order is no change");

        assert_eq!(names.answer("nginx", no_such_name(), at(30)), failed(2));
        assert_eq!(names.answer("nginx", no_such_name(), at(40)), None, "told once");
        assert!(names.is_failing());
        assert_eq!(names.addresses("nginx"), ips(&["10.0.0.2", "10.0.0.3"]));

        let moved = names.answer("nginx", Ok(ips(&["10.0.0.3", "10.0.0.9"])), at(50));
        assert_eq!(
            moved,
            Some(NameEvent::Changed {
                name: "nginx".into(),
                added: ips(&["10.0.0.9"]),
                removed: ips(&["10.0.0.2"]),
            })
        );
        let empty = names.answer("nginx", Ok(vec![]), at(60));
        assert!(
            matches!(empty, Some(NameEvent::Failed { kept: 2, .. })),
            "no answer is no removal"
        );
        let old = names.answer("nginx", no_such_name(), at(50) + DAY);
        assert_eq!(
            old,
            Some(NameEvent::Expired {
                name: "nginx".into(),
                removed: ips(&["10.0.0.3", "10.0.0.9"]),
            })
        );
        assert!(names.addresses("nginx").is_empty());
        assert_eq!(names.answer("nginx", no_such_name(), at(70) + DAY), None);
    }
}
