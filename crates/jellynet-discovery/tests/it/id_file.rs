//! The id in its file.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use jellynet_discovery::{LoadServerIdError, ServerId};

/// A folder that is removed with everything in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("jellynet-discovery-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn an_id_is_made_once_and_kept() {
    let folder = Folder::new();
    let path = folder.file("not/there/yet/id");
    let id = ServerId::load_or_create(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{id}\n"));
    assert_eq!(ServerId::load_or_create(&path).unwrap(), id);
    assert_ne!(ServerId::load_or_create(&folder.file("other")).unwrap(), id);
    let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "nothing else is left");
}

#[test]
fn a_file_with_something_else_is_an_error_and_stays() {
    let folder = Folder::new();
    let path = folder.file("id");
    for content in ["", "hello", "0123456789abcdef", "\u{0}\u{0}"] {
        fs::write(&path, content).unwrap();
        let error = ServerId::load_or_create(&path).unwrap_err();
        assert!(matches!(error, LoadServerIdError::Invalid { .. }), "{content:?}: {error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
        assert!(error.source().is_some());
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    fs::write(&path, "\u{feff}01234567-89AB-CDEF-0123-456789ABCDEF\r\n").unwrap();
    let id = ServerId::load_or_create(&path).unwrap();
    assert_eq!(id.to_string(), "0123456789abcdef0123456789abcdef");
}

#[test]
fn a_folder_in_its_place_is_an_error() {
    let folder = Folder::new();
    let error = ServerId::load_or_create(&folder.0).unwrap_err();
    assert!(matches!(error, LoadServerIdError::Read { .. }), "{error}");
}

#[test]
fn programs_that_start_together_agree() {
    let folder = Folder::new();
    let path = folder.file("id");
    let (sender, ids) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            let (sender, path) = (sender.clone(), &path);
            scope.spawn(move || sender.send(ServerId::load_or_create(path).unwrap()));
        }
    });
    drop(sender);
    let ids: Vec<ServerId> = ids.iter().collect();
    assert_eq!(ids.len(), 16);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}
