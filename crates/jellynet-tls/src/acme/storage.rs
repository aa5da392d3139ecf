//! What survives a restart.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};

use super::{AcmeError, AcmeKey};
use crate::private_file;

/// The folder of one authority; another directory has another account and other certificates.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    folder: PathBuf,
    /// What tells the files of one kind of key from those of another.
    suffix: &'static str,
}

/// When what was tried, and when it is to be tried next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Attempts that failed in a row.
    pub(super) failures: u32,
    /// Unix time of the last attempt.
    pub(super) attempted_at: i64,
    /// Unix time at which the authority suggests to renew.
    pub(super) renew_at: Option<i64>,
    /// Unix time from which on it may be asked for a suggestion again.
    pub(super) ask_at: i64,
    /// Why the last attempt failed.
    pub(super) last_error: Option<String>,
    /// What was asked for: failures of another question count for nothing.
    pub(super) asked: Option<String>,
}

impl Storage {
    /// Below `root`, by the directory's URL.
    pub(super) fn new(root: &Path, directory: &str, key: AcmeKey) -> Self {
        let url = directory.trim_start_matches("https://");
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' }
        };
        let name: String = url.chars().map(safe).collect();
        let suffix = match key {
            AcmeKey::EcdsaP256 => "",
            AcmeKey::Rsa2048 => "-rsa",
        };
        Self { folder: root.join(name.trim_start_matches('.')), suffix }
    }

    /// Key and certificates in one PEM file.
    pub(super) fn certificate(&self) -> PathBuf {
        self.folder.join(format!("certificate{}.pem", self.suffix))
    }

    pub(super) fn save_certificate(&self, pem: &[u8]) -> Result<(), AcmeError> {
        self.write(&self.certificate(), pem)
    }

    pub(super) fn account(&self) -> Result<Option<AccountCredentials>, AcmeError> {
        read(&self.folder.join("account.json"))
    }

    pub(super) fn save_account(&self, account: &AccountCredentials) -> Result<(), AcmeError> {
        self.write_json(&self.folder.join("account.json"), account)
    }

    /// A state that cannot be read is that of a first start.
    pub(super) fn state(&self) -> State {
        read(&self.state_file()).ok().flatten().unwrap_or_default()
    }

    pub(super) fn save_state(&self, state: &State) -> Result<(), AcmeError> {
        self.write_json(&self.state_file(), state)
    }

    fn state_file(&self) -> PathBuf {
        self.folder.join(format!("state{}.json", self.suffix))
    }

    fn write_json<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), AcmeError> {
        let bytes = serde_json::to_vec_pretty(value)
            .map_err(|error| AcmeError::Storage { path: path.to_owned(), source: error.into() })?;
        self.write(path, &bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), AcmeError> {
        fs::create_dir_all(&self.folder)
            .and_then(|()| private_file::write(path, bytes))
            .map_err(|source| AcmeError::Storage { path: path.to_owned(), source })
    }
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>, AcmeError> {
    let failed = |source| AcmeError::Storage { path: path.to_owned(), source };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
