//! What time it is where a pipe's records come from, while none come.
//!
//! The latest that a record or a packet told, and what has passed on the wall since it came: keys and ages go on with it, for
//! a pipe that is read live and for one that replays what is long over alike.

use std::time::Duration;

use hinomi_model::Timestamp;

use super::files::Table;

/// How often a reader's sums are worth asking for.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Silence {
    newest: Option<Timestamp>,
    records: u64,
    /// How many records and frames had come when it was last looked.
    heard: u64,
    /// When that was.
    looked: Timestamp,
    passed: Duration,
    asked: Option<Timestamp>,
}

impl Silence {
    /// As long as nothing came, time goes on from there, if it is known.
    pub(super) const fn new(newest: Option<Timestamp>, now: Timestamp) -> Self {
        Self { newest, records: 0, heard: 0, looked: now, passed: Duration::ZERO, asked: None }
    }

    /// A record came that ended then. Tells whether it is time to ask the reader for its sums.
    pub(super) fn hear(&mut self, end: Timestamp, now: Timestamp) -> bool {
        self.newest = self.newest.max(Some(end));
        self.records = self.records.wrapping_add(1);
        let is_due = self.asked.is_none_or(|asked| now.since(asked).max(asked.since(now)) >= ASK_EVERY);
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }

    /// Nothing comes. None when nothing has ever come. A clock that is set back takes away what passed since the last look
    /// and no more.
    pub(super) fn moment(&mut self, table: &Table, now: Timestamp) -> Option<Timestamp> {
        let heard = self.records.wrapping_add(table.frames());
        let passed = now.since(self.looked);
        self.passed = if heard == self.heard { self.passed.saturating_add(passed) } else { Duration::ZERO };
        (self.heard, self.looked) = (heard, now);
        Some(self.newest.max(table.latest())?.plus(self.passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn time_goes_on_from_the_newest_record_by_the_clock_on_the_wall() {
        let (mut silence, table) = (Silence::new(None, at(1_000)), Table::default());
        assert_eq!(silence.moment(&table, at(1_005)), None);
        assert!(silence.hear(at(70), at(1_010)) && !silence.hear(at(50), at(1_010)));
        assert_eq!(silence.moment(&table, at(1_011)), Some(at(70)));
        assert_eq!(silence.moment(&table, at(1_021)), Some(at(80)));
        assert_eq!(silence.moment(&table, at(500)), Some(at(80)), "the clock was set back");
        assert_eq!(silence.moment(&table, at(501)), Some(at(81)));
        assert!(silence.hear(at(75), at(510)));
        assert_eq!(silence.moment(&table, at(511)), Some(at(75)), "what came last counts");
    }
}
