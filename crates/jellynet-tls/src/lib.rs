//! *Which certificate do I show, is it still good, and how strong is the connection?*
//!
//! Certificates of any kind for rustls servers, replaced without a restart: PKCS#12, PEM, DER,
//! folders, self-signed, ACME.
//!
//! 1. **Any file.** What a file is shows its content, never its name: PKCS#12 of every maker, PEM
//!    however mangled, bare DER, a folder of certbot or Kubernetes.
//! 2. **The right chain.** The leaf is the certificate with the key's public key; its issuers
//!    follow in order; the root, duplicates and strangers are not sent.
//! 3. **One line says it.** What does not load is an error with path, cause and remedy. What loads
//!    and will be refused by clients is a [`Warning`].
//! 4. **Bounded.** [`Limits`] are checked before any password is hashed.
//! 5. **No restart.** An [`IdentityStore`] follows its files. A change counts when two reads agree;
//!    what does not load changes nothing.
//! 6. **No stale resumption.** Sessions and tickets end with the certificate under which they began.
//! 7. **Never "no certificate".** Every client gets the identity that fits it best.
//! 8. **No process-wide state.** The cryptography provider is an argument; nothing is installed.
//!
//! ```
//! use jellynet_tls::{IdentityStore, Loader, LocalCertificate, Timestamp, TlsAcceptor, TlsOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Timestamp::now();
//! let loader = Loader::new(jellynet_tls::default_provider());
//! let store = IdentityStore::new(loader.clone());
//!
//! // From a file: `store.add("main", Source::new("/etc/jellynet/server.pfx"), now)?`
//! let own = LocalCertificate::new(["nas.local", "192.168.1.5"]).make(None, &loader, now)?;
//! store.set("main", own, now);
//!
//! let acceptor = TlsAcceptor::new(&store, TlsOptions::default())?;
//! // For each connection: `let stream = acceptor.accept(tcp).await?;`
//! // Beside it: `tokio::spawn(store.watch(IdentityStore::WATCH_INTERVAL, |event| …));`
//! # let _ = acceptor;
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! Opening a file takes as long as the file asks for, up to seconds on a small board: call
//! [`Loader`] and [`IdentityStore::reload`] where blocking is allowed. [`IdentityStore::watch`]
//! does. What judges validity takes `now` as an argument; [`Timestamp::now`] is the only place that
//! reads a clock for it.
//!
//! # What this crate does not do
//!
//! * It does not verify that clients trust a certificate; it says what is known to be wrong with it.
//! * Client certificates, OCSP stapling, HTTP/3, encrypted hellos.
//! * It binds no socket and starts no task: the caller hands in connections and spawns futures.
//! * It does not decide what a request is allowed to; [`TlsFacts`] are for the extensions.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `aws-lc-rs` (default) | the provider, [`LocalCertificate`], keys up to RSA 8192 and P-521 |
//! | `ring` | the same with ring: RSA 2048 to 4096, no P-521; needs no C compiler worth the name |
//! | `tokio` (default) | [`TlsAcceptor`], [`IdentityStore::watch`], [`serve_check`] |
//! | `tower` (default) | [`HttpsRedirectLayer`], [`HstsLayer`] |
//! | `acme` | [`AcmeManager`] with aws-lc-rs; `acme-ring`: with ring |
//! | `serde` | [`Inspection`], [`Status`], [`ServeReport`] as JSON |
//!
//! Without features it reads, inspects and converts, with a provider that the caller brings.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "tokio")]
mod accept;
#[cfg(feature = "_acme")]
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
#[cfg(feature = "tokio")]
mod observe;
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
pub use accept::{AcceptError, HandshakeCounts, TlsAcceptor, TlsStream};
#[cfg(feature = "_acme")]
pub use acme::{
    AcmeConfig, AcmeError, AcmeEvent, AcmeKey, AcmeManager, AcmeStatus, AcmeStep, Challenge,
    DnsError, DnsFuture, DnsHook, DnsProvider, DnsUpdate, ExternalAccount, Http01, Http01Future,
    Http01Layer, Http01Service, LETS_ENCRYPT, LETS_ENCRYPT_STAGING, TsigAlgorithm, TsigKey,
    TsigKeyError, UpdateProblem,
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
#[cfg(feature = "tokio")]
pub use observe::{Shown, insecure_observing_client};
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

#[cfg(all(doctest, feature = "tokio", any(feature = "aws-lc-rs", feature = "ring")))]
#[doc = include_str!("../README.md")]
struct Readme;
