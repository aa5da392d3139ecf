//! The living sockets of a server: accepting, waiting, following, draining.

mod connection;
mod drain;
mod event;
mod follow;
mod intake;
mod line;
mod options;
mod shared;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use jellynet_netif::{Interfaces, InterfacesUpdate, LocalAddr};
use tokio::time::{Instant, Sleep};

use self::intake::Taken;
use self::line::{Line, LineState, Shut};
pub(crate) use self::shared::Phase;
use self::shared::Shared;
use self::wire::Stream;
use crate::bind::{Bound, BoundAddr, Opener, Outcome};
use crate::error::BindError;
use crate::plan::BindPlan;

pub use self::connection::{Connection, Facts};
pub use self::drain::{DrainReport, Drained};
pub use self::event::{Event, Events};
pub use self::options::AcceptOptions;
pub use self::shared::{Handle, NameCounts};

/// The next state of the interfaces, with the watcher that found it.
type NextInterfaces = Pin<Box<dyn Future<Output = (Interfaces, Option<InterfacesUpdate>)> + Send>>;

/// All sockets of a [`Bind`](crate::Bind) as one source of connections.
///
/// | what happens | what these listeners do |
/// | --- | --- |
/// | an address that was asked for comes, or leaves its tentative state | open it at once |
/// | an address goes | tell, and close its socket 3 s later unless it is back |
/// | a port is busy, an address missing | try again after 100 ms, doubling up to 2 s |
/// | EMFILE, ENFILE, ENOBUFS, ENOMEM on accept | pause that socket for 100 ms, doubling up to 1 s |
/// | a connection fails before it is accepted | take the next one |
/// | the connection limit is reached | leave new ones in the kernel's queue |
/// | [`Handle::drain`] | take what is queued, close the sockets, end [`accept`](Self::accept) |
///
/// Nothing runs in the background: all of this happens while [`accept`](Self::accept) is polled,
/// so spawn what takes time. Dropping the value closes every socket and leaves open connections
/// alone.
///
/// # Examples
///
/// ```no_run
/// # async fn serve(_: jellynet_bind::Connection) {}
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use jellynet_bind::{Bind, Listeners};
/// use jellynet_netif::Interfaces;
///
/// let interfaces = Interfaces::watch()?;
/// let bound = Bind::new().listen("http", "eth0:8096".parse()?).bind(&interfaces.current());
/// let mut listeners = Listeners::new(bound, interfaces);
/// while let Some(connection) = listeners.accept().await {
///     tokio::spawn(serve(connection));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Listeners {
    opener: Opener,
    options: AcceptOptions,
    plan: BindPlan,
    lines: Vec<Line>,
    /// The line that is looked at first, so that none starves.
    turn: usize,
    interfaces: Option<NextInterfaces>,
    /// The next retry, end of a pause, or end of a grace.
    wake_at: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    shared: Arc<Shared>,
}

