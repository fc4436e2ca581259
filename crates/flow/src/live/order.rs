//! Records of a file in the order of their ends, as far as a bounded memory goes.
//!
//! Logs tell connections about in the order in which they ended, captures of several exporters do not quite. Keys and
//! pairs want time that does not jump: the newest records wait here, and the one that ended first leaves.
//!
//! What waits has subscribers' addresses. Of a file on disk that is no matter; of a pipe, which may be silent for hours,
//! it is: there a record waits for [`PATIENCE`] of the clock on the wall at most ([`Order::with_patience`]).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_wire::flow::FlowRecord;

/// Records that wait, by default: about 40 MB.
const MAX_WAITING: usize = 262_144;
/// How long a record that came by a pipe waits.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Records that come within so much time count as one arrival: how exactly the patience is kept.
const ARRIVAL: Duration = Duration::from_secs(1);

/// A window of records.
pub struct Order {
    most: usize,
    waiting: BinaryHeap<Waiting>,
    taken: u64,
    patience: Option<Duration>,
    /// Those of whose records some may wait, oldest first.
    arrivals: VecDeque<Arrival>,
    /// How many arrivals are over and forgotten.
    forgotten: u64,
}

/// Records that came at the same time.
struct Arrival {
    time: Timestamp,
    waiting: u64,
}

