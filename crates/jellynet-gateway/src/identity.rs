//! The sites in force, and who they are, for whoever speaks for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use jellynet_discovery::ServerId;
use jellynet_upstream::{Identity, StatusWatch};

use crate::announce::Announcer;
use crate::config;
use crate::dlna::Dlna;
use crate::site::{Ground, Site};

/// A site whose identity is known.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) site: Site,
    pub(crate) id: ServerId,
    /// The name that clients show.
    pub(crate) name: String,
}

/// The sites, and those who speak for them; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Roll(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ground: Ground,
    sites: ArcSwap<Vec<Site>>,
    /// Who is spoken for.
    known: Mutex<Vec<Known>>,
    announcer: Announcer,
    dlna: Dlna,
}

impl Roll {
    /// Without any site yet.
    pub(crate) fn new(ground: Ground, announcer: Announcer, dlna: Dlna) -> Self {
        let (sites, known) = Default::default();
        Self(Arc::new(Inner { ground, sites, known, announcer, dlna }))
    }

    /// The sites in force, in the order of the configuration.
    pub(crate) fn sites(&self) -> Arc<Vec<Site>> {
        self.0.sites.load_full()
    }

    /// Puts these in force. What is behind a site is kept, with its connections and all that is
    /// known of it, where it is reached as before, under whatever name and at whatever place.
    /// Returns those that are in force no more, to be [closed](Site::close) when nothing leads to
    /// them.
    pub(crate) fn adopt(&self, next: &[config::Site]) -> Vec<Site> {
        let mut before = self.sites().to_vec();
        let mut kept: Vec<Option<Site>> = vec![None; next.len()];
        // Of two that are reached in the same way, each keeps what it has.
        for by_name in [true, false] {
            for (next, kept) in next.iter().zip(&mut kept).filter(|(_, kept)| kept.is_none()) {
                let stays = |it: &Site| it.serves(next) && (!by_name || it.name() == next.name);
                *kept = before.iter().position(stays).map(|at| before.remove(at));
            }
        }
        let mut sites = Vec::with_capacity(next.len());
        for (next, kept) in next.iter().zip(kept) {
            sites.push(match kept {
                Some(site) => {
                    site.adopt(next);
                    site
                }
                None => self.open(next, before.iter().find(|it| it.name() == next.name)),
            });
        }
        self.0.sites.store(Arc::new(sites));
        before
    }

    fn open(&self, config: &config::Site, before: Option<&Site>) -> Site {
        let site = Site::open(config, &self.0.ground, before);
        if let Some(upstream) = &site.upstream {
            let (roll, known) = (self.clone(), site.clone());
            site.watch(each(upstream.status(), move |who| roll.enter(&known, who)));
        }
        site
    }

    /// An upstream has said who it is.
    fn enter(&self, site: &Site, who: &Identity) {
        let (upstream, sites) = (site.name(), self.sites());
        if !sites.iter().any(|it| it.is(site)) {
            return;
        }
        let (name, version, id) = (&who.server_name, &who.version, &who.id);
        tracing::info!(upstream, name, version, id, "know the upstream");
        let id = match who.id.parse::<ServerId>() {
            Ok(id) => id,
            Err(error) => {
                tracing::warn!(upstream, id, %error, "announce no upstream without a proper id");
                return self.call();
            }
        };
        let is_twin = |other: &&Site| !other.is(site) && other.who().is_some_and(|it| it.0 == id);
        if let Some(other) = sites.iter().find(is_twin) {
            tracing::warn!(
                upstream,
                other = other.name(),
                %id,
                "two upstreams have one id, and clients take one for the other: the first in \
                 the configuration is announced; give the other a new id (Jellyfin: device.txt)"
            );
        }
        self.call();
    }

    /// Looks who the sites are, and has exactly those announced. Of two sites with one id the
    /// first counts.
    pub(crate) fn call(&self) {
        let mut known = self.known();
        let sites = self.sites();
        let who = |site: &Site| {
            let (id, name) = site.who()?;
            Some(Known { site: site.clone(), id, name })
        };
        *known = first_of_each(sites.iter().filter_map(who), |known| known.id);
        self.0.announcer.speak_for(&known);
        self.0.dlna.speak_for(&known, &sites);
    }

    /// Which of these sites has this id.
    pub(crate) fn site_of(&self, id: ServerId, sites: &[Site]) -> Option<usize> {
        let known = self.known();
        let site = &known.iter().find(|known| known.id == id)?.site;
        sites.iter().position(|it| it.is(site))
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first of all with the same id, in order.
fn first_of_each<T>(all: impl Iterator<Item = T>, id: impl Fn(&T) -> ServerId) -> Vec<T> {
    let mut first: Vec<T> = Vec::new();
    for one in all {
        if first.iter().all(|earlier| id(earlier) != id(&one)) {
            first.push(one);
        }
    }
    first
}

/// Tells every identity that an upstream has, the one that is known already among them, each once
/// until another comes.
async fn each(mut status: StatusWatch, tell: impl Fn(&Identity)) {
    let mut told = None;
    // It may have answered before anybody followed it.
    let mut now = Some(status.current());
    while let Some(known) = now {
        if let Some(who) = known.identity.filter(|who| told.as_ref() != Some(who)) {
            tell(&who);
            told = Some(who);
        }
        now = status.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_with_one_id_the_first_is_spoken_for() {
        let id = |byte| ServerId::from_bytes([byte; 16]);
        let sites = [(0, 7), (1, 9), (2, 7), (3, 8), (4, 9)];
        let first = first_of_each(sites.into_iter(), |(_, byte)| id(*byte));
        assert_eq!(first, [(0, 7), (1, 9), (3, 8)]);
    }
}
