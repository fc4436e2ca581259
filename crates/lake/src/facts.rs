//! The facts table: what each distinct content says, worked out once.
//!
//! Content is the list of evidence of a sighting. A row carries the list itself, so that facts can be derived again
//! from this table and the evidence alone. The table is derived: delete it and it is made again.
//! At a hundred times the data: rows follow distinct content, not sightings; facts used lately are kept in memory up to
//! [`MAX_CACHED_BYTES`], the rest is read by name.

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
        Column::new("content", Kind::Text).habit(Habit::Names),
        Column::new("rules", Kind::Text),
        Column::new("protocol", Kind::Text).optional(),
        Column::new("tls", Kind::Bool),
        Column::new("tls_version", Kind::Text).optional(),
        Column::new("vendor", Kind::Text).optional(),
        Column::new("product", Kind::Text).optional(),
        Column::new("version", Kind::Text).optional(),
        Column::new("model", Kind::Text).optional(),
        Column::new("firmware", Kind::Text).optional(),
        Column::new("kind", Kind::Text).optional(),
        Column::new("os", Kind::Text).optional(),
        Column::new("cpe", Kind::Texts),
        Column::new("confidence", Kind::Int),
        Column::new("title", Kind::Text).optional(),
        Column::new("summary", Kind::Text).optional(),
        Column::new("certificate_subject", Kind::Text).optional(),
        Column::new("certificate_issuer", Kind::Text).optional(),
        Column::new("certificate_names", Kind::Texts),
        Column::new("certificate_not_before", Kind::Time).optional(),
        Column::new("certificate_not_after", Kind::Time).optional(),
        Column::new("certificate_self_signed", Kind::Bool).optional(),
        Column::new("certificate_key", Kind::Text).optional(),
        Column::new("certificate_signature", Kind::Text).optional(),
        Column::new("certificate_sha256", Kind::Text).optional(),
        Column::new("hassh", Kind::Text).optional(),
        Column::new("host_key", Kind::Text).optional(),
        Column::new("tags", Kind::Texts),
        Column::new("text", Kind::Text).habit(Habit::Bulk),
        Column::new("evidence", Kind::References),
        Column::new("json", Kind::Text).habit(Habit::Bulk),
    ],
    sorted_by: &["content"],
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
    let certificates = || facts().map(|one| one.certificate.as_ref());
    let list_error = |error| LakeError::damaged("rows to be written", &error);
    let json: Result<Vec<_>, _> = facts().map(serde_json::to_string).collect();
    let json = json.map_err(|error| LakeError::damaged("facts to be written", &error))?;
    columns::batch(
        schema,
        vec![
            columns::hexes(rows.iter().map(|row| row.content.as_bytes().as_slice())),
            columns::texts(rows.iter().map(|row| row.rules.as_ref())),
            columns::maybe_texts(facts().map(|one| one.protocol.as_ref().map(|name| name.as_str()))),
            columns::bools(facts().map(|one| Some(one.tls))),
            columns::maybe_texts(facts().map(|one| one.tls_version.as_deref())),
            columns::maybe_texts(facts().map(|one| one.vendor.as_deref())),
            columns::maybe_texts(facts().map(|one| one.product.as_deref())),
            columns::maybe_texts(facts().map(|one| one.version.as_deref())),
            columns::maybe_texts(facts().map(|one| one.model.as_deref())),
            columns::maybe_texts(facts().map(|one| one.firmware.as_deref())),
            columns::maybe_texts(facts().map(|one| one.kind.map(|kind| kind.name()))),
            columns::maybe_texts(facts().map(|one| one.os.as_deref())),
            columns::text_lists(facts().map(|one| Some(one.cpe.as_slice()))).map_err(list_error)?,
            columns::ints(facts().map(|one| i32::from(one.confidence.as_percent()))),
            columns::maybe_texts(facts().map(|one| one.title.as_deref())),
            columns::maybe_texts(facts().map(|one| one.summary.as_deref())),
            columns::maybe_texts(certificates().map(|one| Some(one?.subject.as_str()))),
            columns::maybe_texts(certificates().map(|one| Some(one?.issuer.as_str()))),
            columns::text_lists(certificates().map(|one| Some(one?.names.as_slice()))).map_err(list_error)?,
            columns::times(certificates().map(|one| Some(one?.not_before))),
            columns::times(certificates().map(|one| Some(one?.not_after))),
            columns::bools(certificates().map(|one| Some(one?.self_signed))),
            columns::maybe_texts(certificates().map(|one| Some(one?.key.as_str()))),
            columns::maybe_texts(certificates().map(|one| Some(one?.signature.as_str()))),
            columns::maybe_texts(certificates().map(|one| Some(one?.sha256.as_str()))),
            columns::maybe_texts(facts().map(|one| one.hassh.as_deref())),
            columns::maybe_texts(facts().map(|one| one.host_key.as_deref())),
            columns::text_lists(facts().map(|one| Some(one.tags.as_slice()))).map_err(list_error)?,
            columns::texts(rows.iter().map(|row| row.derived.text.as_ref())),
            columns::reference_lists(rows.iter().map(|row| row.evidence.as_slice())).map_err(list_error)?,
            columns::texts(json.iter()),
        ],
    )
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
