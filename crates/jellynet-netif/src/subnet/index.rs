//! Address ranges in tables that fit their spread: which entry holds this address?

use std::ops::RangeInclusive;

use ipnet::IpNet;

/// The most starts that one slot leaves to be compared one after the other.
const IN_ONE_SLOT: usize = 4;

/// An address as a number.
pub(super) trait Key: Copy + Ord {
    const LOWEST: Self;

    /// The next higher address; `None` at the end of the space.
    fn after(self) -> Option<Self>;

    /// How many bits it takes to count from `base` to here.
    fn bits_above(self, base: Self) -> u32;

    /// The distance from `base` in units of `2^shift`.
    fn slot(self, base: Self, shift: u32) -> usize;
}

macro_rules! key {
    ($int:ty) => {
        impl Key for $int {
            const LOWEST: Self = 0;

            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn bits_above(self, base: Self) -> u32 {
                Self::BITS - self.wrapping_sub(base).leading_zeros()
            }

            fn slot(self, base: Self, shift: u32) -> usize {
                let distance = self.wrapping_sub(base) >> shift;
                usize::try_from(distance).unwrap_or(usize::MAX)
            }
        }
    };
}

key!(u32);
key!(u128);

/// Neighbouring ranges that cover the whole family, each with the entry that holds it.
///
/// A table has about as many slots as starts between its first and its last one, and one slot
/// leads to a few starts or, where they crowd, to a table of its own. A lookup is one table for
/// most lists, whatever their length, and two where a list has distant crowds.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Index<K> {
    starts: Vec<K>,
    /// [`NOBODY`] or a position in the list of inclusions.
    holders: Vec<u32>,
    tables: Vec<Table<K>>,
    slots: Vec<Slot>,
}

const NOBODY: u32 = u32::MAX;

/// Equal steps from one start to another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Table<K> {
    base: K,
    shift: u32,
    /// The position of the start that is `base`.
    first_start: usize,
    first_slot: usize,
    last_slot: usize,
}

/// Where the search goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// At this start, which the slot has reached for certain, or at one of the next.
    Start(u32),
    Table(u32),
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self { starts: Vec::new(), holders: Vec::new(), tables: Vec::new(), slots: Vec::new() }
    }
}

impl<K: Key> Index<K> {
    /// The position in the list of inclusions of the entry that holds `key`.
    pub(super) fn find(&self, key: K) -> Option<usize> {
        let holder = *self.holders.get(self.start_before(key)?)?;
        (holder != NOBODY).then_some(holder as usize)
    }

    /// The position of the last start that is not behind `key`.
    fn start_before(&self, key: K) -> Option<usize> {
        let mut table = self.tables.first()?;
        loop {
            if key < table.base {
                return table.first_start.checked_sub(1);
            }
            let slot = key.slot(table.base, table.shift);
            let slot = (table.first_slot.saturating_add(slot)).min(table.last_slot);
            match *self.slots.get(slot)? {
                Slot::Table(deeper) => table = self.tables.get(deeper as usize)?,
                Slot::Start(at) => {
                    let next = at as usize + 1;
                    let behind = self.starts.get(next..)?.iter();
                    return Some(at as usize + behind.take_while(|start| **start <= key).count());
                }
            }
        }
    }

    /// Whether no range has a holder.
    pub(super) fn is_empty(&self) -> bool {
        self.holders.iter().all(|holder| *holder == NOBODY)
    }

    fn new(ranges: Vec<(K, u32)>) -> Self {
        let (starts, holders) = ranges.into_iter().unzip();
        let mut index = Self { starts, holders, ..Self::default() };
        if let Some(last) = index.starts.len().checked_sub(1) {
            // The first start is the lowest address, far from a crowd: it needs no slot.
            index.add_table(last.min(1)..=last);
        }
        index
    }

