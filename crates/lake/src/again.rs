//! Better rules improve the past: all facts derived again from stored evidence.
//!
//! One commit replaces all facts; readers of the table see the old ones until then. When something changed, a new index
//! is built beside the old one, which is searched until the new one is complete. The commit carries a note, and an index
//! says after which note it was begun: a kill between the two is noticed at the next start.
//! At a hundred times the data: the work follows distinct content, memory stays at one file of facts; the index should
//! then be told what changed instead of being rebuilt.

use std::collections::HashMap;

use hinomi_model::EvidenceRef;
use serde::Serialize;

use crate::error::LakeError;
use crate::facts::{self, FactsRow};
use crate::identify::{AtHand, CHUNK_CONTENTS, IDENTIFIED};
use crate::lake::Lake;
use crate::table::columns::Columns;
use crate::table::{Change, Note, Rows, Staged, read};

/// Rows of one file of facts: what is held and sorted at once.
const FILE_ROWS: usize = 16_384;

/// What deriving again came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reidentified {
    /// Distinct contents that were looked at.
    pub total: u64,
    /// Contents whose facts are other than before.
    pub changed: u64,
}

impl Lake {
    /// Derives all facts anew. `progress` is told how many contents are done, of how many.
    ///
    /// # Errors
    /// When this lake is for reading only, or tables or index cannot be read or written.
    pub fn identify_again(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Reidentified, LakeError> {
        let _writer = self.writer()?;
        self.may_rewrite()?;
        self.see_what_others_did()?;
        let table = &self.knowledge.keyed.table;
        let total = table.files(|_| true).iter().map(|file| file.rows).sum();
        let mut work = Work::new(total);
        for file in table.files(|_| true) {
            read::read(&table.path(&file), facts::STORED, Rows::AllBulk, &mut |batch| {
                let old = facts::decode(&Columns::new(facts::FACTS.name, batch))?;
                self.work_out_again(&mut work, &old)?;
                progress(work.done, total);
                Ok(())
            })?;
        }
        self.stage_again(&mut work)?;
        self.replace_facts(work)
    }

    fn work_out_again(&self, work: &mut Work, old: &[FactsRow]) -> Result<(), LakeError> {
        for chunk in old.chunks(CHUNK_CONTENTS) {
            let contents: Vec<(_, &[EvidenceRef])> =
                chunk.iter().map(|row| (row.content, row.evidence.as_slice())).collect();
            let new = self.knowledge.work_out(&contents, &self.pieces, &AtHand::default())?;
            let before: HashMap<_, _> = chunk.iter().map(|row| (row.content, &row.derived)).collect();
            let other = |row: &&FactsRow| {
                let before = before.get(&row.content);
                before.is_none_or(|old| old.facts != row.derived.facts || old.text != row.derived.text)
            };
            let changed = new.iter().filter(other).count();
            work.outcome.changed += u64::try_from(changed).unwrap_or(u64::MAX);
            work.done += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            work.rows.extend(new);
        }
        if work.rows.len() >= FILE_ROWS { self.stage_again(work) } else { Ok(()) }
    }

    /// One content by the rules of now.
    pub(crate) fn take_again(&self, work: &mut Work, row: FactsRow, changed: bool) -> Result<(), LakeError> {
        work.outcome.changed += u64::from(changed);
        work.rows.push(row);
        if work.rows.len() >= FILE_ROWS { self.stage_again(work) } else { Ok(()) }
    }

    /// Writes what was gathered into a file that does not count yet.
    pub(crate) fn stage_again(&self, work: &mut Work) -> Result<(), LakeError> {
        if work.rows.is_empty() {
            return Ok(());
        }
        let table = &self.knowledge.keyed.table;
        let mut rows = std::mem::take(&mut work.rows);
        rows.sort_unstable_by_key(|row| row.content);
        let label = work.staged.len().to_string();
        work.staged.push(table.stage(&label, facts::encode(table.schema(), &rows))?);
        Ok(())
    }

    /// Makes what was staged all that counts, in one step.
    pub(crate) fn replace_facts(&self, work: Work) -> Result<Reidentified, LakeError> {
        let changed = work.outcome.changed > 0;
        let text = self.knowledge.revision().to_owned();
        let note = changed.then(|| Note { application: IDENTIFIED.to_owned(), text });
        let change = Change { add: work.staged, replace_all: true, note, marks: self.marks(), ..Change::default() };
        self.heed_loss(self.knowledge.keyed.table.commit(change, self.clock.now()))?;
        self.knowledge.forget();
        if changed {
            self.build_index()?;
        }
        Ok(work.outcome)
    }
}

/// What deriving again has done so far.
pub(crate) struct Work {
    outcome: Reidentified,
    done: u64,
    rows: Vec<FactsRow>,
    staged: Vec<Staged>,
}

impl Work {
    /// Nothing yet, of so many contents.
    pub(crate) fn new(total: u64) -> Self {
        Self { outcome: Reidentified { total, changed: 0 }, done: 0, rows: Vec::new(), staged: Vec::new() }
    }
}
