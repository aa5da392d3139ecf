//! Whom to believe that it is the upstream, where it is reached by TLS.

mod verify;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};

use self::verify::{Blind, Pinned};

/// How an upstream at `https://` is spoken to, and which certificates are believed.
///
/// | made by | believes |
/// | --- | --- |
/// | [`new`](Self::new) | what the caller's configuration does |
/// | [`system_roots`](Self::system_roots) | the authorities of this host |
/// | [`ca_file`](Self::ca_file) | the authorities in a PEM file, and exactly the server certificates in it |
/// | [`with_insecure_any_certificate`](Self::with_insecure_any_certificate) | anybody |
#[derive(Clone)]
pub struct UpstreamTls {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

/// Why an upstream's TLS cannot be configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamTlsError {
    /// This host trusts nobody.
    #[error(
        "this host has no trusted authorities: install ca-certificates, or name the upstream's \
         own CA"
    )]
    NoSystemRoots {
        /// What went wrong on reading them, if anything did.
        #[source]
        source: Option<rustls_native_certs::Error>,
    },
    /// The file cannot be read.
    #[error("cannot read certificates in PEM from {}", .path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// The file holds none.
    #[error("there is no certificate in {}: write it in PEM", .path.display())]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// A certificate cannot be used to check others.
    #[error("the certificates in {} are of no use as authorities", .path.display())]
    Authority {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The provider lacks something.
    #[error("the cryptography provider cannot speak TLS 1.2 and 1.3")]
    Provider(#[source] rustls::Error),
    /// No host name and no address.
    #[error("`{name}` is no host name: write it as it stands in the certificate")]
    ServerName {
        /// What was written.
        name: String,
        /// What is wrong.
        #[source]
        source: InvalidDnsNameError,
    },
}

impl UpstreamTls {
    /// Speaks as the caller configures, always HTTP/1.1 (its ALPN is replaced).
    #[must_use]
    pub fn new(config: Arc<ClientConfig>) -> Self {
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self { config: Arc::new(config), name: None }
    }

    /// Believes the authorities that this host does.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn system_roots(provider: Arc<CryptoProvider>) -> Result<Self, UpstreamTlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let source = found.errors.into_iter().next();
            return Err(UpstreamTlsError::NoSystemRoots { source });
        }
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(UpstreamTlsError::Provider)?;
        Ok(Self::new(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }

    /// Believes the authorities in a PEM file and no others; a server certificate in it is
    /// believed as it is, whatever its names and dates: that is how a self-signed one is named.
    ///
    /// # Errors
    ///
    /// When the file holds nothing that can be used.
    pub fn ca_file(provider: Arc<CryptoProvider>, path: &Path) -> Result<Self, UpstreamTlsError> {
        let unreadable = |source| UpstreamTlsError::CaFile { path: path.to_owned(), source };
        let certificates: Vec<_> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(unreadable)?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            let unusable = |source| UpstreamTlsError::Authority { path: path.to_owned(), source };
            roots.add(certificate.clone()).map_err(unusable)?;
        }
        if roots.is_empty() {
            return Err(UpstreamTlsError::NoCertificate { path: path.to_owned() });
        }
        let web = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let web = web.build().map_err(|error| UpstreamTlsError::Authority {
            path: path.to_owned(),
            source: rustls::Error::General(error.to_string()),
        })?;
        Self::with_verifier(provider, Pinned::new(web, certificates))
    }

    /// Believes anybody: whoever can answer at the upstream's address reads and changes everything,
    /// passwords among it.
    ///
    /// # Errors
    ///
    /// When the provider cannot speak TLS.
    ///
    /// # Security
    ///
    /// For a test, or a link that nobody else can reach.
    pub fn with_insecure_any_certificate(
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, UpstreamTlsError> {
        Self::with_verifier(Arc::clone(&provider), Blind::new(provider))
    }

    fn with_verifier(
        provider: Arc<CryptoProvider>,
        verifier: impl rustls::client::danger::ServerCertVerifier + 'static,
    ) -> Result<Self, UpstreamTlsError> {
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(UpstreamTlsError::Provider)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(Self::new(Arc::new(builder.with_no_client_auth())))
    }

    /// Expects (and asks by SNI for) another name than that of the URL.
    ///
    /// # Errors
    ///
    /// When it is no host name and no address.
    pub fn with_server_name(self, name: &str) -> Result<Self, UpstreamTlsError> {
        Ok(Self { name: Some(server_name(name)?), ..self })
    }

    pub(crate) fn connector(&self) -> tokio_rustls::TlsConnector {
        Arc::clone(&self.config).into()
    }

    pub(crate) const fn name(&self) -> Option<&ServerName<'static>> {
        self.name.as_ref()
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, UpstreamTlsError> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned())
        .map_err(|source| UpstreamTlsError::ServerName { name: name.to_owned(), source })
}

impl PartialEq for UpstreamTls {
    /// Whether it is the same configuration, not an equal one.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.name == other.name
    }
}

impl Eq for UpstreamTls {}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What is wrong with a certificate, for an administrator.
pub(crate) const fn fault(error: &rustls::Error) -> Option<&'static str> {
    use CertificateError as Fault;
    let rustls::Error::InvalidCertificate(fault) = error else {
        return None;
    };
    Some(match fault {
        Fault::Expired | Fault::ExpiredContext { .. } => {
            "has expired, or this host's clock is wrong: renew it where the upstream runs"
        }
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => {
            "is not valid yet, or this host's clock is wrong: compare the clocks of both"
        }
        Fault::InvalidPurpose | Fault::InvalidPurposeContext { .. } => {
            "is not for servers: have one issued for server authentication"
        }
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            "is for another name: connect by that, or say which server name is expected"
        }
        Fault::UnknownIssuer => "was issued by nobody who is trusted here: name its CA",
        Fault::Revoked => "was revoked: have another issued",
        _ => {
            "cannot be accepted: have another issued, or name this very certificate to be believed"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_host_or_an_address() {
        for name in ["media.lan", "10.0.0.5", "fd00::5", "[fd00::5]"] {
            assert!(server_name(name).is_ok(), "{name}");
        }
        let error = server_name("media lan").unwrap_err().to_string();
        assert!(error.starts_with("`media lan` is no host name: "), "{error}");
    }

    #[test]
    fn an_administrator_reads_what_is_wrong() {
        let bad = |fault| rustls::Error::InvalidCertificate(fault);
        assert!(fault(&bad(CertificateError::Expired)).unwrap().contains(": renew it"));
        assert!(fault(&bad(CertificateError::UnknownIssuer)).unwrap().contains("name its CA"));
        let other = fault(&bad(CertificateError::BadSignature)).unwrap();
        assert!(other.starts_with("cannot be accepted: "), "{other}");
        assert_eq!(fault(&rustls::Error::DecryptError), None);
    }
}
