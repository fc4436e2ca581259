//! Applying sightings: what changes a row, and what only touches its times.
//!
//! The state of a service is a function of the set of its sightings, whatever order they arrive in: the newest that
//! answered decides the content; first and last seen are the least and greatest time of those that answered; a service
//! is closed when one found it closed later than that. Of sightings of the same time the open one, then the greater
//! content hash, then the greater sensor name wins.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hinomi_model::{ContentHash, Facts, Outcome, Timestamp};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, IndexWriter, Searcher, TERMINATED, TantivyDocument, Term};

use super::Update;
use super::document::{Place, content_number, document, key_bytes, searched_text};
use super::facts::{FactsFile, Told};
use super::schema::{Columns, State};
use super::segment::{Around, Rows};
use super::times::{Seen, View};
use crate::error::LakeError;

/// A row as it stands.
struct Standing {
    row: u64,
    state: State,
    seen: Seen,
    content: Option<ContentHash>,
    around: Around,
}

/// What one application needs.
pub(super) struct Applying<'a> {
    columns: &'a Columns,
    facts: &'a FactsFile,
    writer: &'a IndexWriter,
    searcher: &'a Searcher,
    rows: Vec<Rows>,
    /// Records of this application, by content.
    fresh: HashMap<ContentHash, u64>,
    next_row: u64,
    touches: Vec<(u64, Seen)>,
}

/// What came of it.
pub(super) struct Applied {
    pub(super) next_row: u64,
    pub(super) touches: Vec<(u64, Seen)>,
}

/// Puts updates into the writer; nothing is visible before its commit.
pub(super) fn apply<'a>(
    columns: &'a Columns,
    facts: &'a FactsFile,
    writer: &'a IndexWriter,
    (searcher, times): (&'a Searcher, &Arc<View>),
    next_row: u64,
    updates: Vec<Update>,
) -> Result<Applied, LakeError> {
    let open = |reader| Rows::open(reader, columns, Arc::clone(times));
    let rows = searcher.segment_readers().iter().map(open).collect::<tantivy::Result<_>>().map_err(index_error)?;
    let (fresh, touches) = (HashMap::new(), Vec::new());
    let mut applying = Applying { columns, facts, writer, searcher, rows, fresh, next_row, touches };
    let mut by_service: BTreeMap<[u8; 19], Vec<Update>> = BTreeMap::new();
    for update in updates {
        by_service.entry(key_bytes(&update.key)).or_default().push(update);
    }
    for (key, updates) in by_service {
        applying.service(&key, &updates)?;
    }
    Ok(Applied { next_row: applying.next_row, touches: applying.touches })
}

