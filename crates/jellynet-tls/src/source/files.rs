//! Reads the files of a source, and tells cheaply whether they may have changed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

use super::Source;
use crate::error::{DecodeError, LoadError};
use crate::limits::{Limits, limit_exceeded};
use crate::pkcs12::sha256;

/// No folder of one certificate has more files.
const MAX_FILES: usize = 64;

/// Everything that a source consists of, as it was at one moment.
pub(crate) struct Files {
    pub(super) main: PathBuf,
    pub(super) list: Vec<(PathBuf, Zeroizing<Vec<u8>>)>,
    pub(super) is_folder: bool,
    pub(super) password: Option<Zeroizing<String>>,
}

impl Files {
    pub(crate) fn read(source: &Source, limits: Limits) -> Result<Self, LoadError> {
        let main = source.path.clone();
        let metadata = fs::metadata(&main).map_err(|error| LoadError::read(&main, error))?;
        let is_folder = metadata.is_dir();
        let mut paths = if is_folder { folder(&main)? } else { vec![main.clone()] };
        paths.extend([&source.key, &source.chain].into_iter().flatten().cloned());
        let mut list = Vec::with_capacity(paths.len());
        for path in paths {
            match read(&path, limits.file_bytes) {
                Ok(bytes) => list.push((path, bytes)),
                // Something large or unreadable that lies in the folder and may not matter.
                Err(_) if is_folder && path.starts_with(&main) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { main, list, is_folder, password: source.password.read()? })
    }

    /// What is wrong with what they hold.
    pub(crate) fn content(&self, source: DecodeError) -> LoadError {
        LoadError::Content { path: self.main.clone(), source }
    }

    /// SHA-256 over all names and contents.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digests = Vec::new();
        for (path, bytes) in &self.list {
            digests.extend_from_slice(&sha256(path.as_os_str().as_encoded_bytes()));
            digests.extend_from_slice(&sha256(bytes));
        }
        let password = self.password.as_ref().map(|text| text.as_bytes());
        digests.extend_from_slice(&sha256(password.unwrap_or_default()));
        sha256(&digests)
    }
}

/// The files of a folder by name. Names with a dot in front are the swapped targets of Kubernetes
/// and editors' leftovers.
fn folder(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let failed = |error| LoadError::read(path, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
            files.push(entry.path());
        }
    }
    files.sort();
    files.truncate(MAX_FILES);
    if files.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the folder holds no files")));
    }
    Ok(files)
}

/// The content of a regular file of bounded size.
pub(super) fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, LoadError> {
    let failed = |error| LoadError::read(path, error);
    // A pipe would block when it is opened.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > limit {
        let size = fs::metadata(path)
            .map_or(bytes.len(), |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX));
        let source = limit_exceeded("bytes", size, limit);
        return Err(LoadError::Content { path: path.to_owned(), source });
    }
    Ok(bytes)
}

/// What the file system says of each file: equal stamps mean that nothing needs to be read.
#[derive(PartialEq, Eq, Clone, Debug)]
pub(crate) struct Stamp(Vec<(PathBuf, Option<FileStamp>)>);

#[derive(PartialEq, Eq, Clone, Debug)]
struct FileStamp {
    /// Follows the links of certbot and Kubernetes.
    real: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    inode: (u64, u64, i64, i64),
}

impl Stamp {
    pub(crate) fn take(source: &Source) -> Self {
        let mut stamps = Vec::new();
        for path in source.paths() {
            if path.is_dir() {
                let inside = folder(path).unwrap_or_default();
                stamps
                    .extend(inside.into_iter().map(|file| (file.clone(), FileStamp::take(&file))));
            }
            stamps.push((path.to_owned(), FileStamp::take(path)));
        }
        Self(stamps)
    }
}

impl FileStamp {
    fn take(path: &Path) -> Option<Self> {
        let real = fs::canonicalize(path).ok()?;
        let metadata = fs::metadata(&real).ok()?;
        Some(Self {
            real,
            length: metadata.len(),
            modified: metadata.modified().ok(),
            inode: inode(&metadata),
        })
    }
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> (u64, u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;

    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn inode(_metadata: &fs::Metadata) -> (u64, u64, i64, i64) {
    (0, 0, 0, 0)
}
