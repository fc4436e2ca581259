//! What left through a door, counted where it leaves: by prefix and by probe, for the ledger.
//!
//! The cells are fixed when the tally is made: each range of the scope in parts of a /24 (IPv4) or /48 (IPv6), or in
//! coarser ones where these would be more than [`MAX_CELLS`], never larger than the range. So counting takes one
//! search and one addition, no lock and no allocation, and what is counted lies inside the scope by construction; all
//! else is counted as [`Sum::outside`], which must stay zero.
//!
//! What is counted is an attempt: one connection, one datagram, or one frame of our own. The frames that the kernel makes
//! of a connection (repeated SYN, acknowledgements, data) are not.
//!
//! A sender of frames counts in cells of its own ([`Tally::own`]), which nobody else writes: at a million frames a second
//! shared cells would cost more than the frame's other checks.
//!
//! A tally also holds a lease: who writes the ledger extends it after each entry that is on disk, and the door waits
//! when it has run out. So what a killed process sent and no entry tells of has a bound.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hinomi_model::address::{bounds, from_u128, to_u128};
use hinomi_model::scope::Probe;
use ipnet::IpNet;

/// The most cells, unless the scope itself has more ranges.
pub const MAX_CELLS: usize = 4_096;

/// How a coarser step is taken, in bits of the prefix length.
const MAX_COARSER_BITS: u32 = 128;

/// Counters of one door.
#[derive(Debug)]
pub struct Tally {
    spans: Vec<Span>,
    /// The spans of IPv4 once more, as short numbers: first, last, shift and first cell.
    four: Vec<(u32, u32, u32, usize)>,
    cells: Vec<AtomicU64>,
    /// The cells of those who count alone.
    owned: Mutex<Vec<Arc<[AtomicU64]>>>,
    outside: AtomicU64,
    not_taken: AtomicU64,
    probes: Vec<(Probe, AtomicU64)>,
    born: Instant,
    lease_millis: AtomicU64,
}

/// A run of addresses that is cut into cells.
#[derive(Debug)]
struct Span {
    /// Whether it is IPv6, and its first address as a number: families are apart, though IPv4 has numbers inside IPv6.
    first: (bool, u128),
    last: u128,
    /// Bits of the address below a cell's prefix.
    shift: u32,
    /// Number of the first cell.
    cell: usize,
}

/// What a tally had counted at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Attempts by prefix, those without any left out.
    pub prefixes: Vec<(IpNet, u64)>,
    /// Attempts by probe, those without any left out.
    pub probes: Vec<(Probe, u64)>,
    /// Attempts to addresses that no range of the scope contains.
    pub outside: u64,
    /// Attempts among them that the interface did not take: they are counted and were not sent.
    pub not_taken: u64,
}

impl Sum {
    /// All attempts.
    pub fn packets(&self) -> u64 {
        self.outside + self.prefixes.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// What was counted since an earlier moment of the same tally.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            prefixes: less(&self.prefixes, &earlier.prefixes),
            probes: less(&self.probes, &earlier.probes),
            outside: self.outside.saturating_sub(earlier.outside),
            not_taken: self.not_taken.saturating_sub(earlier.not_taken),
        }
    }
}

/// Both in the same order, and whatever is in the second is in the first.
fn less<K: Copy + PartialEq>(now: &[(K, u64)], then: &[(K, u64)]) -> Vec<(K, u64)> {
    let mut earlier = then.iter().peekable();
    let mut left = Vec::new();
    for (key, count) in now {
        let before = earlier.next_if(|(known, _)| known == key).map_or(0, |(_, before)| *before);
        if *count > before {
            left.push((*key, count - before));
        }
    }
    left
}

impl Tally {
    /// A tally for the ranges of a scope. Its lease has run out: nothing is sent until [`Tally::extend`].
    pub fn new(ranges: &[IpNet]) -> Self {
        let ranges = IpNet::aggregate(&ranges.to_vec());
        let coarser = (0..MAX_COARSER_BITS).find(|coarser| {
            ranges
                .iter()
                .try_fold(0_usize, |sum, range| sum.checked_add(cells_of(range, *coarser)?))
                .is_some_and(|cells| cells <= MAX_CELLS.max(ranges.len()))
        });
        let mut spans: Vec<Span> = Vec::with_capacity(ranges.len());
        let mut cells = 0;
        let mut sorted: Vec<_> =
            ranges.iter().map(|range| (matches!(range, IpNet::V6(_)), bounds(*range), range)).collect();
        sorted.sort_unstable_by_key(|(is_v6, (first, _), _)| (*is_v6, *first));
        for (is_v6, (first, last), range) in sorted {
            let coarser = coarser.unwrap_or(MAX_COARSER_BITS);
            spans.push(Span { first: (is_v6, first), last, shift: shift_of(range, coarser), cell: cells });
            cells += cells_of(range, coarser).unwrap_or(1);
        }
        Self {
            four: spans.iter().filter_map(Span::as_four).collect(),
            spans,
            cells: zeroes(cells).collect(),
            owned: Mutex::default(),
            outside: AtomicU64::new(0),
            not_taken: AtomicU64::new(0),
            probes: Probe::all().map(|probe| (probe, AtomicU64::new(0))).collect(),
            born: Instant::now(),
            lease_millis: AtomicU64::new(0),
        }
    }

