//! Roll-ups: how many services there were at the end of each day, by port, product, kind, operator and place.
//!
//! ```text
//!   sightings --(shares of the addresses)--> count: each service, day by day --(sums)--> rollups table (Delta)
//! ```
//!
//! - A day is a day in UTC. What is counted is the state at its end: services that answered and were not found closed
//!   since, without those that pretend. Not to have looked at a service again does not end it.
//! - [`DayCount::opened`] began to count under a value on that day, [`DayCount::closed`] ceased to: what is counted today
//!   is what was counted before, plus the one, less the other.
//! - A day on which nothing at all was seen has no rows: it was **not looked at**, which is not zero.
//!   [`DayCount::seen`] says how many of those counted were seen on the day itself.
//! - A day is counted from all sightings there are: those that arrive late correct past days the next time.
//! - The table is derived. It is made anew as a whole, in one commit, when sightings, facts or definitions
//!   ([`REVISION`]) are others than it was made from; until then the old one stands.
//! - Exact, except that each dimension keeps the [`MAX_VALUES`] values that were greatest; the rest is not summed.
//!
//! Making them is a pass ([`crate::pass`]): shares of the addresses are counted side by side, by threads or by a cluster.
//! At a hundred times the data: memory holds the sightings of a share for each thread. Rows follow days times values.

use hinomi_model::Timestamp;
use serde::Serialize;

mod count;
mod make;
mod pass;
mod rows;
#[cfg(test)]
mod tests;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::table::Table;
pub(crate) use pass::RollUp;

/// Changes with what is counted, or how.
pub const REVISION: u32 = 1;

/// What services are counted by.
pub const DIMENSIONS: &[&str] =
    &["all", "port", "protocol", "vendor", "product", "kind", "operator", "prefecture", "country", "tag", "weak"];

/// The most values kept of a dimension.
pub const MAX_VALUES: usize = 500;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// How the table's notes are signed.
const APPLICATION: &str = "hinomi.rollups";

/// The counts of one value on one day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DayCount {
    /// Its first moment, UTC.
    pub day: Timestamp,
    /// One of [`DIMENSIONS`].
    pub dimension: String,
    /// Which; empty for `all`.
    pub value: String,
    /// Services at the end of the day.
    pub services: u64,
    /// Distinct addresses of these.
    pub addresses: u64,
    /// Services that began to count here on the day.
    pub opened: u64,
    /// Services that ceased to.
    pub closed: u64,
    /// Services counted here that were seen on the day itself.
    pub seen: u64,
}

/// What came of making the roll-ups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RolledUp {
    /// Whether they were made anew; otherwise they were up to date.
    pub made: bool,
    /// Days looked at.
    pub days: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Values that were left out because their dimension has too many.
    pub left_out: u64,
}

/// Counts of one dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rollups {
    /// By day, then value. A day that is missing was not looked at.
    pub counts: Vec<DayCount>,
    /// Whether there are sightings, facts or definitions that they were not made from.
    pub behind: bool,
}

impl Lake {
    /// Makes the roll-ups anew where they are behind, or in any case.
    ///
    /// # Errors
    /// When this lake is for reading only, or a table cannot be read or written.
    pub fn roll_up(&self, anyway: bool) -> Result<RolledUp, LakeError> {
        let _writer = self.writer()?;
        self.refresh()?;
        let table = Table::open_or_create(&self.root, &rows::ROLLUPS, self.clock.now())?;
        let basis = self.basis();
        if !anyway && table.note(APPLICATION)?.as_deref() == Some(basis.as_str()) {
            let files = table.files(|_| true);
            return Ok(RolledUp { rows: files.iter().map(|file| file.rows).sum(), ..RolledUp::default() });
        }
        self.make_rollups(&table)
    }

    /// After a deletion: makes the roll-ups anew, if there are any, and leaves nothing of the old ones; rows of the new
    /// ones.
    pub(crate) fn roll_up_again(&self) -> Result<u64, LakeError> {
        if Table::open(&self.root, &rows::ROLLUPS)?.version().is_none() {
            return Ok(0);
        }
        let table = Table::open_or_create(&self.root, &rows::ROLLUPS, self.clock.now())?;
        let made = self.make_rollups(&table)?;
        table.forget_past()?;
        Ok(made.rows)
    }

    /// Folders of all tables.
    pub(crate) fn table_names(&self) -> [&'static str; 4] {
        [self.sightings.name(), self.pieces.keyed.table.name(), self.knowledge.keyed.table.name(), rows::ROLLUPS.name]
    }

    /// The counts of a dimension from one day to another, both included.
    ///
    /// # Errors
    /// When the dimension is not one of [`DIMENSIONS`], or the table cannot be read.
    pub fn rollups(&self, dimension: &str, from: Timestamp, until: Timestamp) -> Result<Rollups, LakeError> {
        if !DIMENSIONS.contains(&dimension) {
            let detail = format!("roll-ups are by {}; not by {dimension:?}", DIMENSIONS.join(", "));
            return Err(LakeError::Unfit { detail });
        }
        self.see_others()?;
        let table = Table::open(&self.root, &rows::ROLLUPS)?;
        let mut counts = Vec::new();
        rows::read(&table, &mut |count| {
            if count.dimension == dimension && (from..=until).contains(&count.day) {
                counts.push(count);
            }
        })?;
        counts.sort_unstable();
        let behind = table.note(APPLICATION)?.is_none_or(|note| note != self.basis());
        Ok(Rollups { counts, behind })
    }

    /// What the counts follow from.
    fn basis(&self) -> String {
        let version = |version: Option<u64>| version.map_or(-1, |version| i64::try_from(version).unwrap_or(i64::MAX));
        let (sightings, facts) = (version(self.sightings.version()), version(self.knowledge.identified()));
        format!("revision {REVISION}, sightings {sightings}, facts {facts}")
    }
}

/// The day of a time, in days since 1970-01-01.
#[cfg(test)]
const fn day_of(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(MICROS_A_DAY)
}