struct Waiting {
    rank: Reverse<(Timestamp, Timestamp, u64)>,
    record: FlowRecord,
    /// The number of its arrival.
    arrival: u64,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl Order {
    /// A window of so many records, which wait for as long as there is room.
    pub const fn new(most: usize) -> Self {
        let waiting = BinaryHeap::new();
        Self { most, waiting, taken: 0, patience: None, arrivals: VecDeque::new(), forgotten: 0 }
    }

    /// The same; what has come longer ago than that is [overdue](Self::overdue).
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// Takes in a record that came now, and gives the one that ended first when there are too many.
    pub fn push(&mut self, record: FlowRecord, now: Timestamp) -> Option<FlowRecord> {
        self.taken = self.taken.wrapping_add(1);
        let arrival = self.arrive(now);
        self.waiting.push(Waiting { rank: Reverse((record.end, record.start, self.taken)), record, arrival });
        if self.waiting.len() > self.most { self.pop() } else { None }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The record that ended first of those that wait.
    pub fn pop(&mut self) -> Option<FlowRecord> {
        let first = self.waiting.pop()?;
        self.leave(first.arrival);
        Some(first.record)
    }

    /// The record that ended first, while any has waited for too long: those that ended before it go with it, so that
    /// the order holds. A clock that was set back counts as time that has passed.
    pub fn overdue(&mut self, now: Timestamp) -> Option<FlowRecord> {
        let oldest = self.arrivals.front()?.time;
        let waited = now.since(oldest).max(oldest.since(now));
        self.patience.filter(|patience| waited >= *patience).and_then(|_| self.pop())
    }

    /// Notes an arrival and gives its number.
    fn arrive(&mut self, now: Timestamp) -> u64 {
        if self.patience.is_none() {
            return 0;
        }
        let is_same = |last: &Arrival| now.since(last.time).max(last.time.since(now)) < ARRIVAL;
        match self.arrivals.back_mut().filter(|last| is_same(last)) {
            Some(last) => last.waiting += 1,
            None => self.arrivals.push_back(Arrival { time: now, waiting: 1 }),
        }
        self.forgotten + self.arrivals.len() as u64 - 1
    }

    fn leave(&mut self, arrival: u64) {
        let at = usize::try_from(arrival.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        if let Some(of) = self.arrivals.get_mut(at) {
            of.waiting = of.waiting.saturating_sub(1);
        }
        while self.arrivals.pop_front_if(|oldest| oldest.waiting == 0).is_some() {
            self.forgotten += 1;
        }
    }
}

impl Default for Order {
    fn default() -> Self {
        Self::new(MAX_WAITING)
    }
}

#[cfg(test)]
mod tests {
    use hinomi_wire::flow::Volume;
    use proptest::prelude::*;

    use super::*;

    fn record(end: i64) -> FlowRecord {
        FlowRecord {
            source: [192, 0, 2, 1].into(),
            destination: [203, 0, 113, 1].into(),
            source_port: 1,
            destination_port: 2,
            protocol: 6,
            forward: Volume::default(),
            reverse: None,
            start: Timestamp::from_micros(0),
            end: Timestamp::from_micros(end),
            sampling: 1,
        }
    }

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    const fn after(seconds: i64) -> Timestamp {
        Timestamp::from_micros(NOW.as_micros() + seconds * 1_000_000)
    }

    #[test]
    fn what_has_waited_too_long_leaves_with_all_that_ended_before_it() {
        let mut order = Order::new(100).with_patience(Duration::from_secs(60));
        assert!(order.overdue(after(1_000)).is_none());
        for (end, came) in [(5, 0), (9, 0), (3, 30), (7, 30)] {
            assert!(order.push(record(end), after(came)).is_none());
        }
        assert!(order.overdue(after(59)).is_none());
        // Those of 0 s are due; the one that came later but ended before the last of them goes along.
        let left: Vec<_> = std::iter::from_fn(|| order.overdue(after(60))).map(|each| each.end.as_micros()).collect();
        assert_eq!(left, [3, 5, 7, 9]);
        assert!(order.pop().is_none());
        // A clock set back by an hour must not keep anything for an hour more.
        assert!(order.push(record(1), after(100)).is_none());
        assert!(order.overdue(after(100 - 3_600)).is_some());
    }

    #[test]
    fn without_patience_nothing_is_ever_overdue() {
        let mut order = Order::new(100);
        assert!(order.push(record(1), NOW).is_none());
        assert!(order.overdue(after(1_000_000)).is_none());
        assert!(order.pop().is_some());
    }

    proptest! {
        #[test]
        fn nothing_waits_beyond_the_patience_and_nothing_is_lost(
            came in proptest::collection::vec((0_i64..1_000, 0_i64..5), 0..200), most in 1_usize..50,
        ) {
            let mut order = Order::new(most).with_patience(Duration::from_secs(10));
            let (mut now, mut given, mut latest) = (0, 0, Vec::new());
            for (end, passed) in &came {
                now += passed;
                given += usize::from(order.push(record(*end), after(now)).is_some());
                given += std::iter::from_fn(|| order.overdue(after(now))).count();
                latest.push(now);
                // As many wait as came within the last ten seconds, and a second's fraction, at most.
                let recent = latest.iter().filter(|came| now - **came <= 10).count();
                prop_assert!(order.waiting.len() <= recent, "{} {recent}", order.waiting.len());
                prop_assert_eq!(order.arrivals.iter().map(|each| each.waiting).sum::<u64>(), order.waiting.len() as u64);
            }
            given += std::iter::from_fn(|| order.pop()).count();
            prop_assert_eq!(given, came.len());
            prop_assert!(order.arrivals.is_empty());
        }

        #[test]
        fn disorder_within_the_window_is_put_right(ends in proptest::collection::vec(0_i64..1_000, 0..200)) {
            let mut order = Order::new(ends.len());
            prop_assert!(ends.iter().all(|end| order.push(record(*end), NOW).is_none()));
            let mut sorted = ends;
            sorted.sort_unstable();
            for end in sorted {
                prop_assert_eq!(order.pop().map(|record| record.end.as_micros()), Some(end));
            }
            prop_assert!(order.pop().is_none());
        }

        #[test]
        fn nothing_is_lost_beyond_it(ends in proptest::collection::vec(0_i64..1_000, 0..200), most in 0_usize..20) {
            let mut order = Order::new(most);
            let mut given = ends.iter().filter_map(|end| order.push(record(*end), NOW)).count();
            while order.pop().is_some() {
                given += 1;
            }
            prop_assert_eq!(given, ends.len());
        }
    }
}