    /// Notes attempts towards this address.
    pub fn sent(&self, address: IpAddr, packets: u64) {
        self.cell(address).unwrap_or(&self.outside).fetch_add(packets, Relaxed);
    }

    /// Notes attempts with this probe.
    pub fn with_probe(&self, probe: Probe, packets: u64) {
        if let Some((_, count)) = self.probes.iter().find(|(known, _)| *known == probe) {
            count.fetch_add(packets, Relaxed);
        }
    }

    /// Notes that the interface did not take so many of the attempts that were counted.
    pub fn not_taken(&self, packets: u64) {
        self.not_taken.fetch_add(packets, Relaxed);
    }

    /// Cells for one who counts alone, and much.
    pub fn own(self: &Arc<Self>) -> Own {
        let cells: Arc<[AtomicU64]> = zeroes(self.cells.len()).collect();
        self.owned.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&cells));
        Own { tally: Arc::clone(self), cells }
    }

    fn cell(&self, address: IpAddr) -> Option<&AtomicU64> {
        self.cells.get(self.place(address)?)
    }

    /// The number of the cell of an address.
    fn place(&self, address: IpAddr) -> Option<usize> {
        let IpAddr::V4(four) = address else { return self.place_six(to_u128(address)) };
        let number = u32::from(four);
        let after = self.four.partition_point(|(first, ..)| *first <= number);
        let (first, last, shift, cell) = self.four.get(after.checked_sub(1)?)?;
        (number <= *last).then(|| cell + usize::try_from((number - first).unbounded_shr(*shift)).unwrap_or(0))
    }

    fn place_six(&self, number: u128) -> Option<usize> {
        let key = (true, number);
        let after = self.spans.partition_point(|span| span.first <= key);
        let span = self.spans.get(after.checked_sub(1)?).filter(|span| span.first.0 && number <= span.last)?;
        usize::try_from((number - span.first.1).unbounded_shr(span.shift)).ok().map(|inside| span.cell + inside)
    }

    /// What is counted in a cell, by all who count.
    fn counted(&self, from: usize, to: usize) -> Vec<u64> {
        let owned = self.owned.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |cells: &[AtomicU64], at: usize| cells.get(at).map_or(0, |cell| cell.load(Relaxed));
        (from..to).map(|at| owned.iter().fold(of(&self.cells, at), |sum, cells| sum + of(cells, at))).collect()
    }

    /// The counters now.
    pub fn sum(&self) -> Sum {
        let mut prefixes = Vec::new();
        for (position, span) in self.spans.iter().enumerate() {
            let end = self.spans.get(position + 1).map_or(self.cells.len(), |next| next.cell);
            for (place, count) in (0_u128..).zip(self.counted(span.cell, end)) {
                if count > 0 {
                    prefixes.push((
                        prefix_of(span.first.0, span.first.1 + place.checked_shl(span.shift).unwrap_or(0), span.shift),
                        count,
                    ));
                }
            }
        }
        let probes = self.probes.iter().map(|(probe, count)| (*probe, count.load(Relaxed)));
        Sum {
            prefixes,
            probes: probes.filter(|(_, count)| *count > 0).collect(),
            outside: self.outside.load(Relaxed),
            not_taken: self.not_taken.load(Relaxed),
        }
    }

    /// Lets the door send for so long from `now` on: what was sent until then is on disk.
    pub fn extend(&self, now: Instant, lease: Duration) {
        let until = now.saturating_duration_since(self.born) + lease;
        self.lease_millis.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Whether the lease still runs. Who sends asks before each packet and waits when it does not.
    pub fn may_send(&self) -> bool {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        now < self.lease_millis.load(Relaxed)
    }
}

/// The cells of one who counts alone; see [`Tally::own`].
#[derive(Debug)]
pub struct Own {
    tally: Arc<Tally>,
    cells: Arc<[AtomicU64]>,
}

impl Own {
    /// Notes one attempt towards this address.
    pub fn sent(&mut self, address: IpAddr) {
        match self.tally.place(address).and_then(|place| self.cells.get(place)) {
            // Nobody else writes here, so nothing is lost between the load and the store.
            Some(cell) => cell.store(cell.load(Relaxed) + 1, Relaxed),
            None => _ = self.tally.outside.fetch_add(1, Relaxed),
        }
    }

    /// The whole tally.
    pub const fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }
}

impl Span {
    fn as_four(&self) -> Option<(u32, u32, u32, usize)> {
        let of = |number| match from_u128(number) {
            IpAddr::V4(four) if !self.first.0 => Some(u32::from(four)),
            _ => None,
        };
        Some((of(self.first.1)?, of(self.last)?, self.shift, self.cell))
    }
}

fn zeroes(count: usize) -> impl Iterator<Item = AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0))
}

