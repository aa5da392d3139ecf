//! rustls configurations of known strength around an [`IdentityStore`].

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use crate::store::{ACME_TLS_ALPN, IdentityStore, RollingSessions, RollingTickets};

/// How strong connections are: the profiles of Mozilla's server-side TLS guidelines.
///
/// | | versions | clients that are left out |
/// |---|---|---|
/// | intermediate | 1.2 and 1.3 | Internet Explorer before 11, Java 7, Android 4 |
/// | modern | 1.3 | Fire TV, Android 8, and many televisions |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// TLS 1.2 and 1.3.
    #[default]
    Intermediate,
    /// TLS 1.3 alone.
    Modern,
}

/// Settings of [`server_config`] and of the acceptor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsOptions {
    /// Default: intermediate.
    pub profile: Profile,
    /// Application protocols, the preferred one first. Default: `h2`, `http/1.1`.
    pub alpn: Vec<Vec<u8>>,
    /// For the whole handshake. Default: 10 s.
    pub handshake_timeout: Duration,
    /// For the first octet of a connection. Default: 5 s.
    pub first_byte_timeout: Duration,
    /// Handshakes at the same time; others wait, within their time-out. Default: 512.
    pub max_handshakes: usize,
    /// Handshakes at the same time of one client, which is an IPv4 address or an IPv6 network of 64
    /// bits; further ones are closed. Default: 64.
    pub max_handshakes_per_client: usize,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            handshake_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(5),
            max_handshakes: 512,
            max_handshakes_per_client: 64,
        }
    }
}

/// A configuration that cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// The provider lacks what the profile needs.
    #[error("the cryptography provider does not support the {profile:?} profile")]
    Provider {
        /// The profile.
        profile: Profile,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// A configuration that always serves what the store holds: for any rustls server.
///
/// Sessions are not resumed over a change of certificates. [`TlsAcceptor`](crate::TlsAcceptor) does
/// more, and closes the last gap: a handshake that was under way during the change.
///
/// # Errors
///
/// When the provider of the store's loader does not support the profile.
pub fn server_config(
    store: &IdentityStore,
    options: &TlsOptions,
) -> Result<Arc<ServerConfig>, TlsConfigError> {
    let mut config = base(store, options)?;
    config.session_storage = Arc::new(RollingSessions::new(store));
    config.ticketer = Arc::new(RollingTickets::new(store));
    Ok(Arc::new(config))
}

/// Everything but sessions.
pub(crate) fn base(
    store: &IdentityStore,
    options: &TlsOptions,
) -> Result<ServerConfig, TlsConfigError> {
    let versions: &[&rustls::SupportedProtocolVersion] = match options.profile {
        Profile::Intermediate => &[&rustls::version::TLS13, &rustls::version::TLS12],
        Profile::Modern => &[&rustls::version::TLS13],
    };
    let provider = Arc::clone(store.loader().provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|source| TlsConfigError::Provider { profile: options.profile, source })?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(store.clone()));
    config.ignore_client_order = true;
    config.alpn_protocols.clone_from(&options.alpn);
    // Last: who offers anything else is a client.
    config.alpn_protocols.push(ACME_TLS_ALPN.to_vec());
    Ok(config)
}

/// The configuration of one generation: its certificates, its sessions, its tickets.
#[cfg(feature = "tokio")]
pub(crate) fn pinned(base: &ServerConfig, store: &IdentityStore) -> (u64, Arc<ServerConfig>) {
    let table = store.table();
    let generation = table.generation();
    let mut config = base.clone();
    config.cert_resolver = Arc::new(crate::store::Pinned(table));
    config.session_storage =
        rustls::server::ServerSessionMemoryCache::new(crate::store::CACHED_SESSIONS);
    if let Some(ticketer) = crate::store::new_ticketer() {
        config.ticketer = ticketer;
    }
    (generation, Arc::new(config))
}
