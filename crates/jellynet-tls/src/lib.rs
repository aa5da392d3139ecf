//! Certificates of any kind for rustls servers, reloaded without a restart: PKCS#12, PEM, self-signed, ACME.
