//! The HTTP client towards the authority, with the provider of this server.

use std::sync::Arc;

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use instant_acme::{Account, AccountBuilder, BodyWrapper};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};

use super::{AcmeConfig, AcmeError};
use crate::limits::Limits;
use crate::material::Material;

/// A client that trusts the configured root, or those of the system.
pub(super) fn builder(
    config: &AcmeConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<AccountBuilder, AcmeError> {
    let builder = HttpsConnectorBuilder::new();
    let builder = match roots(config)? {
        Some(roots) => {
            let config = ClientConfig::builder_with_provider(Arc::clone(provider))
                .with_safe_default_protocol_versions()
                .map_err(|error| unusable(&error))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            builder.with_tls_config(config)
        }
        None => builder
            .with_provider_and_platform_verifier(Arc::clone(provider))
            .map_err(|error| unusable(&error))?,
    };
    let connector = builder.https_only().enable_http1().enable_http2().build();
    let client: Client<_, BodyWrapper<_>> = Client::builder(TokioExecutor::new()).build(connector);
    Ok(Account::builder_with_http(Box::new(client)))
}

fn roots(config: &AcmeConfig) -> Result<Option<RootCertStore>, AcmeError> {
    let Some(path) = &config.directory_root else {
        return Ok(None);
    };
    let bytes =
        std::fs::read(path).map_err(|source| AcmeError::Storage { path: path.clone(), source })?;
    let mut material = Material::default();
    material.add(&bytes, None, Limits::DEFAULT).map_err(|error| unusable(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in material.certificates {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    Ok(Some(roots))
}

fn unusable(error: &(dyn std::error::Error + 'static)) -> AcmeError {
    let reason = format!("no trusted roots: {}", crate::error::chain(error));
    AcmeError::Authority { reason, transient: false }
}
