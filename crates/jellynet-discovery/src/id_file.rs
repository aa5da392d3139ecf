//! Keeps a server id in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::id::{ParseServerIdError, ServerId};

/// An id file is a line; this is more than enough to see that something is none.
const LONGEST: u64 = 4096;

impl ServerId {
    /// Reads the id from the file at `path`, or makes one at random and writes it there.
    ///
    /// The file appears at once and whole: it is written beside its place, brought to the disk and
    /// then named. Folders on the way are made. Of two programs that start at the same time, the
    /// second takes the id of the first. The file is readable by everyone (0644, less what the
    /// umask takes away): the id is no secret, every client on the network is told it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written, or has something else in it; it is never
    /// overwritten, because a server that changes its id loses its clients.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use jellynet_discovery::ServerId;
    ///
    /// let id = ServerId::load_or_create("/var/lib/my-server/id".as_ref())?;
    /// # Ok::<(), jellynet_discovery::LoadServerIdError>(())
    /// ```
    pub fn load_or_create(path: &Path) -> Result<Self, LoadServerIdError> {
        if let Some(id) = load(path)? {
            return Ok(id);
        }
        let id = random().map_err(|source| LoadServerIdError::Random { source })?;
        let written = create(path, id)
            .map_err(|source| LoadServerIdError::Write { path: path.to_owned(), source })?;
        if written {
            return Ok(id);
        }
        load(path)?.ok_or_else(|| LoadServerIdError::Read {
            path: path.to_owned(),
            source: io::ErrorKind::NotFound.into(),
        })
    }
}

/// Why a server has no id.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadServerIdError {
    /// The file is there and cannot be read.
    #[error("cannot read the server id: {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has something else in it.
    #[error("not a server id file: {}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ParseServerIdError,
    },
    /// The file cannot be written.
    #[error("cannot write the server id: {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no random numbers.
    #[error("cannot make a server id")]
    Random {
        /// What the system said.
        source: io::Error,
    },
}

fn load(path: &Path) -> Result<Option<ServerId>, LoadServerIdError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(LoadServerIdError::Read { path, source });
        }
    }
    let id = String::from_utf8_lossy(&bytes).parse();
    id.map(Some).map_err(|source| LoadServerIdError::Invalid { path: path.to_owned(), source })
}

fn random() -> io::Result<ServerId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(ServerId::from_bytes(bytes))
}

/// Whether the file was made; `false` when another was there first.
fn create(path: &Path, id: ServerId) -> io::Result<bool> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{id}.new"));
    let temporary = folder.join(name);
    let made = write(&temporary, id).and_then(|()| name_it(&temporary, path));
    // What was linked keeps its other name; what was renamed is gone already.
    drop(fs::remove_file(&temporary));
    // The name is on the disk when its folder is; not every system can do this.
    if let Ok(folder) = File::open(folder) {
        drop(folder.sync_all());
    }
    made
}

fn write(path: &Path, id: ServerId) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    let mut file = options.open(path)?;
    writeln!(file, "{id}")?;
    file.sync_all()
}

fn name_it(temporary: &Path, path: &Path) -> io::Result<bool> {
    // A link, because a rename would take another's place.
    match fs::hard_link(temporary, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // Some file systems have no links.
        Err(_) => fs::rename(temporary, path).map(|()| true),
    }
}
