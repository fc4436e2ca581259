//! How often terms are there, as seen in the changes of this process.
//!
//! One counter for many terms: what is rare is never taken for common by much, and memory is fixed. One
//! change in [`EVERY`] is looked at. What is wrong here costs time, never an answer.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::filed::each_term;
use super::need::{Need, Of, Term};
use crate::query::eval::Subject;
use crate::query::{Class, FIELDS, Field};

/// Of so many changes one is looked at, by chance: services stand in a row in which every eighth may have the same port.
const EVERY: u64 = 8;

/// Counters: a megabyte.
const COUNTERS: usize = 1 << 18;

/// So many looks weigh as much as what is usual.
const TRUST: f64 = 64.0;

/// At so many looks all counts are halved: what comes now counts more than what came long ago.
const HALVED_AT: u64 = 1 << 16;

/// Queries are filed anew when so many were asked for each that there is, since asking them costs as much then as
/// filing them, ...
const ASKED_EACH: u64 = 8;

/// ... and when so much more was seen than when they were filed, in parts of a hundred.
const MORE_SEEN: u64 = 125;

/// Counts of terms.
#[derive(Debug)]
pub(super) struct Observed {
    changes: u64,
    looks: u64,
    counts: Vec<u32>,
    /// Looks when queries were filed last, and queries asked since.
    filed_at: u64,
    asked: u64,
}

impl Default for Observed {
    fn default() -> Self {
        Self { changes: 0, looks: 0, counts: vec![0; COUNTERS], filed_at: 0, asked: 0 }
    }
}

impl Observed {
    /// Takes note of a change.
    pub(super) fn look(&mut self, subject: &Subject<'_>) {
        self.changes += 1;
        let mut hasher = DefaultHasher::new();
        self.changes.hash(&mut hasher);
        if !hasher.finish().is_multiple_of(EVERY) {
            return;
        }
        if self.looks >= HALVED_AT {
            self.looks /= 2;
            self.filed_at /= 2;
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
        self.looks += 1;
        let counts = &mut self.counts;
        let mut count = |term| {
            if let Some(count) = place(term).and_then(|place| counts.get_mut(place)) {
                *count = count.saturating_add(1);
            }
        };
        for info in FIELDS {
            let of = match info.class {
                Class::Word | Class::Version => Of::Value(info.field),
                Class::Text => Of::Word(info.field),
                Class::Number(_) if info.field != Field::Confidence => Of::Number(info.field),
                _ => continue,
            };
            each_term(subject, of, &mut count);
            each_term(subject, Of::Known(info.field), &mut count);
        }
        each_term(subject, Of::Net, &mut count);
    }

    /// Takes note of queries that were asked, of so many; tells whether they should be filed anew.
    pub(super) fn asked(&mut self, asked: usize, of: usize) -> bool {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.asked = self.asked.saturating_add(number(asked));
        let anew = self.looks * 100 > self.filed_at * MORE_SEEN && self.asked >= number(of).saturating_mul(ASKED_EACH);
        if anew {
            (self.filed_at, self.asked) = (self.looks, 0);
        }
        anew
    }

    /// How often, of 1, a term is there.
    pub(super) fn weigh(&self, need: &Need) -> f64 {
        let Some(place) = place(need.term) else { return need.usual };
        let seen = self.counts.get(place).copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "a frequency; 2^53 looks are never reached")]
        let looks = self.looks as f64;
        (f64::from(seen) + need.usual * TRUST) / (looks + TRUST)
    }
}

fn place(term: Term) -> Option<usize> {
    let hash = match term {
        Term::Named(hash) => hash,
        Term::Net { bits, low } => {
            let mut hasher = DefaultHasher::new();
            (bits, low).hash(&mut hasher);
            hasher.finish()
        }
    };
    usize::try_from(hash % COUNTERS as u64).ok()
}
