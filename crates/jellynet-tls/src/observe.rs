//! A client that looks at what is served instead of believing or refusing it.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// What a server shows of itself in a handshake.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Shown<'a> {
    /// Its certificate.
    pub leaf: &'a CertificateDer<'a>,
    /// The chain behind it, as it was sent.
    pub intermediates: &'a [CertificateDer<'a>],
    /// Who was asked for.
    pub name: &'a ServerName<'a>,
    /// What the authority says of the certificate, where the server brings that along.
    pub ocsp: &'a [u8],
    /// The time of the handshake.
    pub now: UnixTime,
}

/// The settings of a client that takes any certificate once `look` has seen it, for checks that
/// tell an operator what is served. That the server has the certificate's key is verified.
///
/// # Errors
///
/// When the provider has no safe version of TLS.
///
/// # Security
///
/// Whoever answers is believed: send nothing secret, and take nothing that is answered for more
/// than what somebody said.
pub fn insecure_observing_client<F>(
    provider: Arc<CryptoProvider>,
    look: F,
) -> Result<ClientConfig, rustls::Error>
where
    F: Fn(Shown<'_>) + Send + Sync + 'static,
{
    let observer = Observer { provider: Arc::clone(&provider), look };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(observer));
    Ok(config.with_no_client_auth())
}

struct Observer<F> {
    provider: Arc<CryptoProvider>,
    look: F,
}

impl<F> fmt::Debug for Observer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}

impl<F> ServerCertVerifier for Observer<F>
where
    F: Fn(Shown<'_>) + Send + Sync,
{
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        (self.look)(Shown { leaf, intermediates, name, ocsp, now });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
