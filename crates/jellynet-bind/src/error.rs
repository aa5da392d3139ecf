//! Why a socket cannot be opened.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use crate::holder::Holder;

/// Why a socket cannot be opened, with what an operator needs to act.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another socket has the address.
    #[error("cannot listen on {addr}: {}", InUse { addr: *addr, holder: holder.as_deref() })]
    InUse {
        /// The address that was asked for.
        addr: SocketAddr,
        /// Who has it, where that can be known.
        holder: Option<Box<Holder>>,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system refuses this port to this user.
    #[error("cannot listen on {addr}: {hint}")]
    Denied {
        /// The address that was asked for.
        addr: SocketAddr,
        /// Why, and what to do about it.
        hint: DeniedHint,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No interface of this host has the address.
    #[error("cannot listen on {addr}: {}", NotLocal { nearest })]
    NotLocal {
        /// The address that was asked for.
        addr: SocketAddr,
        /// Addresses that this host has, the most similar first.
        nearest: Vec<IpAddr>,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The kernel has not this address family.
    #[error("cannot listen on {addr}: this system has no {}", family(*addr))]
    NoFamily {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Anything else that the system says about a TCP socket.
    #[error("cannot listen on {addr}: {step} failed")]
    Tcp {
        /// The address that was asked for.
        addr: SocketAddr,
        /// Which step failed.
        step: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Two listeners of different names want one place.
    #[error(
        "cannot listen on {place} for {name}: {first} has it already, give each a place of its own"
    )]
    Clash {
        /// Where.
        place: String,
        /// Whose socket is missing.
        name: Arc<str>,
        /// Who has the place.
        first: Arc<str>,
    },
    /// A Unix socket that a live process answers on.
    #[error("cannot listen on {path}: {} answers there, stop it or choose another path", Anyone(holder.as_deref()))]
    UnixInUse {
        /// The socket.
        path: String,
        /// Who has it, where that can be known.
        holder: Option<Box<Holder>>,
    },
    /// Something that is no socket stands at a Unix socket's path; it is left alone.
    #[error("cannot listen on {}: something that is no socket is there, move it away", path.display())]
    UnixNotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A Unix socket's user or group is unknown.
    #[error("cannot listen on {}: there is no {kind} `{name}` on this system, write an existing one or its number", path.display())]
    UnixUnknownAccount {
        /// The path.
        path: PathBuf,
        /// `user` or `group`.
        kind: &'static str,
        /// The name that was written.
        name: String,
    },
    /// Anything else that the system says about a Unix socket.
    #[error("cannot listen on {path}: {step} failed")]
    Unix {
        /// The path or abstract name.
        path: String,
        /// Which step failed.
        step: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A socket that was open cannot be used any more, or not by this runtime.
    #[error("cannot listen on {place} any more")]
    Broken {
        /// Where it listened.
        place: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// systemd passed no socket, or not this one.
    #[error("cannot listen on systemd{}: {problem}", name.as_ref().map(|n| format!(":{n}")).unwrap_or_default())]
    NotPassed {
        /// The name that was asked for.
        name: Option<String>,
        /// What is missing.
        problem: ActivationProblem,
    },
    /// A passed or inherited descriptor cannot be listened on.
    #[error("cannot listen on fd:{fd}: it is {problem}")]
    BadDescriptor {
        /// The descriptor.
        fd: i32,
        /// What it is instead.
        problem: DescriptorProblem,
        /// What the system said, where it said anything.
        #[source]
        source: Option<io::Error>,
    },
}

/// Why the system refuses a port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeniedHint {
    /// The port is below the first that every user may open.
    Privileged {
        /// That first port: `net.ipv4.ip_unprivileged_port_start`.
        first_free: u16,
        /// This program's file, for `setcap`.
        program: Option<PathBuf>,
    },
    /// The port is free for every user; a security policy stands in the way.
    Policy,
}

/// What systemd passed instead of the wanted socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivationProblem {
    /// Nothing: this process was not started by a socket unit.
    NotActivated,
    /// Sockets of other names.
    OtherNames(Vec<String>),
    /// Sockets that other listeners have taken already.
    Taken,
    /// `LISTEN_FDS` or `LISTEN_PID` cannot be read.
    BadEnvironment(String),
}

/// What a descriptor is instead of a listening stream socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DescriptorProblem {
    /// It is not open.
    Closed,
    /// A file, a pipe or something else.
    NotASocket,
    /// A socket of another kind, such as a datagram one.
    NotAStream,
    /// A connection, as `Accept=yes` in a socket unit gives.
    NotListening,
}

struct InUse<'a> {
    addr: SocketAddr,
    holder: Option<&'a Holder>,
}

