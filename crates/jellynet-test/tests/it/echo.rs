//! Engines for tests: one that keeps every law, and ways to break each.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jellynet_netif::{Engine, InterfaceTable, Received, Transmit, Via};
use jellynet_test::laws::Subject;

/// What an [`Echo`] does that it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vice {
    None,
    ReadsTheClock,
    Panics,
    Hoards,
    Stands,
    AnswersStrangers,
    AnswersTwice,
    MixesInterfacesUp,
    Complains,
}

/// Sends `ping` back as `pong` to sources on the link, and tells the group every minute that it is
/// there.
pub(crate) struct Echo {
    vice: Vice,
    interfaces: InterfaceTable,
    queue: VecDeque<Transmit>,
    hoard: Vec<Vec<u8>>,
    next: Instant,
}

impl Echo {
    pub(crate) fn new(vice: Vice, now: Instant) -> Self {
        Self {
            vice,
            interfaces: InterfaceTable::default(),
            queue: VecDeque::new(),
            hoard: Vec::new(),
            next: now + Duration::from_secs(60),
        }
    }

    fn announce(&mut self) {
        for (interface, address) in self.interfaces.addresses() {
            if interface.flags.multicast && address.ip().is_ipv4() {
                self.queue.push_back(Transmit {
                    payload: Bytes::from_static(b"here"),
                    destination: ([239, 255, 255, 250], 7).into(),
                    via: Via::Announce { interface: interface.index, source: address.ip() },
                });
            }
        }
    }
}

impl Engine for Echo {
    type Event = Vec<u8>;

    fn handle_datagram(&mut self, now: Instant, datagram: Received<'_>) {
        if datagram.payload != b"ping" {
            if self.vice == Vice::Complains {
                tracing::warn!("malformed");
            }
            assert!(self.vice != Vice::Panics || datagram.payload.len() != 3);
            return;
        }
        if self.vice == Vice::Hoards {
            self.hoard.push(vec![0; 1_000]);
        }
        let near = self.interfaces.is_on_link(datagram.interface, datagram.source);
        if !near && self.vice != Vice::AnswersStrangers {
            return;
        }
        let index = match (self.vice, datagram.interface) {
            (Vice::MixesInterfacesUp, 2) => 3,
            (_, index) => index,
        };
        let towards = self.interfaces.by_index(index);
        let Some(source) = towards.and_then(|i| i.address_towards(datagram.source.ip())) else {
            return;
        };
        if datagram.source.port() == 0 {
            return;
        }
        let times = if self.vice == Vice::AnswersTwice { 2 } else { 1 };
        for _ in 0..times {
            let via = Via::Reply { interface: index, source };
            self.queue.push_back(Transmit {
                payload: Bytes::from_static(b"pong"),
                destination: datagram.source,
                via,
            });
        }
        if self.vice == Vice::ReadsTheClock {
            self.next = now.min(self.next) + clock();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.next > now {
            return;
        }
        self.announce();
        if self.vice != Vice::Stands {
            self.next = now + Duration::from_secs(60);
        }
    }

    fn handle_interfaces(&mut self, _: Instant, interfaces: &InterfaceTable) {
        self.interfaces = interfaces.clone();
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.queue.pop_front()
    }

    fn poll_event(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the vice")]
fn clock() -> Duration {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Duration::from_nanos(u64::from(nanos.unwrap().subsec_nanos()))
}

pub(crate) struct Suspect(pub(crate) Vice);

impl Subject for Suspect {
    type Engine = Echo;

    fn engine(&self, now: Instant, _: u64) -> Echo {
        Echo::new(self.0, now)
    }

    fn golden(&self) -> Vec<Vec<u8>> {
        vec![b"ping".to_vec()]
    }

    fn reply_limit(&self) -> usize {
        4
    }
}
