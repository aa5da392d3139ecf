//! An authority of this host alone.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls_pki_types::CertificateDer;

use super::params::{self, PRIVATE_NETWORKS};
use super::{LocalError, generate, generate_key, identity};
use crate::error::LoadError;
use crate::export::Output;
use crate::identity::{Identity, LOCAL_AUTHORITY};
use crate::pem::base64::{armor, encode};
use crate::private_file;
use crate::source::{Loader, Source};
use crate::time::Timestamp;
use crate::x509::Certificate;

/// A root that is made once and stays, so that a phone has to be told of it once and no renewal
/// breaks what it was told.
///
/// # Security
///
/// The root is constrained (RFC 5280 § 4.2.1.10) to the domains that it was made for and to
/// addresses of private networks: whoever steals its key can pretend to be this home, and no bank.
pub struct LocalAuthority {
    root: Identity,
    key: KeyPair,
    domains: Vec<String>,
}

impl LocalAuthority {
    /// Opens the authority in `path`, or makes it, with its key readable by the owner alone.
    ///
    /// One that is made can issue for `domains` and what is below them, and always for
    /// `localhost`, `local`, `lan` and `home.arpa`; one that was there, for what it was made for:
    /// ask [`permits`](Self::permits).
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be used, or cannot be written.
    pub fn open(
        path: &Path,
        domains: &[String],
        loader: &Loader,
        now: Timestamp,
    ) -> Result<Self, LocalError> {
        let mut domains: Vec<String> =
            domains.iter().map(|domain| domain.trim_matches('.').to_ascii_lowercase()).collect();
        domains.extend(["localhost", "local", "lan", "home.arpa"].map(str::to_owned));
        domains.sort();
        domains.dedup();
        let root = match loader.load(&Source::new(path), now) {
            Ok(root) => root,
            Err(LoadError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                make(path, &domains, loader, now)?
            }
            Err(error) => return Err(LocalError::Existing(error)),
        };
        if !root.info().subject.starts_with(LOCAL_AUTHORITY) {
            let issuer = root.info().issuer.clone();
            return Err(LocalError::Foreign { path: path.to_owned(), issuer });
        }
        let pem = armor("PRIVATE KEY", root.pkcs8());
        let key = KeyPair::from_pem(&pem).map_err(generate)?;
        let read = root.chain().first().and_then(|der| Certificate::parse(der).ok());
        let domains = read.map(|read| read.extensions.permitted_domains).unwrap_or_default();
        Ok(Self { root, key, domains })
    }

    /// The root, for devices to install.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        // An identity has a leaf; that of an authority is its root.
        self.root.chain().first().unwrap_or(&EMPTY)
    }

    /// The root as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        armor("CERTIFICATE", self.certificate()).to_string()
    }

    /// The root as a configuration profile, which iPhones and Macs install with a tap.
    #[must_use]
    pub fn mobileconfig(&self) -> String {
        let digest = crate::identity::hex(&self.root.fingerprint());
        let part = |range| digest.get(range).unwrap_or_default();
        // Of the form of a UUID; the last digit tells the two payloads apart.
        let (one, two, three) = (part(0..8), part(8..12), part(12..16));
        let id = format!("{one}-{two}-{three}-{}-{}", part(16..20), part(20..31));
        let payload = encode(self.certificate());
        let name = self.subject().trim_start_matches("CN=");
        include_str!("profile.mobileconfig")
            .replace("{id}", &id)
            .replace("{name}", name)
            .replace("{digest}", &digest)
            .replace("{payload}", &payload)
    }

    /// SHA-256 of the root, by which whoever installs it can tell it from another.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.root.fingerprint()
    }

    /// When the root expires.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.root.info().not_after
    }

    /// Such as `CN=jellynet local authority 1a2b3c4d`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.root.info().subject
    }

    pub(super) fn sign(
        &self,
        names: &[String],
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<rcgen::Certificate, LocalError> {
        if let Some(name) = names.iter().find(|name| !self.permits(name)) {
            return Err(LocalError::Forbidden { name: name.clone() });
        }
        let issuer = Issuer::from_ca_cert_der(self.certificate(), &self.key).map_err(generate)?;
        params.signed_by(key, &issuer).map_err(generate)
    }

    /// Whether the constraints of the root permit a name or an address; a certificate with one that
    /// they do not is refused by clients as a whole, and not issued.
    #[must_use]
    pub fn permits(&self, name: &str) -> bool {
        match name.parse::<IpAddr>() {
            Ok(address) => PRIVATE_NETWORKS.iter().any(|(network, prefix)| {
                network.parse().is_ok_and(|network| contains(network, *prefix, address))
            }),
            Err(_) => self.domains.iter().any(|domain| {
                name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
            }),
        }
    }
}

impl std::fmt::Debug for LocalAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalAuthority")
            .field("subject", &self.subject())
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}

static EMPTY: CertificateDer<'static> = CertificateDer::from_slice(&[]);

fn make(
    path: &Path,
    domains: &[String],
    loader: &Loader,
    now: Timestamp,
) -> Result<Identity, LocalError> {
    let key = generate_key()?;
    let digest = crate::identity::hex(&crate::pkcs12::sha256(key.public_key_raw()));
    let (id, _) = digest.split_at_checked(8).unwrap_or((&digest, ""));
    let certificate = params::authority(id, domains, now)?.self_signed(&key).map_err(generate)?;
    let root = identity(&key, certificate.into(), loader, now)?;
    let pem = root.export(Output::Pem, loader.provider()).map_err(generate)?;
    private_file::write(path, &pem)
        .map_err(|source| LocalError::Write { path: path.to_owned(), source })?;
    Ok(root)
}

fn contains(network: IpAddr, prefix: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(prefix);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(prefix);
            network.to_bits().checked_shr(shift) == address.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}