impl Applying<'_> {
    /// Applies everything that is new about one service.
    fn service(&mut self, key: &[u8], updates: &[Update]) -> Result<(), LakeError> {
        let standing = self.standing(key)?;
        let new = updates.iter().map(seen_of).fold(Seen::default(), Seen::merge);
        let best = updates.iter().filter(|update| update.outcome != Outcome::Closed).max_by(|a, b| newer(a, b));
        let Some(best) = best else { return self.closed(updates, standing, new) };
        let Some(standing) = standing else { return self.put(best, state_of(best), new) };
        let seen = standing.seen.merge(new);
        if standing.is_replaced_by(best) {
            self.writer.delete_term(Term::from_field_bytes(self.columns.key, key));
            return self.put(best, state_of(best), seen);
        }
        self.touches.push((standing.row, new));
        Ok(())
    }

    /// Nobody answered.
    fn closed(&mut self, updates: &[Update], standing: Option<Standing>, new: Seen) -> Result<(), LakeError> {
        match (standing, updates.first()) {
            (Some(standing), _) => self.touches.push((standing.row, new)),
            (None, Some(update)) => return self.put(update, State::Nothing, new),
            (None, None) => {}
        }
        Ok(())
    }

    /// Writes the row of a service. One that stands must have been deleted: looking for what never stood costs a look
    /// into every segment.
    fn put(&mut self, update: &Update, state: State, seen: Seen) -> Result<(), LakeError> {
        let facts = if state == State::Nothing { None } else { Some(self.record(update)?) };
        let place = Place { row: self.next_row, facts };
        self.next_row += 1;
        let row: TantivyDocument = document(self.columns, update, state, seen, &place);
        self.writer.add_document(row).map_err(index_error)?;
        Ok(())
    }

    /// The record of this content: the one there is, or a new one.
    fn record(&mut self, update: &Update) -> Result<u64, LakeError> {
        if let Some(offset) = self.fresh.get(&update.content) {
            return Ok(*offset);
        }
        let offset = match self.known_record(&update.content)? {
            Some(offset) => offset,
            None => {
                let told = Told { facts: Facts::clone(&update.facts), evidence: update.evidence.clone() };
                self.facts.append(update.content, &told, &searched_text(&update.text, &update.facts))?
            }
        };
        self.fresh.insert(update.content, offset);
        Ok(offset)
    }

    /// A committed record of this content that some row still holds.
    fn known_record(&self, content: &ContentHash) -> Result<Option<u64>, LakeError> {
        let term = Term::from_field_u64(self.columns.content, content_number(content));
        let Some((rows, doc)) = self.first_alive(&term)? else { return Ok(None) };
        let Some(offset) = rows.facts(doc) else { return Ok(None) };
        Ok((self.facts.content(offset)? == *content).then_some(offset))
    }

    fn standing(&self, key: &[u8]) -> Result<Option<Standing>, LakeError> {
        let term = Term::from_field_bytes(self.columns.key, key);
        let Some((rows, doc)) = self.first_alive(&term)? else { return Ok(None) };
        let content = rows.facts(doc).map(|offset| self.facts.content(offset)).transpose()?;
        let (life, around) = (&rows.life, rows.around(doc)?);
        Ok(Some(Standing { row: life.row(doc), state: life.state(doc), seen: life.seen(doc), content, around }))
    }

    fn first_alive(&self, term: &Term) -> Result<Option<(&Rows, DocId)>, LakeError> {
        for (reader, rows) in self.searcher.segment_readers().iter().zip(&self.rows) {
            let inverted = reader.inverted_index(term.field()).map_err(index_error)?;
            let postings = inverted.read_postings(term, IndexRecordOption::Basic);
            let Some(mut postings) = postings.map_err(super::files::io("read the index"))? else { continue };
            while postings.doc() != TERMINATED {
                if !reader.is_deleted(postings.doc()) {
                    return Ok(Some((rows, postings.doc())));
                }
                postings.advance();
            }
        }
        Ok(None)
    }
}

impl Standing {
    /// Whether a sighting is newer than this row and says something else.
    fn is_replaced_by(&self, update: &Update) -> bool {
        if self.state == State::Nothing {
            return true;
        }
        let same =
            self.content == Some(update.content) && self.state == state_of(update) && self.around == around_of(update);
        if same {
            return false;
        }
        let mine = (self.seen.last, self.state == State::Open, self.content, self.around.sensor.as_deref());
        mine < (Some(update.time.as_micros()), open(update), Some(update.content), Some(update.sensor.as_str()))
    }
}

fn open(update: &Update) -> bool {
    update.outcome == Outcome::Open
}

fn newer(a: &Update, b: &Update) -> Ordering {
    let rank = |update: &Update| -> (Timestamp, bool, ContentHash) { (update.time, open(update), update.content) };
    rank(a).cmp(&rank(b)).then_with(|| a.sensor.cmp(&b.sensor))
}

fn state_of(update: &Update) -> State {
    if open(update) { State::Open } else { State::Pseudo }
}

fn seen_of(update: &Update) -> Seen {
    let time = Some(update.time.as_micros());
    match update.outcome {
        Outcome::Closed => Seen { closed: time, ..Seen::default() },
        _ => Seen { last: time, first: time, closed: None },
    }
}

fn around_of(update: &Update) -> Around {
    Around {
        sensor: Some(update.sensor.as_str().to_owned()),
        country: update.country.clone().filter(|country| !country.is_empty()),
        tlp: Some(super::document::tlp_value(&update.marking)),
        purpose: Some(update.marking.purpose.name().to_owned()),
        asn: update.asn.map(u64::from),
    }
}

fn index_error(source: tantivy::TantivyError) -> LakeError {
    LakeError::Index { what: "write the index".into(), source }
}
