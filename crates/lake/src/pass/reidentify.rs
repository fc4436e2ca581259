//! The pass `reidentify`: all facts derived again from the evidence, as `hinomi identify --again` does.
//!
//! The key is the content; its row is what the rules of now say of it. The driver writes the rows into files of the facts
//! table and replaces it in one commit. At a hundred times the data: rows follow distinct content; every process reads
//! the names of the evidence once ([`crate::keyed`]), so shares of a process should be many.

use hinomi_model::{ContentHash, EvidenceRef};

use super::row::{Cell, KEY, Row, torn};
use super::source::passed;
use super::{Emit, Engine, Order, Pass, Passed, Share, Source};
use crate::again::Work;
use crate::error::LakeError;
use crate::facts::{self, Derived, FactsRow};
use crate::identify::{AtHand, CHUNK_CONTENTS};
use crate::lake::Lake;
use crate::table::columns::Columns;
use crate::table::definition::{Column, Definition, Kind};
use crate::table::{Rows, Table, read};

static PARTIAL: Definition = Definition {
    name: "reidentify",
    description: "Partial rows of the pass reidentify.",
    columns: &[&[
        Column::new(KEY, Kind::Bytes),
        Column::new("changed", Kind::Long),
        Column::new("rules", Kind::Text),
        Column::new("evidence", Kind::Text),
        Column::new("text", Kind::Text),
        Column::new("json", Kind::Text),
    ]],
    sorted_by: &[KEY],
    format: 1,
};

/// The pass.
pub(super) struct Reidentify;

impl Pass for Reidentify {
    fn version(&self) -> u32 {
        1
    }

    fn partial(&self) -> &'static Definition {
        &PARTIAL
    }

    fn map(&self, share: &Share, source: &Source<'_>, emit: &mut Emit<'_>) -> Result<(), LakeError> {
        let Share::Rows(spans) = share else { return Err(torn()) };
        let table = &source.knowledge.keyed.table;
        for (path, from, count) in spans {
            let files = table.files(|file| file.path == *path);
            let file =
                files.first().ok_or_else(|| LakeError::damaged("a share of a pass", "it names no pinned file"))?;
            let number = |rows: &u64| usize::try_from(*rows).map_err(|_| torn());
            let rows = Rows::Span { from: number(from)?, count: number(count)? };
            read::read(&table.path(file), facts::STORED, rows, &mut |batch| {
                let old = facts::decode(&Columns::new(facts::FACTS.name, batch))?;
                old.chunks(CHUNK_CONTENTS).try_for_each(|old| again(old, source, emit))
            })?;
        }
        Ok(())
    }

    /// The same content says the same: where it stands in two files, the rows differ in what was known before.
    fn merge(&self, into: &mut Row, other: Row) -> Result<(), LakeError> {
        if into.cells.get(1..) != other.cells.get(1..) {
            return Err(LakeError::damaged("a partial row", "the same content says two things"));
        }
        super::row::combine(into, &other, &[0], i64::max)
    }
}

fn again(old: &[FactsRow], source: &Source<'_>, emit: &mut Emit<'_>) -> Result<(), LakeError> {
    let contents: Vec<(ContentHash, &[EvidenceRef])> =
        old.iter().map(|row| (row.content, row.evidence.as_slice())).collect();
    let new = source.knowledge.work_out(&contents, source.pieces, &AtHand::default())?;
    for (old, new) in old.iter().zip(new) {
        let changed = old.derived.facts != new.derived.facts || old.derived.text != new.derived.text;
        emit(row_of(&new, changed)?)?;
    }
    Ok(())
}

fn row_of(row: &FactsRow, changed: bool) -> Result<Row, LakeError> {
    let told = |value: Result<String, serde_json::Error>| {
        value.map(Cell::Text).map_err(|error| LakeError::damaged("facts to be told", &error))
    };
    let cells = vec![
        Cell::Long(i64::from(changed)),
        Cell::Text(row.rules.as_ref().to_owned()),
        told(serde_json::to_string(&row.evidence))?,
        Cell::Text(row.derived.text.as_ref().to_owned()),
        told(serde_json::to_string(row.derived.facts.as_ref()))?,
    ];
    Ok(Row { key: row.content.as_bytes().to_vec(), cells })
}

/// The row of the facts table, and whether it is other than before.
fn facts_of(row: &Row) -> Result<(FactsRow, bool), LakeError> {
    let wrong = |error: serde_json::Error| LakeError::damaged("facts that were told", &error);
    let content: [u8; 32] = row.key.as_slice().try_into().map_err(|_| torn())?;
    let derived = Derived {
        facts: std::sync::Arc::new(serde_json::from_str(row.text(4)?).map_err(wrong)?),
        text: row.text(3)?.into(),
    };
    let evidence = serde_json::from_str(row.text(2)?).map_err(wrong)?;
    let facts = FactsRow { content: ContentHash::from_bytes(content), rules: row.text(1)?.into(), evidence, derived };
    Ok((facts, row.long(0)? != 0))
}

impl Lake {
    /// Derives all facts anew by this engine, in place of [`Lake::identify_again`].
    pub(super) fn reidentify_by(&self, order: &Order, engine: &dyn Engine, by: &str) -> Result<Passed, LakeError> {
        let _writer = self.writer()?;
        self.may_rewrite()?;
        self.see_what_others_did()?;
        let task = self.task(order, &Reidentify)?;
        self.write_down(&task, engine, by)?;
        let table: &Table = &self.knowledge.keyed.table;
        let mut work = Work::new(table.files(|_| true).iter().map(|file| file.rows).sum());
        let own = self.knowledge.revision();
        let gathered = self.run_pass(&task, engine, &mut |row| {
            let (facts, changed) = facts_of(&row)?;
            if facts.rules.as_ref() != own {
                let detail = format!("an executor has other rules ({}) than this program ({own})", facts.rules);
                return Err(LakeError::Unfit { detail });
            }
            self.take_again(&mut work, facts, changed)
        })?;
        self.stage_again(&mut work)?;
        let outcome = self.replace_facts(work)?;
        Ok(Passed { changed: Some(outcome.changed), ..passed(&task, engine, gathered) })
    }
}
