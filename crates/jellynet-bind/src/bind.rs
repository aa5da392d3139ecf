//! Opening what a plan wants, all of it before anything serves.

mod outcome;
mod socket;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use jellynet_netif::InterfaceTable;

use crate::error::BindError;
use crate::listen::Listen;
use crate::os::passed::{self, Passed, PassedListener};
use crate::os::tcp::{self, SocketOptions};
use crate::os::{unix, who};
use crate::plan::{BindPlan, Endpoint, PlannedSocket, Presence, Request, WaitReason};

pub use self::outcome::{Outcome, OutcomeKind};
pub use self::socket::{BoundAddr, BoundSocket, StdListener};

/// What to do about an address that no interface has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IfMissing {
    /// Serve without it, and open it as soon as it is there.
    #[default]
    Wait,
    /// Report it as an error.
    Fail,
}

/// A list of listeners, each under a name of the caller's.
///
/// # Examples
///
/// ```
/// use jellynet_bind::{Bind, Listen};
/// use jellynet_netif::InterfaceTable;
///
/// let bound = Bind::new()
///     .listen("http", "127.0.0.1:0".parse::<Listen>()?)
///     .bind(&InterfaceTable::default());
/// for outcome in bound.outcomes() {
///     println!("{outcome}"); // http: listening on 127.0.0.1:46433
/// }
/// let sockets = bound.into_sockets();
/// assert_ne!(sockets[0].addr.port(), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is opened before `bind`"]
pub struct Bind {
    pub(crate) requests: Vec<Request>,
    pub(crate) options: SocketOptions,
    pub(crate) missing: IfMissing,
}

impl Bind {
    /// Asks for nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for one more listener; several may share a name.
    pub fn listen(mut self, name: impl Into<Arc<str>>, listen: Listen) -> Self {
        self.requests.push(Request::new(name, listen));
        self
    }

    /// Asks for several listeners of one name.
    pub fn listen_all(
        mut self,
        name: impl Into<Arc<str>>,
        listens: impl IntoIterator<Item = Listen>,
    ) -> Self {
        let name = name.into();
        let requests = listens.into_iter();
        self.requests.extend(requests.map(|listen| Request::new(Arc::clone(&name), listen)));
        self
    }

    /// Sets the options of all sockets.
    pub const fn socket_options(mut self, options: SocketOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets what becomes of an address that no interface has. Default: [`IfMissing::Wait`].
    pub const fn if_missing(mut self, missing: IfMissing) -> Self {
        self.missing = missing;
        self
    }

    /// What was asked for so far; the indices in plans and outcomes count in this list.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The sockets that these requests want on these interfaces; opens nothing.
    #[must_use]
    pub fn plan(&self, interfaces: &InterfaceTable) -> BindPlan {
        BindPlan::new(&self.requests, interfaces)
    }

    /// Opens everything that can be opened now, and says what became of each request.
    ///
    /// Never fails as a whole: one bad listener does not keep the others from serving. It blocks
    /// for as long as the system calls take; finding who holds a busy port reads all of `/proc`,
    /// which takes some milliseconds.
    #[must_use]
    pub fn bind(self, interfaces: &InterfaceTable) -> Bound {
        let plan = self.plan(interfaces);
        let mut opener = Opener::new(self);
        let slots = opener.open_plan(&plan);
        Bound { opener, plan, slots }
    }
}

/// What became of a [`Bind`]: the open sockets, and what could not be opened and why.
#[derive(Debug)]
pub struct Bound {
    pub(crate) opener: Opener,
    pub(crate) plan: BindPlan,
    pub(crate) slots: Vec<Slot>,
}

impl Bound {
    /// What became of each socket, in the order of the requests.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        let requests = &self.opener.bind.requests;
        let mut outcomes: Vec<Outcome> = Vec::new();
        outcomes.extend(self.slots.iter().map(|slot| slot.outcome(requests)));
        let waiting = self.plan.waiting.iter();
        outcomes.extend(waiting.map(|waiting| Outcome::waiting(requests, waiting)));
        let clashes = self.plan.clashes.iter();
        outcomes.extend(clashes.map(|clash| Outcome::clash(requests, clash)));
        outcomes.sort_by_key(|outcome| outcome.request);
        outcomes
    }

    /// Whether at least one socket listens.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot.state, SlotState::Open(_)))
    }

    /// Whether something failed; waiting and a missing address family are no failures.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        let failed = |slot: &Slot| matches!(slot.state, SlotState::Failed(_));
        !self.plan.clashes.is_empty() || self.slots.iter().any(failed)
    }

    /// Hands out the open sockets, non-blocking, for servers with an accept loop of their own.
    /// What waits is given up.
    #[must_use]
    pub fn into_sockets(self) -> Vec<BoundSocket> {
        let open = |slot: Slot| match slot.state {
            SlotState::Open(socket) => Some(socket),
            SlotState::Waiting(_) | SlotState::Lacking | SlotState::Failed(_) => None,
        };
        self.slots.into_iter().filter_map(open).collect()
    }
}

/// One wanted socket and what became of it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) request: usize,
    pub(crate) endpoint: Endpoint,
    pub(crate) state: SlotState,
}

#[derive(Debug)]
pub(crate) enum SlotState {
    Open(BoundSocket),
    Waiting(WaitReason),
    /// The kernel lacks this family; the request's other one serves.
    Lacking,
    Failed(Arc<BindError>),
}

/// Opens sockets and remembers what must not be decided twice.
#[derive(Debug)]
pub(crate) struct Opener {
    pub(crate) bind: Bind,
    passed: Passed,
    /// The port that the system chose for a request with port 0: its other sockets want it too.
    chosen: HashMap<usize, u16>,
    pub(crate) open: tcp::Open,
}

