use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use jellynet_bind::{Bind, Bound};
use jellynet_netif::InterfaceTable;

/// A folder of its own, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("jellynet-bind-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("x.sock")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn bind(path: &Path, settings: &str) -> Bound {
    Bind::new()
        .listen("admin", format!("unix:{}{settings}", path.display()).parse().unwrap())
        .bind(&InterfaceTable::default())
}

fn line(bound: &Bound) -> String {
    bound.outcomes()[0].to_string()
}

#[test]
fn a_socket_has_its_mode_and_goes_with_its_owner() {
    let folder = Folder::new("mode");
    let path = folder.socket();
    for (settings, mode) in
        [("", 0o600), ("?mode=0666", 0o666), ("?mode=0660&user=0&group=0", 0o660)]
    {
        let bound = bind(&path, settings);
        assert_eq!(line(&bound), format!("admin: listening on unix:{}", path.display()));
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{settings}");
        UnixStream::connect(&path).unwrap();
        assert_eq!(folder.names(), ["x.sock"], "no scratch name is left");
        drop(bound);
        assert!(!path.exists(), "removed on drop");
    }
}

#[test]
fn owner_and_group_are_set_by_name() {
    let folder = Folder::new("owner");
    let bound = bind(&folder.socket(), "?user=nobody&group=nogroup");
    if !bound.is_listening() {
        // Only root may give files away.
        assert!(line(&bound).contains("changing the owner failed"), "{}", line(&bound));
        return;
    }
    let metadata = fs::metadata(folder.socket()).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (65534, 65534));
}

#[test]
fn a_stale_socket_is_replaced() {
    let folder = Folder::new("stale");
    drop(UnixListener::bind(folder.socket()).unwrap());
    assert!(folder.socket().exists());
    let bound = bind(&folder.socket(), "");
    assert!(bound.is_listening(), "{}", line(&bound));
    UnixStream::connect(folder.socket()).unwrap();
}

#[test]
fn a_live_socket_is_left_alone_and_its_holder_named() {
    let folder = Folder::new("live");
    let path = folder.socket();
    let held = UnixListener::bind(&path).unwrap();
    let bound = bind(&path, "");
    assert_eq!(
        line(&bound),
        format!(
            "admin: cannot listen on {}: this process itself answers there, stop it or choose \
             another path",
            path.display()
        )
    );
    UnixStream::connect(&path).unwrap();
    drop(held);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new("file");
    fs::write(folder.socket(), "precious").unwrap();
    let bound = bind(&folder.socket(), "");
    assert!(line(&bound).contains("something that is no socket is there"));
    drop(bound);
    assert_eq!(fs::read_to_string(folder.socket()).unwrap(), "precious");
}

#[test]
fn another_process_own_socket_is_not_removed() {
    let folder = Folder::new("successor");
    let path = folder.socket();
    let bound = bind(&path, "");
    fs::remove_file(&path).unwrap();
    let _successor = UnixListener::bind(&path).unwrap();
    drop(bound);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn unknown_accounts_and_missing_folders_are_named() {
    let folder = Folder::new("bad");
    let bound = bind(&folder.socket(), "?group=no-such-group");
    assert!(
        line(&bound).contains("there is no group `no-such-group` on this system"),
        "{}",
        line(&bound)
    );
    let bound = bind(&folder.0.join("missing/x.sock"), "");
    assert!(line(&bound).contains("binding failed: No such file"), "{}", line(&bound));
}

#[test]
fn an_abstract_name_needs_no_file() {
    let name = format!("unix:@jellynet-bind-{}", std::process::id());
    let listen = || Bind::new().listen("admin", name.parse().unwrap());
    let first = listen().bind(&InterfaceTable::default());
    assert_eq!(line(&first), format!("admin: listening on {name}"));
    let second = listen().bind(&InterfaceTable::default());
    assert!(line(&second).contains("this process itself answers there"), "{}", line(&second));
}
