//! How often terms are there, as seen in the changes of this process.
//!
//! One counter for many terms: what is rare is never taken for common by much, and memory is fixed. Every
//! [`EVERY`]th change is looked at. What is wrong here costs time, never an answer.

use super::filed::each_term;
use super::need::{Need, Of, Term};
use crate::query::eval::Subject;
use crate::query::{Class, FIELDS, Field};

/// Of so many changes one is looked at.
const EVERY: u64 = 8;

/// Counters.
const COUNTERS: usize = 1 << 16;

/// So many looks weigh as much as what is usual.
const TRUST: f64 = 64.0;

/// At so many looks queries are filed anew by what was learnt.
const FILED_ANEW_AT: [u64; 3] = [128, 2_048, 32_768];

/// Counts of terms.
#[derive(Debug)]
pub(super) struct Observed {
    changes: u64,
    looks: u64,
    counts: Vec<u32>,
}

impl Default for Observed {
    fn default() -> Self {
        Self { changes: 0, looks: 0, counts: vec![0; COUNTERS] }
    }
}

impl Observed {
    /// Takes note of a change; tells whether queries should be filed anew.
    pub(super) fn look(&mut self, subject: &Subject<'_>) -> bool {
        self.changes += 1;
        if !self.changes.is_multiple_of(EVERY) {
            return false;
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
        FILED_ANEW_AT.contains(&self.looks)
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
    match term {
        Term::Named(hash) => usize::try_from(hash % COUNTERS as u64).ok(),
        Term::Net { .. } => None,
    }
}
