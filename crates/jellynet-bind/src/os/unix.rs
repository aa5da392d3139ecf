//! Unix sockets: probed before they are replaced, with their mode before their name.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::BindError;
use crate::listen::{Account, UnixListen, UnixName};
use crate::os::{accounts, who};

/// `sun_path` without its final zero.
const LONGEST_PATH: usize = 107;

/// The file of a Unix socket; removed on drop if it is still the one that was made.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours {
            // Nobody can be told here; the next start probes and replaces it.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Opens a Unix listener.
pub(crate) fn open(
    unix: &UnixListen,
    backlog: i32,
) -> Result<(UnixListener, Option<SocketFile>), BindError> {
    match &unix.name {
        UnixName::Path(path) => {
            let (listener, file) = open_path(unix, path, backlog)?;
            Ok((listener, Some(file)))
        }
        UnixName::Abstract(name) => Ok((open_abstract(name, backlog)?, None)),
    }
}

fn failed(
    place: impl std::fmt::Display,
    step: &'static str,
) -> impl FnOnce(io::Error) -> BindError {
    let path = place.to_string();
    move |source| BindError::Unix { path, step, source }
}

fn open_abstract(name: &str, backlog: i32) -> Result<UnixListener, BindError> {
    let place = format!("@{name}");
    let socket = new_socket().map_err(failed(&place, "creating the socket"))?;
    // unix(7): an abstract name starts with a zero byte.
    let addr = SockAddr::unix(format!("\0{name}")).map_err(failed(&place, "naming the socket"))?;
    match socket.bind(&addr) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => {
            return Err(BindError::UnixInUse {
                path: place,
                holder: probe(&addr).ok().flatten().map(Box::new),
            });
        }
        Err(e) => return Err(failed(&place, "binding")(e)),
    }
    socket.listen(backlog).map_err(failed(&place, "listening"))?;
    Ok(socket.into())
}

fn new_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn open_path(
    unix: &UnixListen,
    path: &Path,
    backlog: i32,
) -> Result<(UnixListener, SocketFile), BindError> {
    let owner = |kind, account: Option<&Account>, find: fn(&Account) -> Option<u32>| match account {
        None => Ok(None),
        Some(account) => find(account).map(Some).ok_or_else(|| BindError::UnixUnknownAccount {
            path: path.to_owned(),
            kind,
            name: account.to_string(),
        }),
    };
    let uid = owner("user", unix.user.as_ref(), accounts::user_id)?;
    let gid = owner("group", unix.group.as_ref(), accounts::group_id)?;
    refuse_if_taken(path)?;

    let fail = |step| failed(path.display(), step);
    let scratch = Scratch::beside(path);
    let socket = new_socket().map_err(fail("creating the socket"))?;
    let addr = SockAddr::unix(&scratch.0).map_err(fail("naming the socket"))?;
    socket.bind(&addr).map_err(fail("binding"))?;
    if uid.is_some() || gid.is_some() {
        chown(&scratch.0, uid, gid).map_err(fail("changing the owner"))?;
    }
    fs::set_permissions(&scratch.0, Permissions::from_mode(unix.mode))
        .map_err(fail("setting the mode"))?;
    socket.listen(backlog).map_err(fail("listening"))?;
    // From its first visible moment the name has its mode, its owner and a listener.
    fs::rename(&scratch.0, path).map_err(fail("renaming into place"))?;
    let file = SocketFile::new(path).map_err(fail("looking at the new socket"))?;
    Ok((socket.into(), file))
}

/// Refuses a path where somebody answers, or something that is no socket stands.
fn refuse_if_taken(path: &Path) -> Result<(), BindError> {
    let fail = |step| failed(path.display(), step);
    let metadata = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(fail("looking at what is there"))?,
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::UnixNotASocket { path: path.to_owned() });
    }
    let addr = SockAddr::unix(path).map_err(fail("naming the socket"))?;
    match probe(&addr) {
        // Left behind by a process that is gone: the rename replaces it.
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(fail("probing the socket that is there")(e)),
        Ok(holder) => Err(BindError::UnixInUse {
            path: path.display().to_string(),
            holder: holder.map(Box::new),
        }),
    }
}

/// Connects to see whether anybody answers, and who.
fn probe(addr: &SockAddr) -> io::Result<Option<crate::Holder>> {
    let socket = new_socket()?;
    match socket.connect(addr) {
        Ok(()) => {}
        // Its queue is full: it lives, but does not say who it is.
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(e) => return Err(e),
    }
    let peer = rustix::net::sockopt::socket_peercred(&socket).ok();
    Ok(peer.map(|peer| {
        let pid = u32::try_from(peer.pid.as_raw_nonzero().get()).unwrap_or_default();
        who::answers(pid, peer.uid.as_raw())
    }))
}

/// A hidden name beside the wanted one; removed on drop if it is still there.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(path: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = path.parent().unwrap_or_else(|| Path::new("/"));
        let mark = format!(".{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let room = LONGEST_PATH.saturating_sub(dir.as_os_str().len() + 2 + mark.len());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let end = (0..=room.min(name.len()))
            .rev()
            .find(|n| name.is_char_boundary(*n))
            .unwrap_or_default();
        let scratch = dir.join(format!(".{}{mark}", name.get(..end).unwrap_or_default()));
        // Only a dead process of our own number can have left one.
        drop(fs::remove_file(&scratch));
        Self(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Gone already after a successful rename.
        drop(fs::remove_file(&self.0));
    }
}
