//! The facts table: what each distinct content says, worked out once.
//!
//! Content is the list of evidence of a sighting. A row carries the list itself, so that facts can be derived again
//! from this table and the evidence alone. The table is derived: delete it and it is made again.
//! At a hundred times the data: rows follow distinct content, not sightings; facts used lately are kept in memory up to
//! [`MAX_CACHED_BYTES`], the rest is read by name.

pub(crate) mod list;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use hinomi_model::{ContentHash, EvidenceRef, Facts};

use crate::error::LakeError;
use crate::table::columns::{self, Columns};
use crate::table::definition::{Column, Definition, Habit, Kind};

/// The table.
pub(crate) static FACTS: Definition = Definition {
    name: "facts",
    description: "What each distinct content (list of evidence) says, by which rules. Derived; sightings refer by content.",
    columns: &[
        &[Column::new("content", Kind::Text).habit(Habit::Names), Column::new("rules", Kind::Text)],
        &list::COLUMNS,
        &[
            Column::new("text", Kind::Text).habit(Habit::Bulk),
            Column::new("evidence", Kind::References),
            Column::new("json", Kind::Text).habit(Habit::Bulk),
        ],
    ],
    sorted_by: &["content"],
    format: 1,
};

/// The columns that [`decode`] needs.
pub(crate) const STORED: &[&str] = &["content", "rules", "text", "evidence", "json"];

/// Rows put into one Arrow batch while writing.
const ENCODED_ROWS: usize = 4_096;

/// The most bytes of facts kept in memory, about.
pub(crate) const MAX_CACHED_BYTES: usize = 96 << 20;

/// What one content says, and the readable text of its evidence.
#[derive(Clone, Debug)]
pub(crate) struct Derived {
    /// What it says.
    pub(crate) facts: Arc<Facts>,
    /// What can be read of it.
    pub(crate) text: Arc<str>,
}

impl Default for Derived {
    fn default() -> Self {
        Self { facts: Arc::default(), text: Arc::from("") }
    }
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct FactsRow {
    /// The name of the content.
    pub(crate) content: ContentHash,
    /// Revision of the rules that worked it out.
    pub(crate) rules: Arc<str>,
    /// The content.
    pub(crate) evidence: Vec<EvidenceRef>,
    /// What it says.
    pub(crate) derived: Derived,
}

/// Rows as Arrow batches; the caller has sorted them.
pub(crate) fn encode<'a>(
    schema: &'a SchemaRef,
    rows: &'a [FactsRow],
) -> impl Iterator<Item = Result<RecordBatch, LakeError>> + 'a {
    rows.chunks(ENCODED_ROWS).map(|chunk| encode_chunk(schema, chunk))
}

fn encode_chunk(schema: &SchemaRef, rows: &[FactsRow]) -> Result<RecordBatch, LakeError> {
    let facts = || rows.iter().map(|row| row.derived.facts.as_ref());
    let list_error = |error| LakeError::damaged("rows to be written", &error);
    let json: Result<Vec<_>, _> = facts().map(serde_json::to_string).collect();
    let json = json.map_err(|error| LakeError::damaged("facts to be written", &error))?;
    let mut all = vec![
        columns::hexes(rows.iter().map(|row| row.content.as_bytes().as_slice())),
        columns::texts(rows.iter().map(|row| row.rules.as_ref())),
    ];
    all.extend(list::arrays(facts).map_err(list_error)?);
    all.extend([
        columns::texts(rows.iter().map(|row| row.derived.text.as_ref())),
        columns::reference_lists(rows.iter().map(|row| row.evidence.as_slice())).map_err(list_error)?,
        columns::texts(json.iter()),
    ]);
    columns::batch(schema, all)
}

/// Rows out of Arrow columns.
pub(crate) fn decode(columns: &Columns<'_>) -> Result<Vec<FactsRow>, LakeError> {
    let (contents, rules) = (columns.texts("content")?, columns.texts("rules")?);
    let (texts, jsons) = (columns.texts("text")?, columns.texts("json")?);
    let evidence = columns.reference_lists("evidence")?;
    let mut rows = Vec::with_capacity(contents.len());
    for (at, evidence) in evidence.into_iter().enumerate() {
        let facts: Facts =
            serde_json::from_str(jsons.value(at)).map_err(|error| columns.damaged(&error.to_string()))?;
        let content = contents.value(at).parse();
        rows.push(FactsRow {
            content: content.map_err(|error: hinomi_model::id::IdError| columns.damaged(&error.to_string()))?,
            rules: rules.value(at).into(),
            evidence,
            derived: Derived { facts: Arc::new(facts), text: texts.value(at).into() },
        });
    }
    Ok(rows)
}

/// Facts used lately: two generations, the older one dropped when the younger one is full.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    young: HashMap<ContentHash, Derived>,
    old: HashMap<ContentHash, Derived>,
    young_bytes: usize,
}

impl Cache {
    /// The facts of this content, if they were used lately.
    pub(crate) fn get(&mut self, content: &ContentHash) -> Option<Derived> {
        if let Some(derived) = self.young.get(content) {
            return Some(derived.clone());
        }
        let derived = self.old.remove(content)?;
        self.put(*content, derived.clone());
        Some(derived)
    }

    /// Keeps the facts of this content for a while.
    pub(crate) fn put(&mut self, content: ContentHash, derived: Derived) {
        self.young_bytes += weight(&derived);
        self.young.insert(content, derived);
        if self.young_bytes > MAX_CACHED_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Bytes of memory, about: the struct, its text, and the parts that strangers can make long.
fn weight(derived: &Derived) -> usize {
    let facts = &derived.facts;
    let lists = facts.cpe.iter().chain(&facts.tags).chain(facts.certificate.iter().flat_map(|one| &one.names));
    let texts = [&facts.title, &facts.summary, &facts.product, &facts.version].into_iter().flatten();
    let certificate = facts.certificate.as_ref().map_or(0, |one| one.subject.len() + one.issuer.len());
    let proofs = facts.proofs.len() * 96;
    1_024 + derived.text.len() + certificate + proofs + lists.chain(texts).map(|text| text.len() + 24).sum::<usize>()
}
