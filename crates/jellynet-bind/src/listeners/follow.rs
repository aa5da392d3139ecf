//! Keeping the sockets as the interfaces are.

use std::sync::Arc;
use std::task::{Context, Poll};

use jellynet_netif::InterfaceTable;
use tokio::time::Instant;

use super::event::Event;
use super::line::{Line, LineState, Retry, Shut, ShutLine};
use super::{Listeners, next};
use crate::bind::{BoundAddr, Slot, SlotState};
use crate::plan::{BindPlan, Endpoint, PlannedSocket, Presence};

impl Listeners {
    /// Takes over what has changed about the interfaces.
    pub(super) fn follow(&mut self, cx: &mut Context<'_>) {
        while let Some(watch) = &mut self.interfaces {
            let Poll::Ready((interfaces, update)) = watch.as_mut().poll(cx) else {
                return;
            };
            self.interfaces = update.as_ref().map(|_| next(interfaces));
            if let Some(update) = update {
                self.replan(&update.table);
            }
        }
    }

    fn replan(&mut self, interfaces: &InterfaceTable) {
        let plan = self.opener.bind.plan(interfaces);
        let old = std::mem::replace(&mut self.plan, plan);
        for waiting in &self.plan.waiting {
            if !old.waiting.contains(waiting) {
                self.shared.tell(Event::Waiting {
                    name: self.name(waiting.request),
                    why: waiting.why.clone(),
                });
            }
        }
        for index in 0..self.lines.len() {
            self.adjust(index, interfaces);
        }
        self.forget_unwanted();
        let new: Vec<PlannedSocket> =
            self.plan.sockets.iter().filter(|p| !self.has(p)).cloned().collect();
        for planned in new {
            for slot in self.opener.attempt(&planned, true) {
                self.tell_slot(&slot);
                self.push(slot);
            }
        }
        self.publish();
    }

    /// Drops lines that are shut and that nobody wants any more.
    fn forget_unwanted(&mut self) {
        let plan = &self.plan;
        self.lines.retain(|line| {
            let open = matches!(line.state, LineState::Open(_));
            open || planned_as(plan, &line.planned).is_some()
        });
    }

    fn has(&self, planned: &PlannedSocket) -> bool {
        let same = |line: &Line| same_place(&line.planned, planned);
        self.lines.iter().any(same)
    }

    /// Brings one line up to the new plan.
    fn adjust(&mut self, index: usize, interfaces: &InterfaceTable) {
        let Some(line) = self.lines.get_mut(index) else {
            return;
        };
        let planned = planned_as(&self.plan, &line.planned);
        if let Some(planned) = planned {
            line.planned.presence = planned.presence.clone();
        }
        let there = planned.is_some_and(|p| !matches!(p.presence, Presence::Missing { .. }));
        let name = || Arc::clone(&line.counts.name);
        match &mut line.state {
            LineState::Open(open) => match (there, open.closes_at) {
                (true, None) | (false, Some(_)) => {}
                (true, Some(_)) => {
                    open.closes_at = None;
                    let addr = open.addr.clone();
                    self.shared.tell(Event::AddrBack { name: name(), addr });
                }
                (false, None) => {
                    // The address of eth0 that is now eth1's is not eth0's business for a moment.
                    let moved = matches!(&open.addr, BoundAddr::Inet(a) if interfaces.holding(a.ip()).is_some());
                    let grace =
                        if moved { std::time::Duration::ZERO } else { self.options.lost_grace };
                    open.closes_at = Some(Instant::now() + grace);
                    let addr = open.addr.clone();
                    self.shared.tell(Event::AddrLost { name: name(), addr });
                }
            },
            LineState::Shut(shut) if there && shut.retry.is_some() => self.retry(index),
            LineState::Shut(_) => {}
        }
    }

