//! A run: equal observations of one sensor with nothing else of that service by that sensor between them.
//!
//! Compaction makes runs out of what was appended; no observation is lost, its time and campaign stay. The name of
//! each follows
//! from the rest, so it is not stored. At a hundred times the data: a service that is looked at every day for years
//! and never
//! changes stays one row of [`MAX_LOOKS`] times at most, then begins another.

use hinomi_model::{CampaignId, ContentHash, Sighting, SightingId, Timestamp};

use super::Row;

/// The most observations of one run.
pub(crate) const MAX_LOOKS: usize = 65_536;

/// One or more equal observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The name of the first, where it is stored.
    pub(super) id: Option<SightingId>,
    /// The name of all its evidence.
    pub(crate) content: ContentHash,
    /// The first of them.
    pub(crate) first: Sighting,
    /// The others, in time.
    pub(crate) later: Vec<Look>,
    /// Whether it tells again what is stored, with a stricter marking.
    pub(crate) again: bool,
}

/// When a run was seen again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// When.
    pub(crate) time: Timestamp,
    /// In which campaign.
    pub(crate) campaign: Option<CampaignId>,
}

impl Run {
    /// A run of one.
    pub(crate) const fn new(content: ContentHash, first: Sighting) -> Self {
        Self { id: None, content, first, later: Vec::new(), again: false }
    }

    /// One of its observations as a run of its own.
    pub(crate) fn one(&self, first: Sighting) -> Self {
        Self { again: self.again, ..Self::new(self.content, first) }
    }

    /// How many observations it is.
    pub(crate) const fn count(&self) -> usize {
        self.later.len() + 1
    }

    /// When the last of them was.
    pub(crate) fn until(&self) -> Timestamp {
        self.later.last().map_or(self.first.time, |look| look.time)
    }

    /// Time and campaign of each, in time.
    pub(crate) fn looks(&self) -> impl Iterator<Item = (Timestamp, Option<&CampaignId>)> {
        let later = self.later.iter().map(|look| (look.time, look.campaign.as_ref()));
        std::iter::once((self.first.time, self.first.campaign.as_ref())).chain(later)
    }

    /// Time and campaign of one of them, counted from 0.
    pub(crate) fn look(&self, at: usize) -> Option<(Timestamp, Option<&CampaignId>)> {
        let Some(later) = at.checked_sub(1) else { return Some((self.first.time, self.first.campaign.as_ref())) };
        self.later.get(later).map(|look| (look.time, look.campaign.as_ref()))
    }

    /// Whether both saw the same, at whatever time.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let (mine, others) = (&self.first, &other.first);
        (self.content, self.again) == (other.content, other.again)
            && (mine.subject, mine.outcome, &mine.sensor) == (others.subject, others.outcome, &others.sensor)
            && (&mine.remark, &mine.marking) == (&others.remark, &others.marking)
    }

    /// Takes one more observation that equals it and is not earlier than its last.
    pub(crate) fn push(&mut self, time: Timestamp, campaign: Option<&CampaignId>) {
        self.later.push(Look { time, campaign: campaign.cloned() });
    }

    /// Each observation as a row of its own.
    pub(crate) fn into_rows(self, rows: &mut Vec<Row>) {
        let Self { id, content, first, later, again: retold } = self;
        let again = |look: Look| Sighting { time: look.time, campaign: look.campaign, ..first.clone() };
        let others: Vec<Sighting> = later.into_iter().map(again).collect();
        rows.push(Row { id: id.unwrap_or_else(|| first.id()), content, sighting: first, again: retold });
        rows.extend(others.into_iter().map(|sighting| Row { id: sighting.id(), content, sighting, again: retold }));
    }

    /// The name of each observation.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SightingId> {
        let first = self.id.unwrap_or_else(|| self.first.id());
        let again =
            |look: &Look| Sighting { time: look.time, campaign: look.campaign.clone(), ..self.first.clone() }.id();
        std::iter::once(first).chain(self.later.iter().map(again))
    }
}
