//! Sockets that systemd passed, and other inherited descriptors.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use sendfd::SendWithFd;
use socket2::{Domain, SockRef, Socket, Type};

use crate::error::{ActivationProblem, BindError, DescriptorProblem};
use crate::os::tcp::{self, SocketOptions};

/// The passed descriptors that no listener has taken yet (sd_listen_fds(3)).
#[derive(Debug, Default)]
pub(crate) struct Passed {
    read: Option<Result<Vec<(RawFd, String)>, String>>,
    free: Vec<RawFd>,
}

impl Passed {
    /// Takes the sockets of this name, or all that are left.
    pub(crate) fn take(&mut self, name: Option<&str>) -> Result<Vec<RawFd>, BindError> {
        let fail = |problem| BindError::NotPassed { name: name.map(str::to_owned), problem };
        if self.read.is_none() {
            let all = from_environment();
            self.free = all.iter().flatten().map(|(fd, _)| *fd).collect();
            self.read = Some(all);
        }
        let all = match &self.read {
            Some(Ok(all)) => all,
            Some(Err(what)) => return Err(fail(ActivationProblem::BadEnvironment(what.clone()))),
            None => return Ok(Vec::new()),
        };
        if all.is_empty() {
            return Err(fail(ActivationProblem::NotActivated));
        }
        let named: Vec<RawFd> = all
            .iter()
            .filter(|(_, n)| name.is_none_or(|name| name == n))
            .map(|(fd, _)| *fd)
            .collect();
        if named.is_empty() {
            let names = all.iter().map(|(_, n)| n.clone()).collect();
            return Err(fail(ActivationProblem::OtherNames(names)));
        }
        let taken: Vec<RawFd> = named.into_iter().filter(|fd| self.free.contains(fd)).collect();
        if taken.is_empty() {
            return Err(fail(ActivationProblem::Taken));
        }
        self.free.retain(|fd| !taken.contains(fd));
        Ok(taken)
    }
}

/// Reads `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`, marks the descriptors close-on-exec and
/// leaves the environment as it is: changing it is unsound while other threads run.
fn from_environment() -> Result<Vec<(RawFd, String)>, String> {
    sd_notify::listen_fds_with_names().map(Iterator::collect).map_err(|e| e.to_string())
}

/// A listener from a descriptor's number.
#[derive(Debug)]
pub(crate) enum PassedListener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// Makes a listener of an inherited descriptor, after looking whether it is one.
pub(crate) fn open(fd: RawFd, options: &SocketOptions) -> Result<PassedListener, BindError> {
    let bad =
        |problem| move |source| BindError::BadDescriptor { fd, problem, source: Some(source) };
    let socket = Socket::from(duplicate(fd).map_err(bad(DescriptorProblem::Closed))?);
    let kind = socket.r#type().map_err(bad(DescriptorProblem::NotASocket))?;
    let not = |problem| BindError::BadDescriptor { fd, problem, source: None };
    let domain = socket.domain().map_err(bad(DescriptorProblem::NotASocket))?;
    if kind != Type::STREAM || ![Domain::IPV4, Domain::IPV6, Domain::UNIX].contains(&domain) {
        return Err(not(DescriptorProblem::NotAStream));
    }
    if !socket.is_listener().is_ok_and(|listens| listens) {
        return Err(not(DescriptorProblem::NotListening));
    }
    socket.set_nonblocking(true).map_err(bad(DescriptorProblem::NotAStream))?;
    if domain == Domain::UNIX {
        return Ok(PassedListener::Unix(socket.into()));
    }
    // The socket unit decides (`NoDelay=`, `KeepAlive=`) where it may; a refusal changes nothing.
    drop(tcp::set_options(&SockRef::from(&socket), options));
    Ok(PassedListener::Tcp(socket.into()))
}

/// An own copy of a descriptor that is known by its number only.
///
/// Taking the number itself for an owned descriptor would be unsafe. The kernel makes the copy:
/// the number is sent through a socket pair (unix(7), `SCM_RIGHTS`), which every system call
/// filter that lets a server run lets pass. An unused number is an error.
fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    let (sender, receiver) = UnixDatagram::pair()?;
    sender.send_with_fd(b"x", &[fd])?;
    let mut byte = [0];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(
        &receiver,
        &mut [io::IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
    )?;
    let received = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    received.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}
