//! Where a certificate comes from: files of any kind, recognised by their content.

mod files;
mod password;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;

use crate::error::{DecodeError, LoadError};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::material::Material;
use crate::time::Timestamp;

pub(crate) use files::{Files, Stamp};
pub use password::Password;

/// The file or files of one certificate.
///
/// A path may name a PKCS#12 file, PEM with or without the key, bare DER, or a folder with such
/// files, such as certbot's `live/<name>/` or a Kubernetes secret. The suffix does not matter.
///
/// # Examples
///
/// ```
/// use jellynet_tls::{Password, Source};
///
/// let pfx = Source::new("/etc/jellynet/server.pfx").with_password(Password::text("secret"));
/// let pem = Source::new("/etc/ssl/fullchain.pem").with_key("/etc/ssl/private/key.pem");
/// let folder = Source::new("/etc/letsencrypt/live/example.org");
/// # let _ = (pfx, pem, folder);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    key: Option<PathBuf>,
    chain: Option<PathBuf>,
    password: Password,
}

impl Source {
    /// One file, or a folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), key: None, chain: None, password: Password::none() }
    }

    /// The private key is in another file.
    #[must_use]
    pub fn with_key(mut self, path: impl Into<PathBuf>) -> Self {
        self.key = Some(path.into());
        self
    }

    /// The intermediate certificates are in another file.
    #[must_use]
    pub fn with_chain(mut self, path: impl Into<PathBuf>) -> Self {
        self.chain = Some(path.into());
        self
    }

    /// The file, or its key, is protected.
    #[must_use]
    pub fn with_password(mut self, password: Password) -> Self {
        self.password = password;
        self
    }

    /// The main path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.path), self.key.as_ref(), self.chain.as_ref(), self.password.path()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }
}

/// Turns files and bytes into identities, with the provider that is going to sign.
///
/// Decryption takes as long as the file asks for (up to seconds): call it from a thread that may
/// block.
#[derive(Clone, Debug)]
pub struct Loader {
    provider: Arc<CryptoProvider>,
    limits: Limits,
}

impl Loader {
    /// A loader for keys that `provider` can use.
    #[must_use]
    pub const fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, limits: Limits::DEFAULT }
    }

    /// Sets other limits than the defaults.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whose keys they are.
    #[must_use]
    pub const fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// Reads files and makes an identity of them.
    ///
    /// # Errors
    ///
    /// The file that failed, and why.
    pub fn load(&self, source: &Source, now: Timestamp) -> Result<Identity, LoadError> {
        self.load_files(&Files::read(source, self.limits)?, now)
    }

    /// Makes an identity of one file's content.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn decode(
        &self,
        bytes: &[u8],
        password: Option<&str>,
        now: Timestamp,
    ) -> Result<Identity, DecodeError> {
        let mut material = Material::default();
        material.add(bytes, password, self.limits)?;
        Identity::assemble(&material, &self.provider, now)
    }

    /// The second half of [`Loader::load`].
    pub(crate) fn load_files(&self, files: &Files, now: Timestamp) -> Result<Identity, LoadError> {
        let (material, skipped) = self.material(files)?;
        Identity::assemble(&material, &self.provider, now)
            .map_err(|error| skipped.unwrap_or_else(|| files.content(error)))
    }

    /// What the files hold; the second value is the first failure among files of a folder that may
    /// not matter.
    pub(crate) fn material(
        &self,
        files: &Files,
    ) -> Result<(Material, Option<LoadError>), LoadError> {
        let content = |path: &Path, source| LoadError::Content { path: path.to_owned(), source };
        let mut material = Material::default();
        let mut skipped = None;
        for (path, bytes) in &files.list {
            match material.add(
                bytes,
                files.password.as_ref().map(|text| text.as_str()),
                self.limits,
            ) {
                Ok(()) => {}
                // In a folder, a README is no failure, unless nothing else is found.
                Err(error) if files.is_folder => {
                    if !matches!(error, DecodeError::NotPkcs12(_)) {
                        skipped.get_or_insert_with(|| content(path, error));
                    }
                }
                Err(error) => return Err(content(path, error)),
            }
        }
        Ok((material, skipped))
    }
}