impl Opener {
    pub(crate) fn new(bind: Bind) -> Self {
        Self { bind, passed: Passed::default(), chosen: HashMap::new(), open: tcp::open }
    }

    pub(crate) fn open_plan(&mut self, plan: &BindPlan) -> Vec<Slot> {
        plan.sockets.iter().flat_map(|planned| self.attempt(planned, true)).collect()
    }

    /// Tries to open one planned socket; several slots where systemd passed several of one name.
    /// With `diagnose`, finds out who is in the way.
    pub(crate) fn attempt(&mut self, planned: &PlannedSocket, diagnose: bool) -> Vec<Slot> {
        let request = planned.request;
        let slot = |state| Slot { request, endpoint: planned.endpoint.clone(), state };
        let failed = |error| slot(SlotState::Failed(Arc::new(error)));
        match &planned.endpoint {
            Endpoint::Tcp(addr) => vec![slot(self.tcp(planned, *addr, diagnose))],
            Endpoint::Unix(unix) => vec![match unix::open(unix, self.bind.options.backlog) {
                Ok((listener, file)) => slot(SlotState::Open(BoundSocket {
                    request,
                    name: self.name(request),
                    addr: BoundAddr::Unix(unix.name.clone()),
                    listener: StdListener::Unix(listener),
                    file,
                })),
                Err(error) => failed(error),
            }],
            Endpoint::Systemd(name) => match self.passed.take(name.as_deref()) {
                Ok(fds) => fds.into_iter().map(|fd| slot(self.inherited(request, fd))).collect(),
                Err(error) => vec![failed(error)],
            },
            Endpoint::Fd(fd) => vec![slot(self.inherited(request, *fd))],
        }
    }

    fn name(&self, request: usize) -> Arc<str> {
        let request = self.bind.requests.get(request);
        request.map_or_else(|| "".into(), |request| Arc::clone(&request.name))
    }

    fn tcp(&mut self, planned: &PlannedSocket, addr: SocketAddr, diagnose: bool) -> SlotState {
        let request = planned.request;
        match self.open_tcp(request, addr) {
            Ok(listener) => {
                let real = listener.local_addr().unwrap_or(addr);
                if addr.port() == 0 {
                    let port = real.port();
                    self.chosen.entry(request).or_insert(port);
                }
                SlotState::Open(BoundSocket {
                    request,
                    name: self.name(request),
                    addr: BoundAddr::Inet(real),
                    listener: StdListener::Tcp(listener),
                    file: None,
                })
            }
            Err((step, source)) => self.refused(planned, addr, step, source, diagnose),
        }
    }

    fn open_tcp(
        &self,
        request: usize,
        addr: SocketAddr,
    ) -> Result<std::net::TcpListener, tcp::StepError> {
        let options = &self.bind.options;
        if addr.port() == 0
            && let Some(port) = self.chosen.get(&request)
        {
            let mut with_port = addr;
            with_port.set_port(*port);
            if let Ok(listener) = (self.open)(with_port, options) {
                return Ok(listener);
            }
        }
        (self.open)(addr, options)
    }

    fn refused(
        &self,
        planned: &PlannedSocket,
        addr: SocketAddr,
        step: &'static str,
        source: io::Error,
        diagnose: bool,
    ) -> SlotState {
        let error = match source.kind() {
            io::ErrorKind::AddrNotAvailable => {
                let why = planned.presence.wait_reason(addr);
                if self.bind.missing == IfMissing::Wait {
                    return SlotState::Waiting(
                        why.unwrap_or(WaitReason::AddressMissing { addr, nearest: Vec::new() }),
                    );
                }
                let nearest = match &planned.presence {
                    Presence::Missing { nearest } => nearest.clone(),
                    Presence::Here | Presence::Tentative { .. } => Vec::new(),
                };
                BindError::NotLocal { addr, nearest, source }
            }
            io::ErrorKind::AddrInUse => BindError::InUse {
                addr,
                holder: diagnose.then(|| who::holds(addr)).flatten().map(Box::new),
                source,
            },
            io::ErrorKind::PermissionDenied => {
                BindError::Denied { addr, hint: who::denied(addr.port()), source }
            }
            _ if lacks_family(&source) => {
                if self.has_both_families(planned.request) {
                    return SlotState::Lacking;
                }
                BindError::NoFamily { addr, source }
            }
            _ => BindError::Tcp { addr, step, source },
        };
        SlotState::Failed(Arc::new(error))
    }

    fn has_both_families(&self, request: usize) -> bool {
        use crate::listen::Families;
        let listen = self.bind.requests.get(request).map(|r| &r.listen);
        matches!(
            listen,
            Some(
                Listen::Wildcard { families: Families::Both, .. }
                    | Listen::Loopback { .. }
                    | Listen::Interface { .. }
            )
        )
    }

    fn inherited(&self, request: usize, fd: i32) -> SlotState {
        let socket = |listener: StdListener| {
            let addr = listener.local_addr().unwrap_or(BoundAddr::Fd(fd));
            SlotState::Open(BoundSocket {
                request,
                name: self.name(request),
                addr,
                listener,
                // Whoever made the file removes it.
                file: None,
            })
        };
        match passed::open(fd, &self.bind.options) {
            Ok(PassedListener::Tcp(tcp)) => socket(StdListener::Tcp(tcp)),
            Ok(PassedListener::Unix(unix)) => socket(StdListener::Unix(unix)),
            Err(error) => SlotState::Failed(Arc::new(error)),
        }
    }
}

fn lacks_family(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    matches!(errno, Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::PROTONOSUPPORT))
}
