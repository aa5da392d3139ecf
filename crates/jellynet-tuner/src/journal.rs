//! Which locks this program holds, on disk: what a crash leaves locked, the next start releases.
//!
//! A lock is written down before it is taken and struck out after it is released, so that the
//! file never misses one. It holds the keys, so that releasing needs no `force`, which would
//! throw out whoever has the tuner by then.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::device_id::DeviceId;

const HEADER: &str = "jellynet-tuner locks 1";

/// One lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldLock {
    /// The device.
    pub device: DeviceId,
    /// Where it was.
    pub address: SocketAddr,
    /// Which of its tuners.
    pub tuner: u8,
    /// The key.
    pub key: u32,
}

/// Why the journal is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file cannot be read.
    #[error("cannot read the tuner journal {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the tuner journal {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The locks held now, kept in a file where a path was given.
#[derive(Debug)]
pub struct Journal {
    path: Option<PathBuf>,
    locks: Mutex<Vec<HeldLock>>,
}

impl Journal {
    /// Forgets everything when the program ends.
    #[must_use]
    pub const fn in_memory() -> Self {
        Self { path: None, locks: Mutex::new(Vec::new()) }
    }

    /// Reads the file, or begins it. Lines that make no sense are passed over: at worst a lock
    /// stays until the device lets it expire.
    ///
    /// # Errors
    ///
    /// [`JournalError::Read`] when there is a file that cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let path = path.into();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(JournalError::Read { path, source }),
        };
        let locks = text.lines().skip(1).filter_map(parse).collect();
        Ok(Self { path: Some(path), locks: Mutex::new(locks) })
    }

    /// The locks in it.
    #[must_use]
    pub fn held(&self) -> Vec<HeldLock> {
        self.locks().clone()
    }

    /// Writes a lock down, before it is taken.
    ///
    /// # Errors
    ///
    /// [`JournalError::Write`]; the lock should then not be taken.
    pub fn record(&self, lock: HeldLock) -> Result<(), JournalError> {
        let mut locks = self.locks();
        locks.push(lock);
        self.write(&locks)
    }

    /// Strikes a lock out, after it was released.
    ///
    /// # Errors
    ///
    /// [`JournalError::Write`]; the next start then tries to release it again, which does no harm.
    pub fn strike(&self, lock: &HeldLock) -> Result<(), JournalError> {
        let mut locks = self.locks();
        locks.retain(|held| held != lock);
        self.write(&locks)
    }

    fn locks(&self) -> MutexGuard<'_, Vec<HeldLock>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, locks: &[HeldLock]) -> Result<(), JournalError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        replace(path, &render(locks))
            .map_err(|source| JournalError::Write { path: path.clone(), source })
    }
}

fn render(locks: &[HeldLock]) -> String {
    let lines = locks.iter().map(|lock| {
        let HeldLock { device, address, tuner, key } = lock;
        format!("{device} {address} {tuner} {key}\n")
    });
    std::iter::once(format!("{HEADER}\n")).chain(lines).collect()
}

fn parse(line: &str) -> Option<HeldLock> {
    let mut fields = line.split_ascii_whitespace();
    let lock = HeldLock {
        device: DeviceId::from_wire(u32::from_str_radix(fields.next()?, 16).ok()?),
        address: fields.next()?.parse().ok()?,
        tuner: fields.next()?.parse().ok()?,
        key: fields.next()?.parse().ok()?,
    };
    fields.next().is_none().then_some(lock)
}

/// Puts the new text in place at once: a crash leaves the old file or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Whoever knows a key can take the tuner away.
        options.mode(0o600);
    }
    let mut file = options.open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(tuner: u8) -> HeldLock {
        HeldLock {
            device: DeviceId::mint(0x10A5_B1C0),
            address: "[fe80::2%3]:65001".parse().unwrap(),
            tuner,
            key: 4_000_000_000,
        }
    }

    #[test]
    fn what_was_written_is_read_and_rubbish_is_passed_over() {
        let text = render(&[lock(0), lock(1)]);
        let read: Vec<_> = text.lines().skip(1).filter_map(parse).collect();
        assert_eq!(read, [lock(0), lock(1)]);
        for line in ["", "x", "10A5B1C0 nowhere 0 1", "10A5B1C0 10.0.0.1:65001 0 1 extra"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_journal_outlives_its_program() {
        let directory = std::env::temp_dir().join(format!("jellynet-tuner-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("locks");
        let journal = Journal::open(&path).unwrap();
        journal.record(lock(0)).unwrap();
        journal.record(lock(1)).unwrap();
        journal.strike(&lock(0)).unwrap();
        drop(journal);
        assert_eq!(Journal::open(&path).unwrap().held(), [lock(1)]);
        fs::remove_dir_all(&directory).unwrap();
        assert!(matches!(Journal::in_memory().record(lock(0)), Ok(())));
    }
}
