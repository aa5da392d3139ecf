//! Certificates of any kind for rustls servers, reloaded without a restart: PKCS#12, PEM, self-signed, ACME.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "tokio")]
mod accept;
#[cfg(all(feature = "acme", any(feature = "aws-lc-rs", feature = "ring")))]
mod acme;
mod chain;
#[cfg(feature = "tokio")]
mod check;
mod config;
mod der;
mod error;
mod export;
mod facts;
#[cfg(any(feature = "tokio", feature = "tower"))]
mod host;
#[cfg(feature = "tower")]
mod hsts;
mod identity;
mod inspect;
mod key;
mod limits;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod local;
mod material;
mod oid;
mod pem;
mod pkcs12;
mod private_file;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod provider;
#[cfg(feature = "tower")]
mod redirect;
#[cfg(feature = "tower")]
mod request;
mod source;
mod store;
mod time;
mod warning;
mod x509;

#[cfg(feature = "tokio")]
pub use accept::{AcceptError, TlsAcceptor, TlsStream};
#[cfg(all(feature = "acme", any(feature = "aws-lc-rs", feature = "ring")))]
pub use acme::{
    AcmeConfig, AcmeError, AcmeEvent, AcmeManager, Challenge, DnsError, DnsFuture, DnsHook,
    DnsProvider, ExternalAccount, Http01, Http01Future, Http01Layer, Http01Service, LETS_ENCRYPT,
    LETS_ENCRYPT_STAGING,
};
#[cfg(feature = "tokio")]
pub use check::{ServeCheckError, ServeReport, serve_check};
pub use config::{Profile, TlsConfigError, TlsOptions, server_config};
pub use error::{DecodeError, ErrorKind, Foreign, LoadError};
pub use export::{ConvertError, Output, convert};
pub use facts::TlsFacts;
#[cfg(feature = "tower")]
pub use hsts::{Hsts, HstsFuture, HstsLayer, HstsService};
pub use identity::{CertificateInfo, Identity};
pub use inspect::{ErrorReport, Inspection, KeyReport, LeafReport, Report, inspect};
pub use key::KeyKind;
pub use limits::Limits;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
pub use local::{Ensured, LocalAuthority, LocalCertificate, LocalError, Reason};
pub use material::Format;
pub use pkcs12::write::Encryption;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
pub use provider::default_provider;
#[cfg(feature = "tower")]
pub use redirect::{
    HttpsRedirectFuture, HttpsRedirectLayer, HttpsRedirectService, NotRedirectable,
    RedirectedToHttps,
};
#[cfg(feature = "tower")]
pub use request::RequestView;
pub use source::{Loader, Password, Source};
pub use store::{Event, IdentityStore, Status};
pub use time::Timestamp;
pub use warning::{EXPIRES_SOON, Warning, WarningKind};
