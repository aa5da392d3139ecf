//! The open sockets, kept in line with the interfaces.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::config::UdpConfig;
use super::plan::plan;
use super::send::Complaints;
use super::socket::{Failure, Open, wanted};
use super::status::{Counters, Membership, SocketRole, SocketState, UdpSocketStatus, UdpStatus};
use crate::interface::InterfaceTable;

/// The sockets of one engine.
#[derive(Debug)]
pub(crate) struct UdpSet {
    pub(super) config: UdpConfig,
    pub(super) counters: Arc<Counters>,
    /// In the order of their roles: listening ones first.
    pub(super) slots: Vec<Slot>,
    pub(super) table: Arc<InterfaceTable>,
    /// Interfaces whose datagrams are heard.
    pub(super) heard: BTreeSet<u32>,
    pub(super) complaints: Complaints,
    /// Whose turn it is to be read first.
    pub(super) turn: usize,
    port: u16,
    memberships: Vec<(IpAddr, u32)>,
}

/// A socket that should be there.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) role: SocketRole,
    pub(super) state: Result<Open, Failure>,
}

impl UdpSet {
    pub(crate) fn new(config: UdpConfig, counters: Arc<Counters>) -> Self {
        Self {
            port: config.port.unwrap_or(0),
            config,
            counters,
            slots: Vec::new(),
            table: Arc::default(),
            heard: BTreeSet::new(),
            complaints: Complaints::default(),
            turn: 0,
            memberships: Vec::new(),
        }
    }

    /// Opens, closes, joins and leaves what these interfaces ask for. What failed before is tried
    /// again at once.
    pub(crate) fn reconcile(&mut self, table: Arc<InterfaceTable>, now: Instant) {
        let plan = plan(&self.config, &table);
        self.table = table;
        self.heard = plan.interfaces;
        self.memberships = plan.memberships;
        self.complaints.keep(&self.heard);
        self.slots.retain(|slot| plan.sockets.contains(&slot.role));
        for role in plan.sockets {
            match self.slots.binary_search_by_key(&role, |slot| slot.role) {
                Ok(known) => self.reopen(known, now, |_| true),
                Err(at) => {
                    let state = self.open(role, 0, now);
                    self.slots.insert(at, Slot { role, state });
                }
            }
        }
        self.rejoin(now, |_| true);
    }

    /// Tries again what is due.
    pub(crate) fn retry(&mut self, now: Instant) {
        for at in 0..self.slots.len() {
            self.reopen(at, now, |failure| failure.retry_at <= now);
        }
        self.rejoin(now, |failure| failure.retry_at <= now);
    }

    /// When something is due to be tried again.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        let failures = self.slots.iter().flat_map(|slot| {
            let socket = slot.state.as_ref().err();
            let memberships = slot.state.as_ref().ok().map(|open| &open.memberships);
            let memberships = memberships.into_iter().flatten();
            socket.into_iter().chain(memberships.filter_map(|(_, failure)| failure.as_ref()))
        });
        failures.map(|failure| failure.retry_at).min()
    }

    /// How everything stands.
    pub(crate) fn status(&self) -> UdpStatus {
        let mut status = UdpStatus::default();
        for slot in &self.slots {
            let state = match &slot.state {
                Ok(open) => SocketState::Open { local: open.local },
                Err(failure) => SocketState::Failed {
                    wanted: wanted(slot.role, self.port),
                    error: Arc::clone(&failure.error),
                    attempts: failure.attempts,
                },
            };
            status.sockets.push(UdpSocketStatus { role: slot.role, state });
            let memberships = slot.state.as_ref().ok().map(|open| &open.memberships);
            for ((group, interface), failure) in memberships.into_iter().flatten() {
                status.memberships.push(Membership {
                    group: *group,
                    interface: *interface,
                    error: failure.as_ref().map(|f| Arc::clone(&f.error)),
                });
            }
        }
        status
    }

    /// Takes a broken socket out of service until it is tried again.
    pub(super) fn broke(&mut self, at: usize, error: io::Error, now: Instant) {
        if let Some(slot) = self.slots.get_mut(at) {
            tracing::warn!(role = ?slot.role, %error, "read udp socket, opening it again");
            slot.state = Err(Failure::new(error, 0, &self.config, now));
        }
    }

    fn reopen(&mut self, at: usize, now: Instant, due: impl Fn(&Failure) -> bool) {
        let failed = self.slots.get(at).and_then(|slot| match &slot.state {
            Err(failure) if due(failure) => Some((slot.role, failure.attempts)),
            Ok(_) | Err(_) => None,
        });
        let Some((role, attempts)) = failed else {
            return;
        };
        let state = self.open(role, attempts, now);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.state = state;
        }
    }

    fn open(&mut self, role: SocketRole, attempts: u32, now: Instant) -> Result<Open, Failure> {
        let wanted = wanted(role, self.port);
        match Open::new(role, self.port, &self.config) {
            Ok(open) => {
                if matches!(role, SocketRole::Listen { .. }) {
                    // A port that the system picked is the port of the other family too, and
                    // stays when a socket is opened again.
                    self.port = open.local.port();
                }
                if attempts > 0 {
                    tracing::info!(addr = %open.local, "opened udp socket at last");
                }
                Ok(open)
            }
            Err(error) => {
                // Once in a row of failures.
                if attempts == 0 {
                    tracing::warn!(addr = %wanted, %error, "open udp socket, trying again later");
                }
                Err(Failure::new(error, attempts, &self.config, now))
            }
        }
    }

    fn rejoin(&mut self, now: Instant, due: impl Fn(&Failure) -> bool) {
        for slot in &mut self.slots {
            let (SocketRole::Listen { ip }, Ok(open)) = (slot.role, &mut slot.state) else {
                continue;
            };
            let wanted = || {
                let wanted = self.memberships.iter().copied();
                wanted.filter(move |(group, _)| group.is_ipv4() == ip.is_ipv4())
            };
            let stale: Vec<_> = open.memberships.keys().copied().collect();
            for (group, index) in stale.into_iter().filter(|m| !wanted().any(|w| w == *m)) {
                open.leave(group, index);
                open.memberships.remove(&(group, index));
            }
            for (group, index) in wanted() {
                let before = match open.memberships.get(&(group, index)) {
                    Some(None) => continue,
                    Some(Some(failure)) if !due(failure) => continue,
                    Some(Some(failure)) => failure.attempts,
                    None => 0,
                };
                let failure = open.join(group, index).err().map(|error| {
                    if before == 0 {
                        tracing::warn!(%group, index, %error, "join group, trying again later");
                    }
                    Failure::new(error, before, &self.config, now)
                });
                open.memberships.insert((group, index), failure);
            }
        }
    }
}
