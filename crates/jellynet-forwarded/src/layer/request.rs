//! What the layer does to one request.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::HeaderMap;
use http::request::Parts;
use http::uri::{self, Authority, Uri};
use http::{HeaderName, Method};
use jellynet_netif::{ClientAddr, PeerAddr};

use super::{EffectiveOrigin, Settings, Strip};
use crate::audit::Audit;
use crate::headers::Name;
use crate::host::Host;
use crate::resolve::{Connection, PreambleClient};
use crate::scheme::Scheme;

impl Settings {
    pub(super) fn apply(&self, parts: &mut Parts) {
        let peer = (self.peer)(&parts.extensions);
        let scheme = parts.extensions.get().copied().unwrap_or(self.scheme);
        let preamble = parts.extensions.get::<PreambleClient>().copied();
        let authority = parts.uri.authority().map(Authority::as_str);
        let connection = Connection::from_peer(peer)
            .with_scheme(scheme)
            .with_authority(authority)
            .with_preamble(preamble);

        let (client, origin) = self.rules.with(|rules| {
            let resolved = rules.resolve(&connection, &parts.headers);
            let origin = EffectiveOrigin {
                scheme: resolved.scheme,
                authority: resolved.host.and_then(|host| authority_of(host, &parts.uri)),
                prefix: resolved.prefix.map(Arc::from),
                hops: resolved.hops,
                audit: resolved.audit,
            };
            (resolved.client, origin)
        });
        self.note(peer, origin.audit);
        if self.strips(client) {
            strip(&mut parts.headers);
        }
        if parts.method != Method::CONNECT {
            put(&mut parts.uri, origin.scheme, origin.authority.as_ref());
        }
        match client {
            Some(client) => parts.extensions.insert(client),
            None => parts.extensions.remove::<ClientAddr>(),
        };
        parts.extensions.insert(origin);
        // Found in a framework's own type: whoever comes behind looks for ours.
        if let Some(peer) = peer
            && parts.extensions.get() != Some(&peer)
        {
            parts.extensions.insert(peer);
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the shell around the resolver; events are spaced out in time"
    )]
    fn note(&self, peer: Option<PeerAddr>, audit: Audit) {
        if !audit.is_empty() {
            self.audit.record(peer, audit, Instant::now());
        }
    }

    fn strips(&self, client: Option<ClientAddr>) -> bool {
        match self.strip {
            Strip::Never => false,
            Strip::Untrusted => client.is_none_or(ClientAddr::is_direct),
            Strip::Always => true,
        }
    }
}

/// The authority for this host: the request's own where it is the same, which costs nothing.
fn authority_of(host: Host<'_>, uri: &Uri) -> Option<Authority> {
    if let Some(own) = uri.authority()
        && Host::parse(own.as_str().as_bytes()) == Some(host)
    {
        return Some(own.clone());
    }
    let mut text = String::with_capacity(host.name().len() + ":65535".len());
    write!(text, "{host}").ok()?;
    Authority::from_maybe_shared(Bytes::from(text)).ok()
}

/// Puts scheme and authority into the target, unless they are there already or the target has no
/// place for them. Without a valid authority, one that is not valid does not stay.
fn put(uri: &mut Uri, scheme: Scheme, authority: Option<&Authority>) {
    let scheme = authority.map(|_| match scheme {
        Scheme::Http => uri::Scheme::HTTP,
        Scheme::Https => uri::Scheme::HTTPS,
    });
    let is_there = uri.scheme() == scheme.as_ref() && uri.authority() == authority;
    if is_there || !uri.path().starts_with('/') {
        return;
    }
    let mut parts = std::mem::take(uri).into_parts();
    parts.scheme = scheme;
    parts.authority = authority.cloned();
    // A path that starts with `/` makes a target with scheme and authority, and without both.
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

fn strip(headers: &mut HeaderMap) {
    let is_forwarding = |name: &HeaderName| Name::of(name.as_str().as_bytes()).is_forwarding();
    while let Some(name) = headers.keys().find(|name| is_forwarding(name)).cloned() {
        headers.remove(name);
    }
}
