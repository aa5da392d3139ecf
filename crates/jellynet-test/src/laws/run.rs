//! An engine on its way through a script.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jellynet_netif::{Engine, InterfaceTable, Received, Transmit};

use super::Subject;
use super::script::{Action, Origin, tables};
use crate::deadline::now;
use crate::wire::refusal;
use crate::wire::seat::drain;

/// More time-outs than an engine may have between two actions of a script.
const RESTLESS: usize = 20_000;

/// What an engine did, relative to the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Sent(Duration, Transmit),
    Events(Duration, usize),
    Due(Option<Duration>),
}

/// An engine and all that it did.
pub(super) struct Run<E> {
    engine: E,
    begin: Instant,
    now: Instant,
    interfaces: InterfaceTable,
    pub(super) transcript: Vec<Line>,
    pub(super) events: usize,
    /// How many datagrams each source sent while it was on the link.
    asked: HashMap<SocketAddr, usize>,
}

impl<E: Engine> Run<E> {
    /// A new engine that knows its interfaces.
    pub(super) fn start(
        subject: &impl Subject<Engine = E>,
        begin: Instant,
    ) -> Result<Self, String> {
        let [interfaces, ..] = tables();
        let mut run = Self {
            engine: subject.engine(begin, 7),
            begin,
            now: begin,
            interfaces,
            transcript: Vec::new(),
            events: 0,
            asked: HashMap::new(),
        };
        run.engine.handle_interfaces(begin, &run.interfaces);
        run.drain()?;
        subject.start(&mut run.engine, begin);
        run.drain()?;
        Ok(run)
    }

    /// An engine that has gone through a script.
    pub(super) fn of(
        subject: &impl Subject<Engine = E>,
        script: &[Action],
        begin: Instant,
    ) -> Result<Self, String> {
        let mut run = Self::start(subject, begin)?;
        for action in script {
            run.act(action)?;
        }
        Ok(run)
    }

    pub(super) fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Datagram { payload, origin: Origin { source, interface, .. }, destination } => {
                if self.interfaces.is_on_link(*interface, *source) {
                    *self.asked.entry(*source).or_default() += 1;
                }
                let datagram = Received {
                    payload,
                    source: *source,
                    destination: *destination,
                    interface: *interface,
                };
                self.engine.handle_datagram(self.now, datagram);
            }
            Action::Wait(time) => return self.wait_until(self.now + *time),
            Action::Interfaces(table) => {
                let table = tables().get(*table).cloned();
                self.interfaces = table.unwrap_or_default();
                self.engine.handle_interfaces(self.now, &self.interfaces);
            }
        }
        self.drain()
    }

    fn wait_until(&mut self, end: Instant) -> Result<(), String> {
        for _ in 0..RESTLESS {
            if self.engine.poll_timeout().is_none_or(|due| due > end) {
                self.now = end;
                return Ok(());
            }
            self.next_timeout(Duration::ZERO)?;
        }
        Err(format!("more than {RESTLESS} time-outs"))
    }

    /// Lets everything happen that was put off, for an hour.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.wait_until(self.now + Duration::from_secs(3600))
    }

    /// Keeps the next time-out, so much too late; whether there was one.
    pub(super) fn next_timeout(&mut self, late: Duration) -> Result<bool, String> {
        let Some(due) = self.engine.poll_timeout() else {
            return Ok(false);
        };
        self.now = self.now.max(due) + late;
        self.engine.handle_timeout(self.now);
        self.drain()?;
        match self.engine.poll_timeout().filter(|next| *next <= self.now) {
            None => Ok(true),
            Some(next) => {
                let back = self.now - next;
                Err(format!("the time-out after a kept one lies {back:?} back"))
            }
        }
    }

    fn drain(&mut self) -> Result<(), String> {
        let at = self.now - self.begin;
        for transmit in drain(|| self.engine.poll_transmit(), "poll_transmit") {
            if let Some(why) = refusal(&self.interfaces, &transmit) {
                return Err(format!("no kernel sends {transmit:?}: {why}"));
            }
            self.transcript.push(Line::Sent(at, transmit));
        }
        let events = drain(|| self.engine.poll_event(), "poll_event").len();
        if events > 0 {
            self.events += events;
            self.transcript.push(Line::Events(at, events));
        }
        let due = self.engine.poll_timeout();
        let due = due.map(|due| due.saturating_duration_since(self.begin));
        self.transcript.push(Line::Due(due));
        Ok(())
    }

    /// How many datagrams a source sent from the link, and how many bytes went to it.
    pub(super) fn account(&self, origin: &Origin) -> (usize, usize) {
        let asked = self.asked.get(&origin.source).copied().unwrap_or(0);
        let sent = self.sent().filter(|transmit| is_same(transmit.destination, origin.source));
        (asked, sent.map(|transmit| transmit.payload.len()).sum())
    }

    /// An error when something went to a source by another interface than it came by.
    pub(super) fn strays(&self) -> Result<(), String> {
        let origins = Origin::all();
        for transmit in self.sent() {
            let origin = origins.iter().find(|origin| is_same(transmit.destination, origin.source));
            let Some(origin) = origin else { continue };
            if transmit.via.interface() != origin.interface {
                return Err(format!(
                    "{} came by interface {}, but {transmit:?}",
                    origin.source, origin.interface
                ));
            }
        }
        Ok(())
    }

    fn sent(&self) -> impl Iterator<Item = &Transmit> {
        self.transcript.iter().filter_map(|line| match line {
            Line::Sent(_, transmit) => Some(transmit),
            Line::Events(..) | Line::Due(_) => None,
        })
    }
}

/// The same address and port, whatever the scope; never a broadcast, which is for everybody.
fn is_same(destination: SocketAddr, source: SocketAddr) -> bool {
    let everybody = matches!(source, SocketAddr::V4(v4) if v4.ip().is_broadcast());
    !everybody && destination.ip() == source.ip() && destination.port() == source.port()
}

/// Sends datagrams from 20,000 sources, a millisecond apart, and measures the heap.
pub(super) fn flood<S: Subject>(subject: &S) {
    const STRANGERS: u32 = 20_000;
    let [interfaces, ..] = tables();
    let golden = subject.golden();
    let mut random = fastrand::Rng::with_seed(7);
    let mut now = now();
    let counted = crate::allocations(|| {
        let mut engine = subject.engine(now, 7);
        engine.handle_interfaces(now, &interfaces);
        subject.start(&mut engine, now);
        for n in 0..STRANGERS {
            let host = 2 + u8::try_from(n % 250).unwrap_or(0);
            let port = 1024 + u16::try_from(n).unwrap_or(0);
            let mut payload = random.choice(&golden).cloned().unwrap_or_default();
            let length = payload.len();
            // Every other one as it is, so that it is understood.
            if n % 2 == 1
                && length > 0
                && let Some(byte) = payload.get_mut(random.usize(..length))
            {
                *byte = random.u8(..);
            }
            let datagram = Received {
                payload: &payload,
                source: SocketAddr::from(([10, 77, 1, host], port)),
                destination: [10, 77, 1, 1].into(),
                interface: 2,
            };
            engine.handle_datagram(now, datagram);
            now += Duration::from_millis(1);
            if engine.poll_timeout().is_some_and(|due| due <= now) {
                engine.handle_timeout(now);
            }
            while engine.poll_transmit().is_some() {}
            while engine.poll_event().is_some() {}
        }
    });
    let (held, limit) = (counted.bytes_max, subject.memory_limit());
    assert!(
        held <= limit,
        "E2 total: {STRANGERS} strangers made the engine hold {held} bytes, more than {limit}"
    );
}