    /// Does what the time has come for.
    pub(super) fn tend(&mut self) {
        let Some(at) = self.wake_at else {
            return;
        };
        let now = Instant::now();
        if at > now {
            return;
        }
        let mut changed = false;
        for index in 0..self.lines.len() {
            let Some(line) = self.lines.get_mut(index) else {
                continue;
            };
            match &line.state {
                LineState::Shut(ShutLine { retry: Some(retry), .. }) if retry.at <= now => {
                    self.retry(index);
                    changed = true;
                }
                LineState::Open(open) if open.closes_at.is_some_and(|at| at <= now) => {
                    self.close_lost(index);
                    changed = true;
                }
                LineState::Open(_) | LineState::Shut(_) => {}
            }
        }
        if changed {
            self.forget_unwanted();
            self.publish();
        }
    }

    /// Closes a socket whose address is gone; if it is still asked for, waits for the address.
    fn close_lost(&mut self, index: usize) {
        let Some(line) = self.lines.get_mut(index) else {
            return;
        };
        let LineState::Open(open) = &line.state else {
            return;
        };
        self.shared
            .tell(Event::Closed { name: Arc::clone(&line.counts.name), addr: open.addr.clone() });
        let why = match &line.planned.endpoint {
            Endpoint::Tcp(addr) => line.planned.presence.wait_reason(*addr),
            Endpoint::Unix(_) | Endpoint::Systemd(_) | Endpoint::Fd(_) => None,
        };
        line.state = LineState::shut(why.map_or(Shut::Lacking, Shut::Waiting));
    }

    /// Tries to open a shut line again.
    fn retry(&mut self, index: usize) {
        let Some(line) = self.lines.get_mut(index) else {
            return;
        };
        let LineState::Shut(shut) = &line.state else {
            return;
        };
        let (retry, was_failed) = (shut.retry, matches!(shut.why, Shut::Failed(_)));
        let Some(slot) = self.opener.attempt(&line.planned, !was_failed).pop() else {
            return;
        };
        let again = match (&slot.state, &shut.why) {
            // Who is in the way was found out and told the first time.
            (SlotState::Failed(error), Shut::Failed(_)) => error.is_transient(),
            (SlotState::Waiting(why), Shut::Waiting(old)) => why == old,
            _ => false,
        };
        if again {
            if let LineState::Shut(shut) = &mut line.state {
                shut.retry = retry.map(Retry::next);
            }
            return;
        }
        if let Some(event) = slot_event(&slot, &line.counts.name) {
            self.shared.tell(event);
        }
        line.state = LineState::from_slot(slot.state);
    }

    fn tell_slot(&self, slot: &Slot) {
        if let Some(event) = slot_event(slot, &self.name(slot.request)) {
            self.shared.tell(event);
        }
    }

    pub(super) fn push(&mut self, slot: Slot) {
        let name = self.name(slot.request);
        let planned = self
            .plan
            .sockets
            .iter()
            .find(|p| p.request == slot.request && p.endpoint == slot.endpoint);
        let Some((planned, counts)) = planned.cloned().zip(self.shared.counts(&name)) else {
            return;
        };
        self.lines.push(Line { planned, counts, state: LineState::from_slot(slot.state) });
    }

    fn name(&self, request: usize) -> Arc<str> {
        let request = self.opener.bind.requests.get(request);
        request.map_or_else(|| "".into(), |request| Arc::clone(&request.name))
    }
}

fn same_place(a: &PlannedSocket, b: &PlannedSocket) -> bool {
    a.request == b.request && a.endpoint == b.endpoint
}

fn planned_as<'a>(plan: &'a BindPlan, socket: &PlannedSocket) -> Option<&'a PlannedSocket> {
    plan.sockets.iter().find(|p| same_place(p, socket))
}

fn slot_event(slot: &Slot, name: &Arc<str>) -> Option<Event> {
    let name = Arc::clone(name);
    Some(match &slot.state {
        SlotState::Open(socket) => Event::BoundNew { name, addr: socket.addr.clone() },
        SlotState::Waiting(why) => Event::Waiting { name, why: why.clone() },
        SlotState::Failed(error) => Event::Failed { name, error: Arc::clone(error) },
        SlotState::Lacking => return None,
    })
}
