//! Address ranges in a search tree: which entry holds this address?

use ipnet::IpNet;

/// Starts per node: one cache line of IPv4 starts, and few enough to compare them all without a
/// branch.
const FAN_OUT: usize = 16;

/// Neighbouring ranges that cover the whole family, each with the entry that holds it.
///
/// `levels` ends with the starts of all ranges; each level above has every [`FAN_OUT`]th start of
/// the one below, so that a lookup is one node per level: two for ten subnets, four for ten
/// thousand, however they are spread.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Index<K> {
    levels: Vec<Vec<K>>,
    holders: Vec<Option<u32>>,
}

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self {
            levels: Vec::new(),
            holders: Vec::new(),
        }
    }
}

impl<K: Copy + Ord> Index<K> {
    /// The position in the list of inclusions of the entry that holds `key`.
    pub(super) fn find(&self, key: K) -> Option<usize> {
        let mut at = 0;
        for level in &self.levels {
            let first = at * FAN_OUT;
            let node = level.get(first..level.len().min(first + FAN_OUT))?;
            let reached: usize = node.iter().map(|start| usize::from(*start <= key)).sum();
            // The first range starts at the lowest address, so at least one start is reached.
            at = first + reached.checked_sub(1)?;
        }
        let holder = self.holders.get(at).copied().flatten()?;
        usize::try_from(holder).ok()
    }

    /// Whether no range has a holder.
    pub(super) fn is_empty(&self) -> bool {
        self.holders.iter().all(Option::is_none)
    }

    fn new(ranges: Vec<(K, Option<u32>)>) -> Self {
        let (starts, holders): (Vec<_>, Vec<_>) = ranges.into_iter().unzip();
        let mut levels = vec![starts];
        while let Some(starts) = levels.last().filter(|starts| starts.len() > FAN_OUT) {
            levels.push(starts.iter().copied().step_by(FAN_OUT).collect());
        }
        levels.reverse();
        Self { levels, holders }
    }
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
    let ranges = |nets: &[IpNet]| {
        collect(nets, |net| match net {
            IpNet::V4(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
            IpNet::V6(_) => None,
        })
    };
    build(&ranges(included), &ranges(excluded), 0, |last| {
        last.checked_add(1)
    })
}

/// The index of the IPv6 subnets.
pub(super) fn v6(included: &[IpNet], excluded: &[IpNet]) -> Index<u128> {
    let ranges = |nets: &[IpNet]| {
        collect(nets, |net| match net {
            IpNet::V4(_) => None,
            IpNet::V6(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
        })
    };
    build(&ranges(included), &ranges(excluded), 0, |last| {
        last.checked_add(1)
    })
}

/// The ranges of one family, wider before narrower where they start alike.
fn collect<K: Copy + Ord>(
    nets: &[IpNet],
    bounds: impl Fn(IpNet) -> Option<(K, K)>,
) -> Vec<Range<K>> {
    let mut ranges: Vec<_> = (0u32..)
        .zip(nets)
        .filter_map(|(position, net)| {
            let (first, last) = bounds(*net)?;
            Some(Range {
                first,
                last,
                position,
            })
        })
        .collect();
    ranges.sort_by_key(|range| (range.first, std::cmp::Reverse(range.last)));
    ranges
}

/// Walks every point at which the answer can change. Subnets nest or are apart, never overlap in
/// part, so the most specific one at a point is on top of a stack.
fn build<K: Copy + Ord>(
    included: &[Range<K>],
    excluded: &[Range<K>],
    lowest: K,
    after: impl Fn(K) -> Option<K>,
) -> Index<K> {
    if included.is_empty() {
        return Index::default();
    }
    let both = included.iter().chain(excluded);
    let mut points: Vec<K> = both
        .flat_map(|range| [Some(range.first), after(range.last)])
        .flatten()
        .chain([lowest])
        .collect();
    points.sort_unstable();
    points.dedup();

    let (mut coming, mut barred) = (included.iter().peekable(), excluded.iter().peekable());
    let (mut nested, mut barred_until) = (Vec::<Range<K>>::new(), None);
    let mut ranges: Vec<(K, Option<u32>)> = Vec::with_capacity(points.len());
    for point in points {
        while let Some(range) = coming.next_if(|range| range.first <= point) {
            nested.retain(|outer| outer.last >= range.first);
            nested.push(*range);
        }
        while nested.last().is_some_and(|range| range.last < point) {
            nested.pop();
        }
        while let Some(range) = barred.next_if(|range| range.first <= point) {
            barred_until = barred_until.max(Some(range.last));
        }
        let holder = nested.last().map(|range| range.position);
        let holder = holder.filter(|_| barred_until.is_none_or(|last| last < point));
        if ranges.last().map(|(_, holder)| *holder) != Some(holder) {
            ranges.push((point, holder));
        }
    }
    Index::new(ranges)
}
