//! Searches, and the answers that wait for their turn.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jellynet_netif::{Received, Transmit, Via};

use super::endpoint::{Endpoint, Standing, endpoint_for, home};
use super::wave::nls;
use super::{Advertiser, Limits};
use crate::bucket::{Bucket, Sources};
use crate::hash::fnv1a;
use crate::link::Link;
use crate::message::{Details, FieldValue, MAX_DATAGRAM, Message, Response};
use crate::target::Wanted;

/// The largest `MX` that counts, in seconds (UPnP Device Architecture 2.0 § 1.3.3).
const MAX_MX: u32 = 5;

/// What waits to be sent, and how much may.
#[derive(Debug)]
pub(super) struct Answers {
    pending: BTreeMap<(Instant, u64), Answer>,
    count: u64,
    most: usize,
    sources: Sources,
    all: Bucket,
    /// Where the messages that match are collected, again and again.
    matching: Vec<usize>,
}

/// One answer that waits for its random delay.
#[derive(Clone, Debug)]
struct Answer {
    to: SocketAddr,
    via: Via,
    link: Link,
    message: usize,
    /// The version that was asked for, where it is not ours.
    version: Option<u32>,
    /// What was looked for, to know a repeated search.
    question: u64,
}

impl Answers {
    pub(super) fn new(limits: Limits) -> Self {
        let each = Bucket::per_second(limits.search_burst, limits.searches_per_second);
        Self {
            pending: BTreeMap::new(),
            count: 0,
            most: limits.pending,
            sources: Sources::new(each, limits.sources),
            all: Bucket::per_second(limits.answer_burst, limits.answers_per_second),
            matching: Vec::new(),
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.pending.keys().next().map(|(due, _)| *due)
    }

    pub(super) fn clear(&mut self) {
        self.pending.clear();
    }

    /// Drops what waits for a link that is gone.
    pub(super) fn keep(&mut self, endpoints: &[Endpoint]) {
        self.pending.retain(|_, answer| endpoints.iter().any(|e| e.link == answer.link));
    }

    fn is_pending(&self, to: SocketAddr, question: u64) -> bool {
        self.pending.values().any(|a| a.to == to && a.question == question)
    }

    fn pop_due(&mut self, now: Instant) -> Option<Answer> {
        let first = self.pending.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    fn push(&mut self, due: Instant, answer: Answer) {
        self.count = self.count.wrapping_add(1);
        self.pending.insert((due, self.count), answer);
    }
}

/// A search that deserves an answer.
struct Question<'a> {
    wanted: Wanted<'a>,
    text: &'a str,
    /// Within how long; `None` for a unicast search, which is answered at once.
    window: Option<Duration>,
}

impl Advertiser {
    pub(super) fn answer(&mut self, now: Instant, datagram: Received<'_>) {
        if !is_search(datagram.payload) {
            return;
        }
        count(&mut self.counters.searches);
        if !self.is_welcome(&datagram) {
            count(&mut self.counters.off_link);
            return;
        }
        if !self.answers.sources.take(now, datagram.source.ip()) {
            count(&mut self.counters.throttled);
            return;
        }
        if let Some(question) = self.read(&datagram) {
            self.queue(now, &datagram, &question);
        }
    }

    fn is_welcome(&self, datagram: &Received<'_>) -> bool {
        let source = datagram.source;
        if self.table.is_on_link(datagram.interface, source) {
            return true;
        }
        let ip = source.ip();
        let real = source.port() != 0 && !ip.is_multicast() && !ip.is_unspecified();
        real && self.config.sources.iter().any(|net| net.contains(&ip))
    }

