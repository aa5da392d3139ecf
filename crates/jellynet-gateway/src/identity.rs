//! Who the sites are, for whoever speaks for them.

use std::sync::{Arc, Mutex, PoisonError};

use jellynet_discovery::ServerId;
use jellynet_upstream::{Identity, Upstream};

use crate::site::Site;

/// A site whose identity is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its index among the sites.
    pub(crate) site: usize,
    pub(crate) id: ServerId,
    /// The name that clients show.
    pub(crate) name: String,
}

/// The sites that are spoken for; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roll(Arc<Mutex<Vec<Known>>>);

impl Roll {
    /// Enters a site, in place of what it was known as, and tells who is on the roll now. Of two
    /// sites with one id the first in the configuration counts.
    fn enter(&self, new: Known, tell: impl FnOnce(&[Known])) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.site != new.site);
        let at = all.partition_point(|known| known.site < new.site);
        all.insert(at, new);
        let mut spoken: Vec<Known> = Vec::with_capacity(all.len());
        for known in all.iter() {
            if spoken.iter().all(|earlier| earlier.id != known.id) {
                spoken.push(known.clone());
            }
        }
        tell(&spoken);
    }

    /// The site with that id.
    pub(crate) fn site_of(&self, id: ServerId) -> Option<usize> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|known| known.id == id).map(|known| known.site)
    }

    /// Another site with that id.
    fn twin(&self, new: &Known) -> Option<usize> {
        self.site_of(new.id).filter(|site| *site != new.site)
    }
}

/// Enters every site that tells who it is, whenever it tells something new, and tells everybody
/// who is known then. A restart of an upstream changes nothing: the id stays.
pub(crate) fn follow(
    sites: &Arc<[Site]>,
    roll: &Roll,
    tell: impl Fn(&[Known]) + Send + Sync + 'static,
) {
    let tell = Arc::new(tell);
    for (index, site) in sites.iter().enumerate() {
        let Some(upstream) = &site.upstream else { continue };
        let (sites, roll, tell) = (Arc::clone(sites), roll.clone(), Arc::clone(&tell));
        each(upstream, move |who| {
            let upstream = sites.get(index).map(Site::name).unwrap_or_default();
            let (name, version, id) = (&who.server_name, &who.version, &who.id);
            tracing::info!(upstream, name, version, id, "know the upstream");
            let id = match who.id.parse::<ServerId>() {
                Ok(id) => id,
                Err(error) => {
                    tracing::warn!(upstream, id, %error, "announce no upstream without a proper id");
                    return;
                }
            };
            let new = Known { site: index, id, name: who.server_name.clone() };
            if let Some(other) = roll.twin(&new).and_then(|twin| sites.get(twin)) {
                tracing::warn!(
                    upstream,
                    other = other.name(),
                    %id,
                    "two upstreams have one id, and clients take one for the other: the first in \
                     the configuration is announced; give the other a new id (Jellyfin: device.txt)"
                );
            }
            roll.enter(new, |known| tell(known));
        });
    }
}

/// Tells every identity that an upstream has, the one that is known already among them, each once
/// until another comes.
fn each(upstream: &Upstream, mut tell: impl FnMut(&Identity) + Send + 'static) {
    let mut status = upstream.status();
    tokio::spawn(async move {
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
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_with_one_id_the_first_is_spoken_for() {
        let roll = Roll::default();
        let id = |byte| ServerId::from_bytes([byte; 16]);
        let known = |site, byte| Known { site, id: id(byte), name: String::new() };
        let enter = |new: Known| {
            let mut spoken = Vec::new();
            roll.enter(new, |all| spoken = all.iter().map(|one| (one.site, one.id)).collect());
            spoken
        };
        assert_eq!(enter(known(2, 7)), [(2, id(7))]);
        assert_eq!(roll.twin(&known(1, 7)), Some(2));
        assert_eq!(enter(known(1, 7)), [(1, id(7))]);
        assert_eq!(enter(known(0, 9)), [(0, id(9)), (1, id(7))]);
        assert_eq!(enter(known(1, 8)), [(0, id(9)), (1, id(8)), (2, id(7))]);
        assert_eq!(roll.site_of(id(8)), Some(1));
    }
}
