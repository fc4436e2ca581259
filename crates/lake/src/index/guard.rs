//! Excluding, without a fault of tantivy 0.27.
//!
//! Its `Exclude` asks the excluded side `seek_danger(target)` for targets before that side's current row, which the
//! contract of `DocSet` forbids and phrases refuse by panicking in builds with assertions. [`Guarded`] remembers from
//! where on there may be rows, answers such questions itself and passes on the others.

use tantivy::query::{EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{DocId, DocSet, Score, SeekDangerResult, SegmentReader, TERMINATED};

/// A query that may be excluded.
#[derive(Debug)]
pub(super) struct Guarded(pub(super) Box<dyn Query>);

impl Clone for Guarded {
    fn clone(&self) -> Self {
        Self(self.0.box_clone())
    }
}

impl Query for Guarded {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(GuardedWeight(self.0.weight(scoring)?)))
    }
}

struct GuardedWeight(Box<dyn Weight>);

impl Weight for GuardedWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let inner = self.0.scorer(reader, boost)?;
        Ok(Box::new(GuardedScorer { floor: inner.doc(), found: true, inner }))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        self.0.explain(reader, doc)
    }
}

struct GuardedScorer {
    inner: Box<dyn Scorer>,
    /// No row before this one is left.
    floor: DocId,
    /// Whether the inner one stands on the floor; not so after a `seek_danger` that found nothing.
    found: bool,
}

impl GuardedScorer {
    fn stand(&mut self, doc: DocId) -> DocId {
        (self.floor, self.found) = (doc, true);
        doc
    }
}

impl DocSet for GuardedScorer {
    fn advance(&mut self) -> DocId {
        let doc = self.inner.advance();
        self.stand(doc)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.found && self.floor >= target {
            return self.floor;
        }
        let doc = self.inner.seek(target);
        self.stand(doc)
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        if target < self.floor {
            return SeekDangerResult::SeekLowerBound(self.floor);
        }
        if self.found && target == self.floor && target < TERMINATED {
            return SeekDangerResult::Found;
        }
        let result = self.inner.seek_danger(target);
        (self.found, self.floor) = match result {
            SeekDangerResult::Found => (true, target),
            SeekDangerResult::SeekLowerBound(bound) => (false, bound),
        };
        result
    }

    fn doc(&self) -> DocId {
        self.inner.doc()
    }

    fn size_hint(&self) -> u32 {
        self.inner.size_hint()
    }

    fn cost(&self) -> u64 {
        self.inner.cost()
    }
}

impl Scorer for GuardedScorer {
    fn score(&mut self) -> Score {
        self.inner.score()
    }
}