    fn read<'a>(&mut self, datagram: &Received<'a>) -> Option<Question<'a>> {
        let Ok(Message::Search(search)) = Message::parse(datagram.payload) else {
            count(&mut self.counters.malformed);
            return None;
        };
        let text = search.target.as_str();
        let Some(wanted) = Wanted::read(text) else {
            count(&mut self.counters.unmatched);
            return None;
        };
        let missing = self.config.answer_without_mx.then_some(1);
        let window = if self.table.holding(datagram.destination).is_some() {
            None
        } else if let Some(mx) = search.mx.or(missing) {
            // A device may assume less than MX; who waits for MX and no longer still hears us.
            Some(Duration::from_millis(800) * mx.clamp(1, MAX_MX))
        } else {
            count(&mut self.counters.malformed);
            return None;
        };
        Some(Question { wanted, text, window })
    }

    fn queue(&mut self, now: Instant, datagram: &Received<'_>, question: &Question<'_>) {
        let peer = datagram.source.ip();
        let interface = home(&self.table, datagram.interface, datagram.destination);
        let endpoint = interface.and_then(|i| endpoint_for(&self.endpoints, i, peer));
        let (Some(interface), Some(endpoint)) = (interface, endpoint) else {
            return;
        };
        let asked = Some(datagram.destination).filter(|_| question.window.is_none());
        let Some(source) = asked.or_else(|| interface.address_towards(peer)) else {
            return;
        };
        let via = Via::Reply { interface: interface.index, source };
        let link = endpoint.link;
        let mut matching = std::mem::take(&mut self.answers.matching);
        matching.clear();
        matching.extend(self.matching(endpoint, &question.wanted));
        // Only what waits can be repeated. Two questions that collide cost one of them its answer.
        let waits = question.window.is_some() || !self.answers.pending.is_empty();
        let id = if waits { fnv1a(question.text.as_bytes()) } else { 0 };
        if matching.is_empty() {
            count(&mut self.counters.unmatched);
        } else if self.answers.is_pending(datagram.source, id) {
            count(&mut self.counters.repeated);
        } else if self.admit(now, matching.len()) {
            for message in matching.iter().copied() {
                let answer = Answer {
                    to: datagram.source,
                    via,
                    link,
                    message,
                    version: version(&question.wanted),
                    question: id,
                };
                self.put(now, question.window, answer);
            }
        } else {
            count(&mut self.counters.throttled);
        }
        self.answers.matching = matching;
    }

    /// The messages that answer `wanted` and have a URL at that endpoint.
    fn matching(&self, endpoint: &Endpoint, wanted: &Wanted<'_>) -> impl Iterator<Item = usize> {
        let located = |device: usize| endpoint.locations.get(device).is_some_and(Option::is_some);
        let all = self.messages.iter().enumerate();
        all.filter(move |(_, (device, message))| located(*device) && message.matches(wanted))
            .map(|(at, _)| at)
    }

    /// Whether there is room for so many more answers, all or none.
    fn admit(&mut self, now: Instant, more: usize) -> bool {
        let answers = &mut self.answers;
        let room = answers.pending.len().saturating_add(more) <= answers.most;
        room && answers.all.take(now, u32::try_from(more).unwrap_or(u32::MAX))
    }

    fn put(&mut self, now: Instant, window: Option<Duration>, answer: Answer) {
        match window {
            None => self.send_answer(&answer),
            Some(window) => {
                let delay = self.random.between(Duration::ZERO, window);
                self.answers.push(now + delay, answer);
            }
        }
    }

    pub(super) fn send_answers(&mut self, now: Instant) {
        while let Some(answer) = self.answers.pop_due(now) {
            self.send_answer(&answer);
        }
    }

    /// Takes the answers that are ready out of turn, for a socket that is not the main one.
    #[cfg(feature = "udp")]
    pub(crate) fn take_replies(&mut self) -> std::collections::VecDeque<Transmit> {
        let out = std::mem::take(&mut self.out);
        let is_reply = |transmit: &Transmit| matches!(transmit.via, Via::Reply { .. });
        let (replies, rest) = out.into_iter().partition(is_reply);
        self.out = rest;
        replies
    }

    fn send_answer(&mut self, answer: &Answer) {
        if let Some(endpoint) = self.endpoints.iter_mut().find(|e| e.link == answer.link) {
            endpoint.standing = endpoint.standing.max(Standing::Answered);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        if self.compose_answer(answer, &mut scratch).is_some() {
            count(&mut self.counters.answers);
            let payload = bytes::Bytes::copy_from_slice(&scratch);
            self.out.push_back(Transmit { payload, destination: answer.to, via: answer.via });
        }
        self.scratch = scratch;
    }

    fn compose_answer(&self, answer: &Answer, out: &mut Vec<u8>) -> Option<()> {
        let endpoint = self.endpoints.iter().find(|e| e.link == answer.link)?;
        let (at, message) = self.messages.get(answer.message)?;
        let device = self.devices.get(*at)?;
        let location = endpoint.locations.get(*at)?.as_deref()?;
        let other = answer.version.and_then(|version| message.asked_at(version));
        let message = other.as_ref().unwrap_or(message);
        let boot_id = self.boot_id_of(endpoint, *at);
        let response = Response {
            target: FieldValue::trusted(message.nt()),
            usn: FieldValue::trusted(message.usn()),
            details: Details {
                max_age: Some(self.max_age_seconds()),
                location: Some(FieldValue::trusted(location)),
                server: Some(FieldValue::trusted(&self.config.server)),
                boot_id: Some(boot_id),
                next_boot_id: None,
                config_id: Some(device.config_id()),
                search_port: self.search_port,
                nls: nls(endpoint, boot_id),
            },
        };
        response.write(out);
        Some(())
    }
}

/// Whether it may be a search at all; everything else on this port is for control points.
fn is_search(payload: &[u8]) -> bool {
    payload.len() <= MAX_DATAGRAM
        && payload.get(..8).is_some_and(|method| method.eq_ignore_ascii_case(b"M-SEARCH"))
}

const fn version(wanted: &Wanted<'_>) -> Option<u32> {
    match wanted {
        Wanted::Type { version, .. } => Some(*version),
        Wanted::All | Wanted::RootDevice | Wanted::Device(_) => None,
    }
}

const fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