/// Bits of an address, and bits of the prefix that is told apart where there is room.
const fn widths(range: &IpNet) -> (u32, u32) {
    match range {
        IpNet::V4(_) => (32, 24),
        IpNet::V6(_) => (128, 48),
    }
}

fn shift_of(range: &IpNet, coarser: u32) -> u32 {
    let (bits, fine) = widths(range);
    let own = u32::from(range.prefix_len());
    // Never larger than the range, never smaller than a /24 or /48 unless the range is.
    bits - own.max(fine.saturating_sub(coarser))
}

fn cells_of(range: &IpNet, coarser: u32) -> Option<usize> {
    let (bits, _) = widths(range);
    let cut = bits - shift_of(range, coarser) - u32::from(range.prefix_len());
    1_usize.checked_shl(cut)
}

fn prefix_of(is_v6: bool, first: u128, shift: u32) -> IpNet {
    let (address, bits) = if is_v6 { (IpAddr::V6(first.into()), 128_u32) } else { (from_u128(first), 32) };
    let length = u8::try_from(bits.saturating_sub(shift)).unwrap_or(0);
    IpNet::new(address, length).unwrap_or(IpNet::from(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn counts_by_prefix_and_probe_and_tells_what_is_outside() {
        let tally = Tally::new(&[net("10.0.0.0/23"), net("192.168.7.64/26"), net("fd00:1::/47")]);
        for address in ["10.0.0.1", "10.0.0.200", "10.0.1.1", "192.168.7.65", "fd00:1:1::9", "192.168.7.1", "10.0.2.0"]
        {
            tally.sent(ip(address), 1);
        }
        let tally = Arc::new(tally);
        tally.own().sent(ip("10.0.2.0"));
        tally.with_probe(Probe::Connect, 8);
        let first = tally.sum();
        let told: Vec<_> = first.prefixes.iter().map(|(prefix, count)| format!("{prefix} {count}")).collect();
        assert_eq!(told, ["10.0.0.0/24 2", "10.0.1.0/24 1", "192.168.7.64/26 1", "fd00:1:1::/48 1"]);
        assert_eq!((first.outside, first.packets(), first.probes.as_slice()), (3, 8, &[(Probe::Connect, 8)][..]));
        tally.sent(ip("10.0.1.9"), 5);
        let more = tally.sum().since(&first);
        assert_eq!((more.prefixes, more.outside, more.probes), (vec![(net("10.0.1.0/24"), 5)], 0, Vec::new()));
    }

    #[test]
    fn large_scopes_are_told_in_coarser_parts() {
        let tally = Tally::new(&[net("0.0.0.0/0"), net("2001::/16"), net("::1/128")]);
        assert!(tally.cells.len() <= MAX_CELLS, "{}", tally.cells.len());
        tally.sent(ip("9.9.9.9"), 1);
        tally.sent(ip("2001:2::1"), 1);
        tally.sent(ip("::1"), 1);
        assert_eq!((tally.sum().packets(), tally.sum().outside, tally.sum().prefixes.len()), (3, 0, 3));
        let many: Vec<IpNet> = (0..10_000_u32).map(|n| IpNet::from(IpAddr::from((n * 4).to_be_bytes()))).collect();
        assert_eq!(Tally::new(&many).cells.len(), 10_000, "a range is the coarsest part");
    }

    #[test]
    fn nothing_is_sent_without_a_lease() {
        let tally = Tally::new(&[net("10.0.0.0/24")]);
        assert!(!tally.may_send());
        tally.extend(Instant::now(), Duration::from_secs(3_600));
        assert!(tally.may_send());
        tally.extend(Instant::now(), Duration::ZERO);
        assert!(!tally.may_send());
    }

    proptest! {
        #[test]
        fn every_address_of_the_scope_counts_in_a_prefix_that_holds_it(
            ranges in proptest::collection::vec((any::<u32>(), 4_u8..=32), 1..20), pick: usize, offset: u32,
        ) {
            let ranges: Vec<IpNet> = ranges.into_iter()
                .map(|(address, length)| IpNet::new(IpAddr::from(address.to_be_bytes()), length).expect("a prefix").trunc())
                .collect();
            let range = ranges.get(pick % ranges.len()).expect("one");
            let (first, last) = bounds(*range);
            let address = from_u128(first + u128::from(offset) % (last - first + 1));
            let tally = Arc::new(Tally::new(&ranges));
            tally.sent(address, 3);
            let (mut one, mut other) = (tally.own(), tally.own());
            one.sent(address);
            other.sent(address);
            drop(one);
            let sum = tally.sum();
            prop_assert_eq!(sum.outside, 0);
            let [(prefix, 5)] = sum.prefixes.as_slice() else { panic!("{sum:?}") };
            prop_assert!(prefix.contains(&address), "{} in {}", address, prefix);
            let whole = IpNet::aggregate(&ranges);
            prop_assert!(whole.iter().any(|range| range.contains(prefix)), "{} beyond {:?}", prefix, whole);
        }
    }
}