impl fmt::Display for InUse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(holder) = self.holder else {
            return f.write_str(
                "somebody in this network namespace holds the port, stop it or choose another port",
            );
        };
        write!(f, "held by {holder}")?;
        match holder.addr {
            Some(held) if held != self.addr => {
                write!(f, ", whose {held} {}", overlap(held, self.addr))?;
            }
            Some(_) | None => {}
        }
        if !holder.listening {
            f.write_str(", as an open connection from this port")?;
        }
        f.write_str(", stop it or choose another port")
    }
}

const fn overlap(held: SocketAddr, wanted: SocketAddr) -> &'static str {
    match (held, wanted) {
        (SocketAddr::V6(_), SocketAddr::V4(_)) => "takes IPv4 too (a dual-stack socket)",
        _ if held.ip().is_unspecified() => "covers every address",
        _ => "is one of the addresses asked for",
    }
}

struct NotLocal<'a> {
    nearest: &'a [IpAddr],
}

impl fmt::Display for NotLocal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no interface of this host has the address")?;
        for (n, ip) in self.nearest.iter().enumerate() {
            write!(f, "{}{ip}", if n == 0 { ", the nearest it has: " } else { ", " })?;
        }
        Ok(())
    }
}

struct Anyone<'a>(Option<&'a Holder>);

impl fmt::Display for Anyone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(holder) => holder.fmt(f),
            None => f.write_str("a running process"),
        }
    }
}

const fn family(addr: SocketAddr) -> &'static str {
    match addr {
        SocketAddr::V4(_) => "IPv4",
        SocketAddr::V6(_) => "IPv6",
    }
}

impl fmt::Display for DeniedHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privileged { first_free, program } => {
                let program = program
                    .as_ref()
                    .map_or_else(|| "PROGRAM".into(), |program| program.display().to_string());
                write!(
                    f,
                    "ports below {first_free} need a permission: run `setcap \
                     cap_net_bind_service=+ep {program}`, or lower the sysctl \
                     net.ipv4.ip_unprivileged_port_start, or let systemd open the port \
                     (`systemd:NAME`), or choose a higher port"
                )
            }
            Self::Policy => f.write_str(
                "the port needs no permission, so a security policy forbids it (SELinux, AppArmor \
                 or a container's profile): allow it there, or choose another port",
            ),
        }
    }
}

impl fmt::Display for ActivationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotActivated => f.write_str(
                "systemd passed no socket (LISTEN_FDS is not set for this process), start the \
                 socket unit instead of the service",
            ),
            Self::OtherNames(names) => write!(
                f,
                "systemd passed no socket of this name, but {}: set FileDescriptorName= in the \
                 socket unit",
                names.join(", ")
            ),
            Self::Taken => f.write_str("another listener has taken the passed sockets"),
            Self::BadEnvironment(what) => write!(f, "the environment cannot be read: {what}"),
        }
    }
}

impl fmt::Display for DescriptorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "not open",
            Self::NotASocket => "no socket",
            Self::NotAStream => "no stream socket",
            Self::NotListening => "not listening (set Accept=no in the socket unit)",
        })
    }
}

impl BindError {
    /// Whether trying again later can help without anybody changing the configuration.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::InUse { .. }
            | Self::NotLocal { .. }
            | Self::Tcp { .. }
            | Self::UnixInUse { .. }
            | Self::Unix { .. }
            | Self::Broken { .. } => true,
            Self::Denied { .. }
            | Self::NoFamily { .. }
            | Self::Clash { .. }
            | Self::UnixNotASocket { .. }
            | Self::UnixUnknownAccount { .. }
            | Self::NotPassed { .. }
            | Self::BadDescriptor { .. } => false,
        }
    }

    /// The message with what the system said, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        use std::error::Error as _;
        let mut line = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            line.push_str(": ");
            line.push_str(&cause.to_string());
            source = cause.source();
        }
        line
    }
}
