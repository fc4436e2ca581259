//! Token buckets without locks, each kept as the time at which it will be full again (the generic cell rate algorithm,
//! ITU-T I.371). Times are nanoseconds since a moment of the owner's choice.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The longest burst: a tenth of a second's worth, at least one packet.
const BURST_NS: u64 = 100_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// One bucket.
pub(super) struct Bucket {
    full_at_ns: AtomicU64,
    interval_ns: AtomicU64,
}

impl Bucket {
    pub(super) fn new(rate_pps: u32) -> Self {
        Self { full_at_ns: AtomicU64::new(0), interval_ns: AtomicU64::new(interval_ns(rate_pps)) }
    }

    pub(super) fn set_rate(&self, rate_pps: u32) {
        self.interval_ns.store(interval_ns(rate_pps), Relaxed);
    }

    /// Takes this many packets; gives from when on they may be sent.
    pub(super) fn take(&self, packets: u32, now_ns: u64) -> u64 {
        self.place().take(packets, now_ns)
    }

    /// A batch of this many packets, or of as many as fit into a full bucket; else how long until it may be sent.
    pub(super) fn batch(&self, want: u32, now_ns: u64) -> Result<u32, u64> {
        let place = self.place();
        let most = u32::try_from(place.burst_ns() / place.interval_ns).unwrap_or(u32::MAX).max(1);
        let batch = want.min(most);
        let needed = place.interval_ns.saturating_mul(u64::from(batch));
        let used = place.full_at_ns.load(Relaxed).saturating_sub(now_ns);
        let room = place.burst_ns().saturating_sub(used);
        if room >= needed { Ok(batch) } else { Err(used + needed - place.burst_ns().min(used + needed)) }
    }

    fn place(&self) -> Place<'_> {
        Place { full_at_ns: &self.full_at_ns, interval_ns: self.interval_ns.load(Relaxed) }
    }
}

/// Many buckets of one rate.
pub(super) struct Table {
    places: Box<[AtomicU64]>,
    interval_ns: u64,
}

/// A bucket in a table.
pub(super) struct Place<'a> {
    full_at_ns: &'a AtomicU64,
    interval_ns: u64,
}

/// Only a table without places would need it, and none is made.
static NOWHERE: AtomicU64 = AtomicU64::new(u64::MAX);

impl Table {
    /// `places` is a power of two.
    pub(super) fn new(rate_pps: u32, places: usize) -> Self {
        Self { places: (0..places).map(|_| AtomicU64::new(0)).collect(), interval_ns: interval_ns(rate_pps) }
    }

    /// The bucket that belongs to a number.
    pub(super) fn of(&self, number: u64) -> Place<'_> {
        // Fibonacci hashing: the high bits of a product are well mixed.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let at = usize::try_from(mixed).unwrap_or(0) & (self.places.len() - 1);
        Place { full_at_ns: self.places.get(at).unwrap_or(&NOWHERE), interval_ns: self.interval_ns }
    }
}

impl Place<'_> {
    pub(super) fn take(&self, packets: u32, now_ns: u64) -> u64 {
        let more = self.interval_ns.saturating_mul(u64::from(packets));
        let after = |full_at: u64| full_at.max(now_ns).saturating_add(more);
        let before = match self.full_at_ns.fetch_update(Relaxed, Relaxed, |full_at| Some(after(full_at))) {
            Ok(before) | Err(before) => before,
        };
        after(before).saturating_sub(self.burst_ns())
    }

    /// Takes one packet if it may be sent now.
    pub(super) fn try_take(&self, now_ns: u64) -> bool {
        let after = |full_at: u64| full_at.max(now_ns).saturating_add(self.interval_ns);
        let permitted = |full_at: u64| Some(after(full_at)).filter(|at| at.saturating_sub(self.burst_ns()) <= now_ns);
        self.full_at_ns.fetch_update(Relaxed, Relaxed, permitted).is_ok()
    }

    /// One packet that was taken is not sent.
    pub(super) fn give_back(&self) {
        let _ = self.full_at_ns.fetch_update(Relaxed, Relaxed, |at| Some(at.saturating_sub(self.interval_ns)));
    }

    fn burst_ns(&self) -> u64 {
        BURST_NS.max(self.interval_ns)
    }
}

/// Rounded up: slower rather than faster than permitted.
fn interval_ns(rate_pps: u32) -> u64 {
    SECOND_NS.div_ceil(u64::from(rate_pps.max(1)))
}
