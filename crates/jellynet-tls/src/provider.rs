//! The cryptography provider of this build.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The provider that the features of this crate brought in: aws-lc-rs, or ring if only that is
/// there.
///
/// Nothing here installs a process-wide default; pass this, or your own, where one is asked for.
#[must_use]
pub fn default_provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}
