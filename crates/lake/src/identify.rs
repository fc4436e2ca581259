//! Contents to facts: from memory, from the table, or from the evidence by the rules.
//!
//! At a hundred times the data: the rules run once for each distinct content, on all processors, and what they say is
//! stored; a content seen again costs a look into memory or one page of a file.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use ahash::{HashMap, RandomState};
use hinomi_model::{ContentHash, Evidence, EvidenceRef, Identifier, Timestamp};

use crate::error::LakeError;
use crate::evidence::Pieces;
use crate::facts::{self, Cache, Derived, FactsRow};
use crate::keyed::Keyed;
use crate::shared::Mark;
use crate::table::{Change, Table};
use crate::text;

/// Contents whose evidence is in memory at once.
pub(crate) const CHUNK_CONTENTS: usize = 128;

/// How a change of everything known signs its note in the log of the facts table.
pub(crate) const IDENTIFIED: &str = "hinomi.identified";

/// Contents and what they consist of.
pub(crate) type Contents<'a> = BTreeMap<ContentHash, &'a [EvidenceRef]>;

/// Evidence at hand, so that it need not be read back.
pub(crate) type AtHand = HashMap<ContentHash, Evidence>;

/// What contents say.
#[derive(Default)]
pub(crate) struct Known {
    /// Of each content.
    pub(crate) derived: HashMap<ContentHash, Derived>,
    /// What was worked out just now and is in no table, sorted by content.
    pub(crate) new: Vec<FactsRow>,
}

/// Facts, stored and derived.
pub(crate) struct Knowledge {
    /// The table by content.
    pub(crate) keyed: Keyed,
    identifier: Arc<dyn Identifier>,
    cache: Mutex<Cache>,
}

impl Knowledge {
    /// Facts in this table, derived by these rules.
    pub(crate) fn new(table: Table, identifier: Arc<dyn Identifier>) -> Self {
        Self { keyed: Keyed::new(table, facts::FACTS.name, "content"), identifier, cache: Mutex::default() }
    }

    /// Revision of the rules in use.
    pub(crate) fn revision(&self) -> &str {
        self.identifier.revision()
    }

    /// The version of the facts table that last changed what was known of old contents.
    pub(crate) fn identified(&self) -> Option<u64> {
        self.keyed.table.noted(IDENTIFIED)
    }

    /// What these contents say; what was not known is worked out, and is kept by [`Knowledge::keep`].
    pub(crate) fn of(&self, contents: &Contents<'_>, pieces: &Pieces, at_hand: &AtHand) -> Result<Known, LakeError> {
        let mut derived = self.recall(contents)?;
        let unknown: Vec<_> = contents.iter().filter(|(content, _)| !derived.contains_key(*content)).collect();
        let mut new = Vec::with_capacity(unknown.len());
        for chunk in unknown.chunks(CHUNK_CONTENTS) {
            let contents: Vec<_> = chunk.iter().map(|(content, references)| (**content, **references)).collect();
            new.extend(self.work_out(&contents, pieces, at_hand)?);
        }
        derived.extend(new.iter().map(|row| (row.content, row.derived.clone())));
        Ok(Known { derived, new })
    }

    /// Stores what was worked out, in one step.
    pub(crate) fn keep(&self, new: Vec<FactsRow>, marks: Vec<Mark>, now: Timestamp) -> Result<(), LakeError> {
        if !new.is_empty() {
            let staged = self.keyed.table.stage_quickly("0", facts::encode(self.keyed.table.schema(), &new))?;
            self.keyed.table.commit(Change { add: vec![staged], marks, ..Change::default() }, now)?;
        }
        self.remember(new);
        Ok(())
    }

    /// Keeps this in memory for a while: it will be asked for again.
    pub(crate) fn remember(&self, rows: Vec<FactsRow>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        rows.into_iter().for_each(|row| cache.put(row.content, row.derived));
    }

    /// Forgets what memory holds, after the table was rewritten.
    pub(crate) fn forget(&self) {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn recall(&self, contents: &Contents<'_>) -> Result<HashMap<ContentHash, Derived>, LakeError> {
        let mut known = HashMap::with_capacity_and_hasher(contents.len(), RandomState::new());
        let mut elsewhere = Vec::new();
        {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            for (content, references) in contents {
                let found = if references.is_empty() { Some(Derived::default()) } else { cache.get(content) };
                match found {
                    Some(derived) => drop(known.insert(*content, derived)),
                    None => elsewhere.push(*content),
                }
            }
        }
        self.keyed.fetch(elsewhere.iter(), facts::STORED, &mut |columns| {
            let rows = facts::decode(&columns)?;
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            for row in rows {
                cache.put(row.content, row.derived.clone());
                known.insert(row.content, row.derived);
            }
            Ok(())
        })?;
        Ok(known)
    }

    /// Runs the rules over contents, sorted by content as given.
    pub(crate) fn work_out(
        &self,
        contents: &[(ContentHash, &[EvidenceRef])],
        pieces: &Pieces,
        at_hand: &AtHand,
    ) -> Result<Vec<FactsRow>, LakeError> {
        let hashes = contents.iter().flat_map(|(_, references)| references.iter().map(|one| &one.hash));
        let stored = pieces.all(hashes.filter(|hash| !at_hand.contains_key(*hash)))?;
        let find = |hash: &ContentHash| at_hand.get(hash).or_else(|| stored.get(hash));
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let share = contents.len().div_ceil(threads).max(1);
        let work = |part: &[(ContentHash, &[EvidenceRef])]| self.work_out_part(part, &find);
        let (first, others) = contents.split_at_checked(share).unwrap_or((contents, &[]));
        Ok(std::thread::scope(|scope| {
            let spawned: Vec<_> = others.chunks(share).map(|part| scope.spawn(move || work(part))).collect();
            let mut rows = work(first);
            for handle in spawned {
                rows.extend(handle.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)));
            }
            rows
        }))
    }

    fn work_out_part<'p>(
        &self,
        contents: &[(ContentHash, &[EvidenceRef])],
        find: &(dyn Fn(&ContentHash) -> Option<&'p Evidence> + Sync),
    ) -> Vec<FactsRow> {
        let rules: Arc<str> = self.identifier.revision().into();
        let row = |(content, references): &(ContentHash, &[EvidenceRef])| {
            // Evidence that was deleted by law is absent: the rest still says what it says.
            let present = references.iter().filter_map(|one| Some((one.kind, find(&one.hash)?)));
            let evidence: Vec<_> = present.map(|(kind, piece)| Evidence { kind, ..piece.clone() }).collect();
            let derived = Derived {
                facts: Arc::new(self.identifier.identify(&evidence)),
                text: text::readable(&evidence).into(),
            };
            FactsRow { content: *content, rules: rules.clone(), evidence: references.to_vec(), derived }
        };
        contents.iter().map(row).collect()
    }
}
