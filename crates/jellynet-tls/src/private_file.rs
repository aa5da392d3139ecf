//! Files that hold keys: whole or not at all, and for their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file with mode 0600 beside its place, and moves it there when it is safely on disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let temporary =
        Temporary(folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id())));
    // Left behind by a crash of a process with this number.
    let _ = fs::remove_file(&temporary.0);
    let mut file = create(&temporary.0)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary.0, path)?;
    // Not every file system can do this, and the file itself is safe.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Removed again, unless it was moved to its place.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