    fn add_table(&mut self, starts: RangeInclusive<usize>) -> u32 {
        let (first, last) = (*starts.start(), *starts.end());
        let (Some(&base), Some(&top)) = (self.starts.get(first), self.starts.get(last)) else {
            return 0;
        };
        // At least one bit, so that the first and the last start part.
        let bits = (last - first + 1).next_power_of_two().ilog2();
        let shift = top.bits_above(base).saturating_sub(bits);
        let (id, first_slot) = (self.tables.len(), self.slots.len());
        let last_slot = first_slot + top.slot(base, shift);
        self.tables.push(Table { base, shift, first_start: first, first_slot, last_slot });
        self.slots.resize(last_slot + 1, Slot::Start(0));

        let mut next = first;
        for slot in 0..=last_slot - first_slot {
            let rest = self.starts.get(next..=last).unwrap_or_default();
            let inside = rest.partition_point(|start| start.slot(base, shift) == slot);
            let target = if inside > IN_ONE_SLOT {
                Slot::Table(self.add_table(next..=next + inside - 1))
            } else {
                Slot::Start(small(next.saturating_sub(1).max(first)))
            };
            if let Some(place) = self.slots.get_mut(first_slot + slot) {
                *place = target;
            }
            next += inside;
        }
        small(id)
    }
}

/// Positions fit: 2^31 subnets would not fit into memory.
fn small(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(NOBODY)
}

/// One subnet as the first and last address, with its position in the list.
#[derive(Clone, Copy)]
struct Range<K> {
    first: K,
    last: K,
    position: u32,
}

/// The index of the IPv4 subnets.
pub(super) fn v4(included: &[IpNet], excluded: &[IpNet]) -> Index<u32> {
    let bounds = |net| match net {
        IpNet::V4(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
        IpNet::V6(_) => None,
    };
    build(&ranges(included, bounds), &ranges(excluded, bounds))
}

/// The index of the IPv6 subnets.
pub(super) fn v6(included: &[IpNet], excluded: &[IpNet]) -> Index<u128> {
    let bounds = |net| match net {
        IpNet::V4(_) => None,
        IpNet::V6(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
    };
    build(&ranges(included, bounds), &ranges(excluded, bounds))
}

/// The ranges of one family, wider before narrower where they start alike.
fn ranges<K: Key>(nets: &[IpNet], bounds: impl Fn(IpNet) -> Option<(K, K)>) -> Vec<Range<K>> {
    let mut ranges: Vec<_> = (0u32..)
        .zip(nets)
        .filter_map(|(position, net)| {
            let (first, last) = bounds(*net)?;
            Some(Range { first, last, position })
        })
        .collect();
    ranges.sort_by_key(|range| (range.first, std::cmp::Reverse(range.last)));
    ranges
}

/// Walks every point at which the answer can change. Subnets nest or are apart, never overlap in
/// part, so the most specific one at a point is on top of a stack.
fn build<K: Key>(included: &[Range<K>], excluded: &[Range<K>]) -> Index<K> {
    if included.is_empty() {
        return Index::default();
    }
    let both = included.iter().chain(excluded);
    let mut points: Vec<K> = both
        .flat_map(|range| [Some(range.first), range.last.after()])
        .flatten()
        .chain([K::LOWEST])
        .collect();
    points.sort_unstable();
    points.dedup();

    let (mut coming, mut barred) = (included.iter().peekable(), excluded.iter().peekable());
    let (mut nested, mut barred_until) = (Vec::<Range<K>>::new(), None);
    let mut ranges: Vec<(K, u32)> = Vec::with_capacity(points.len());
    for point in points {
        while let Some(range) = coming.next_if(|range| range.first <= point) {
            nested.retain(|outer| outer.last >= range.first);
            nested.push(*range);
        }
        while nested.pop_if(|range| range.last < point).is_some() {}
        while let Some(range) = barred.next_if(|range| range.first <= point) {
            barred_until = barred_until.max(Some(range.last));
        }
        let allowed = barred_until.is_none_or(|last| last < point);
        let holder = match nested.last() {
            Some(range) if allowed => range.position,
            _ => NOBODY,
        };
        if ranges.last().is_none_or(|(_, before)| *before != holder) {
            ranges.push((point, holder));
        }
    }
    Index::new(ranges)
}
