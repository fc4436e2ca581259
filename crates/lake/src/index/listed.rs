//! Rows that are known already, as a set that a query goes through.

use std::sync::Arc;

use tantivy::query::Scorer;
use tantivy::{DocId, DocSet, Score, TERMINATED};

/// Rows of a segment, ascending.
pub(super) struct Listed {
    docs: Arc<[DocId]>,
    at: usize,
}

impl Listed {
    pub(super) const fn new(docs: Arc<[DocId]>) -> Self {
        Self { docs, at: 0 }
    }
}

impl DocSet for Listed {
    fn advance(&mut self) -> DocId {
        self.at += 1;
        self.doc()
    }

    /// By doubled steps: what is sought is mostly near.
    fn seek(&mut self, target: DocId) -> DocId {
        let rest = self.docs.get(self.at..).unwrap_or_default();
        let mut reach = 1;
        while rest.get(reach).is_some_and(|doc| *doc < target) {
            reach *= 2;
        }
        let from = reach / 2;
        let within = rest.get(from..rest.len().min(reach + 1)).unwrap_or_default();
        self.at += from + within.partition_point(|doc| *doc < target);
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.docs.get(self.at).copied().unwrap_or(TERMINATED)
    }

    fn size_hint(&self) -> u32 {
        u32::try_from(self.docs.len()).unwrap_or(u32::MAX)
    }
}

impl Scorer for Listed {
    fn score(&mut self) -> Score {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seeking_finds_what_going_on_finds(
            docs in prop::collection::btree_set(0u32..500, 0..60),
            targets in prop::collection::vec(0u32..520, 0..12),
        ) {
            let docs: Arc<[DocId]> = docs.into_iter().collect();
            let mut rows = Listed::new(Arc::clone(&docs));
            for target in targets {
                if rows.doc() == TERMINATED {
                    break;
                }
                let target = target.max(rows.doc());
                let wanted = docs.iter().copied().find(|doc| *doc >= target).unwrap_or(TERMINATED);
                prop_assert_eq!(rows.seek(target), wanted);
                let next = docs.iter().copied().find(|doc| *doc > wanted).unwrap_or(TERMINATED);
                prop_assert_eq!(rows.advance(), next);
            }
        }
    }
}
