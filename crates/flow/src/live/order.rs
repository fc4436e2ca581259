//! Records of a file in the order of their ends, as far as a bounded memory goes.
//!
//! Logs tell connections about in the order in which they ended, captures of several exporters do not quite. Keys and
//! pairs want time that does not jump: the newest records wait here, and the one that ended first leaves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hinomi_model::Timestamp;
use hinomi_wire::flow::FlowRecord;

/// Records that wait, by default: about 40 MB.
const MAX_WAITING: usize = 262_144;

/// A window of records.
pub struct Order {
    most: usize,
    waiting: BinaryHeap<Waiting>,
    taken: u64,
}

struct Waiting {
    rank: Reverse<(Timestamp, Timestamp, u64)>,
    record: FlowRecord,
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
    /// A window of so many records.
    pub const fn new(most: usize) -> Self {
        Self { most, waiting: BinaryHeap::new(), taken: 0 }
    }

    /// Takes in a record, and gives the one that ended first when there are too many.
    pub fn push(&mut self, record: FlowRecord) -> Option<FlowRecord> {
        self.taken = self.taken.wrapping_add(1);
        self.waiting.push(Waiting { rank: Reverse((record.end, record.start, self.taken)), record });
        if self.waiting.len() > self.most { self.pop() } else { None }
    }

    /// The record that ended first of those that wait.
    pub fn pop(&mut self) -> Option<FlowRecord> {
        self.waiting.pop().map(|first| first.record)
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

    proptest! {
        #[test]
        fn disorder_within_the_window_is_put_right(ends in proptest::collection::vec(0_i64..1_000, 0..200)) {
            let mut order = Order::new(ends.len());
            prop_assert!(ends.iter().all(|end| order.push(record(*end)).is_none()));
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
            let mut given = ends.iter().filter_map(|end| order.push(record(*end))).count();
            while order.pop().is_some() {
                given += 1;
            }
            prop_assert_eq!(given, ends.len());
        }
    }
}