impl Listeners {
    /// Puts bound sockets on the runtime, with the default [`AcceptOptions`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(bound: Bound, interfaces: Interfaces) -> Self {
        Self::with_options(bound, interfaces, AcceptOptions::default())
    }

    /// Puts bound sockets on the runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn with_options(bound: Bound, interfaces: Interfaces, options: AcceptOptions) -> Self {
        let Bound { opener, plan, slots } = bound;
        let names = opener.bind.requests.iter().map(|request| &request.name);
        let mut listeners = Self {
            shared: Arc::new(Shared::new(names, options.max_connections)),
            opener,
            options,
            plan,
            lines: Vec::new(),
            turn: 0,
            interfaces: Some(next(interfaces)),
            wake_at: None,
            timer: Box::pin(tokio::time::sleep_until(Instant::now())),
        };
        for slot in slots {
            listeners.push(slot);
        }
        listeners.publish();
        listeners
    }

    /// A handle to look at these listeners, and to end them.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Where the open sockets listen.
    pub fn open_addrs(&self) -> impl Iterator<Item = &BoundAddr> {
        self.lines.iter().filter_map(|line| match &line.state {
            LineState::Open(open) => Some(&open.addr),
            LineState::Shut(_) => None,
        })
    }

    /// What became of each wanted socket, as of now.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        let requests = &self.opener.bind.requests;
        let mut outcomes: Vec<Outcome> =
            self.lines.iter().map(|line| line.outcome(requests)).collect();
        let waiting = self.plan.waiting.iter();
        outcomes.extend(waiting.map(|waiting| Outcome::waiting(requests, waiting)));
        let clashes = self.plan.clashes.iter();
        outcomes.extend(clashes.map(|clash| Outcome::clash(requests, clash)));
        outcomes.sort_by_key(|outcome| outcome.request);
        outcomes
    }

    /// Takes the next connection of any socket; `None` once they are drained.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    pub async fn accept(&mut self) -> Option<Connection> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next connection of any socket; `None` once they are drained.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Connection>> {
        self.shared.accept.register(cx.waker());
        let draining = self.shared.phase() != Phase::Serving;
        if !draining {
            self.follow(cx);
            self.tend();
        }
        if !self.shared.has_room() && !draining {
            self.arm(false, cx);
            return Poll::Pending;
        }
        let count = self.lines.len();
        for n in 0..count {
            let index = (self.turn + n) % count;
            if let Poll::Ready(connection) = self.poll_line(index, cx) {
                self.turn = index + 1;
                return Poll::Ready(Some(connection));
            }
        }
        if draining {
            // What was queued is taken: close.
            self.lines.clear();
            self.publish();
            self.shared.close();
            return Poll::Ready(None);
        }
        self.arm(true, cx);
        Poll::Pending
    }

    fn poll_line(&mut self, index: usize, cx: &mut Context<'_>) -> Poll<Connection> {
        let Some(line) = self.lines.get_mut(index) else {
            return Poll::Pending;
        };
        let LineState::Open(open) = &mut line.state else {
            return Poll::Pending;
        };
        loop {
            let name = || Arc::clone(&line.counts.name);
            let addr = || open.addr.clone();
            let event = match ready!(open.intake.poll(cx)) {
                Taken::Connection((stream, peer)) => {
                    let local = open.local.or_else(|| local_addr(&stream));
                    let permit = self.shared.admit(&line.counts, peer, local);
                    return Poll::Ready(Connection::new(stream, permit));
                }
                Taken::Paused { tell: false, .. } => continue,
                Taken::Paused { error, .. } => {
                    Event::AcceptPaused { name: name(), addr: addr(), reason: error.to_string() }
                }
                Taken::Resumed => Event::AcceptResumed { name: name(), addr: addr() },
                Taken::Broken(source) => {
                    let error =
                        Arc::new(BindError::Broken { place: open.addr.to_string(), source });
                    self.shared.tell(Event::Failed { name: name(), error: Arc::clone(&error) });
                    line.state = LineState::shut(Shut::Failed(error));
                    self.publish();
                    return Poll::Pending;
                }
            };
            self.shared.tell(event);
        }
    }

    /// Wakes this task when the next retry, pause or grace is over.
    fn arm(&mut self, wanted: bool, cx: &mut Context<'_>) {
        let lines = self.lines.iter();
        self.wake_at = lines.filter_map(|line| line.wake_at(wanted)).min();
        let Some(at) = self.wake_at else {
            return;
        };
        if self.timer.deadline() != at || self.timer.is_elapsed() {
            self.timer.as_mut().reset(at);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn publish(&self) {
        self.shared.publish(self.outcomes());
    }
}

/// The address that the peer connected to, for a socket that has many.
fn local_addr(stream: &Stream) -> Option<LocalAddr> {
    match stream {
        Stream::Tcp(tcp) => tcp.local_addr().ok().map(LocalAddr::new),
        Stream::Unix(_) => None,
    }
}

fn next(mut interfaces: Interfaces) -> NextInterfaces {
    Box::pin(async move {
        let update = interfaces.changed().await;
        (interfaces, update)
    })
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.lines.clear();
        self.publish();
        // Whoever drains waits for the sockets to be closed.
        self.shared.close();
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners")
            .field("lines", &self.lines)
            .field("waiting", &self.plan.waiting)
            .finish_non_exhaustive()
    }
}
