//! Who an upstream is, for whoever speaks for it.

use jellynet_upstream::{Identity, Upstream};

/// Tells every identity that an upstream has, the one that is known already among them, each once
/// until another comes.
pub(crate) fn follow(upstream: &Upstream, mut tell: impl FnMut(&Identity) + Send + 'static) {
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
