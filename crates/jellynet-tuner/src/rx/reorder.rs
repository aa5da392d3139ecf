//! Puts RTP packets back in order and says which never came.

use crate::ts::PACKET;

/// How far ahead a packet may be before what misses in front of it is given up.
pub(super) const WINDOW: u16 = 32;

/// The longest payload that can wait: seven packets, what fits Ethernet.
pub(super) const SLOT: usize = 7 * PACKET;

/// How far behind a packet may be and still belong to the same count (RFC 3550 appendix A.1).
const MAX_MISORDER: u16 = 100;

/// What became of an offered packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It is the next one: deliver it now.
    InOrder,
    /// The sender began anew with this packet: release what waits, then
    /// [`begin`](Reorder::begin) with it.
    Restart,
    /// It came too early and was put by.
    Stored,
    /// It is so far ahead that older ones have to be released first; offer it again.
    TooFar,
    /// It is here already.
    Duplicate,
    /// It was given up.
    Late,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    sequence: u16,
    length: usize,
}

/// The order of one stream.
#[derive(Debug)]
pub(super) struct Reorder {
    ssrc: Option<u32>,
    expected: u16,
    /// Bit n: the packet n + 1 before `expected` came.
    came: u64,
    highest: u16,
    waiting: u16,
    slots: [Slot; WINDOW as usize],
    data: Vec<u8>,
    /// The successor of a packet that was far behind; if it comes, the sender began anew.
    probation: Option<u16>,
    reordered: u64,
}

impl Reorder {
    pub(super) fn new() -> Self {
        Self {
            ssrc: None,
            expected: 0,
            came: 0,
            highest: 0,
            waiting: 0,
            slots: [Slot::default(); WINDOW as usize],
            data: vec![0; SLOT * usize::from(WINDOW)],
            probation: None,
            reordered: 0,
        }
    }

    /// How many packets came behind a later one and were put right.
    pub(super) const fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Whether packets wait for an earlier one.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Takes the packet `sequence` of the source `ssrc`.
    pub(super) fn offer(&mut self, ssrc: u32, sequence: u16, payload: &[u8]) -> Offer {
        match self.ssrc {
            None => {
                self.begin(ssrc, sequence);
                return Offer::InOrder;
            }
            Some(known) if known != ssrc => return Offer::Restart,
            Some(_) => {}
        }
        let ahead = sequence.wrapping_sub(self.expected);
        match ahead {
            0 => {
                self.reordered += u64::from(self.is_waiting());
                self.advance(true);
                Offer::InOrder
            }
            1..WINDOW => self.store(sequence, payload),
            WINDOW..0x8000 => {
                self.highest = sequence;
                Offer::TooFar
            }
            0x8000.. => self.behind(sequence, ahead.wrapping_neg()),
        }
    }

    /// What can be delivered: how many misses in front of it, and where in
    /// [`slot`](Self::slot) it is. `all` gives up whatever does not wait here.
    pub(super) fn release(&mut self, all: bool) -> Option<Released> {
        let mut lost = 0;
        loop {
            let index = self.index(self.expected);
            let slot = self.slots.get_mut(index)?;
            if slot.length > 0 && slot.sequence == self.expected {
                let length = std::mem::take(&mut slot.length);
                self.waiting -= 1;
                self.advance(true);
                return Some(Released { lost, index, length });
            }
            let too_far = self.highest.wrapping_sub(self.expected);
            let give_up = (WINDOW..0x8000).contains(&too_far) || (all && self.waiting > 0);
            if !give_up {
                return (lost > 0).then_some(Released { lost, index, length: 0 });
            }
            lost += 1;
            self.advance(false);
        }
    }

    /// The bytes of a released packet.
    pub(super) fn slot(&self, released: &Released) -> &[u8] {
        let start = released.index * SLOT;
        let slot = self.data.get(start..start + released.length);
        slot.unwrap_or_default()
    }

    /// Counts anew from the packet `sequence`, which is here.
    pub(super) fn begin(&mut self, ssrc: u32, sequence: u16) {
        self.ssrc = Some(ssrc);
        self.expected = sequence.wrapping_add(1);
        self.highest = sequence;
        self.came = 1;
        self.waiting = 0;
        self.slots = [Slot::default(); WINDOW as usize];
        self.probation = None;
    }

    fn advance(&mut self, came: bool) {
        self.expected = self.expected.wrapping_add(1);
        self.came = self.came << 1 | u64::from(came);
        let passed = self.expected.wrapping_sub(1);
        if is_after(passed, self.highest) {
            self.highest = passed;
        }
    }

    fn index(&self, sequence: u16) -> usize {
        usize::from(sequence) % self.slots.len()
    }

    fn store(&mut self, sequence: u16, payload: &[u8]) -> Offer {
        let index = self.index(sequence);
        let start = index * SLOT;
        let (Some(slot), Some(data)) =
            (self.slots.get_mut(index), self.data.get_mut(start..start + payload.len().min(SLOT)))
        else {
            return Offer::Late;
        };
        if slot.length > 0 && slot.sequence == sequence {
            return Offer::Duplicate;
        }
        data.copy_from_slice(payload.get(..data.len()).unwrap_or_default());
        *slot = Slot { sequence, length: data.len() };
        self.waiting += 1;
        if is_after(sequence, self.highest) {
            self.highest = sequence;
        } else {
            self.reordered += 1;
        }
        Offer::Stored
    }

    /// A packet `back` before the expected one, 1 or more.
    fn behind(&mut self, sequence: u16, back: u16) -> Offer {
        if back > MAX_MISORDER {
            if self.probation == Some(sequence) {
                return Offer::Restart;
            }
            self.probation = Some(sequence.wrapping_add(1));
            return Offer::Late;
        }
        let came = back <= 64 && self.came >> (back - 1) & 1 == 1;
        if came { Offer::Duplicate } else { Offer::Late }
    }
}

/// Whether `a` comes after `b`, the count wrapping.
const fn is_after(a: u16, b: u16) -> bool {
    matches!(a.wrapping_sub(b), 1..0x8000)
}

/// A packet that waited, or a loss with nothing behind it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Released {
    /// How many packets miss in front of it.
    pub(super) lost: u32,
    index: usize,
    length: usize,
}
