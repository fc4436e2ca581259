//! The order of answers: as numbers within a segment, as values across segments.

use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader, TantivyError};

use super::block::{BLOCK, Block};
use super::cursor::{Rank, Value};
use super::schema::{Columns, column};
use super::segment::{Life, Spots};
use crate::query::{Class, Field, Sort};

/// A row's place within a segment's order: what has no value last, then the value's number, then the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Local {
    lead: Lead,
    /// The small number of the address, and one more than port and transport: sorts as services do, and there is room
    /// before each address.
    spot: u64,
}

/// What decides before the service does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lead {
    absent: bool,
    number: u64,
}

impl Local {
    /// The first place that a service of an address can have.
    pub(super) const fn first(lead: Lead, small: u64) -> Self {
        Self { lead, spot: small << PLACE_BITS }
    }

    /// What decides before the service does.
    pub(super) const fn lead(&self) -> Lead {
        self.lead
    }

    /// The small number of its address.
    pub(super) const fn small(&self) -> u64 {
        self.spot >> PLACE_BITS
    }

    /// The place of a service of that address.
    pub(super) const fn at(self, place: u64) -> Self {
        Self { spot: self.spot | (place + 1), ..self }
    }
}

const PLACE_BITS: u32 = 32;

/// Where the number to sort by comes from.
enum Source {
    /// Nowhere: the service alone decides.
    Nothing,
    Unsigned(Column<u64>),
    Signed(Column<i64>),
    /// Ordinals of a segment's sorted values. Numbers are odd, so that a value between two has an even one.
    Text(Option<StrColumn>),
    LastSeen,
    FirstSeen,
}

/// The order asked for, in one segment.
pub(super) struct Order {
    source: Source,
    descending: bool,
}

impl Order {
    pub(super) fn open(reader: &SegmentReader, columns: &Columns, sort: Sort) -> tantivy::Result<Self> {
        let fast = reader.fast_fields();
        let source = match sort.field {
            Field::Address => Source::Nothing,
            Field::Port => Source::Unsigned(fast.u64(column::PORT)?),
            Field::As => Source::Unsigned(fast.u64(column::ASN)?),
            Field::Confidence => Source::Unsigned(fast.u64(column::CONFIDENCE)?),
            Field::CertExpires => Source::Signed(fast.i64(column::EXPIRES)?),
            Field::Seen => Source::LastSeen,
            Field::First => Source::FirstSeen,
            text => match columns.text_of(text) {
                Some(found) if text.info().class == Class::Version => Source::Text(fast.str(&found.key_name)?),
                Some(found) => Source::Text(fast.str(&found.shown_name)?),
                None => Source::Nothing,
            },
        };
        Ok(Self { source, descending: sort.descending })
    }

    /// Whether the service alone decides.
    pub(super) const fn is_by_service(&self) -> bool {
        matches!(self.source, Source::Nothing)
    }

    /// What decides first of each row of a block.
    pub(super) fn leads(&self, block: &Block, life: &Life, leads: &mut [Lead; BLOCK]) {
        match &self.source {
            Source::Nothing => leads.fill(self.turned(Some(0))),
            Source::LastSeen => {
                let mut lasts = [None; BLOCK];
                life.lasts(block, &mut lasts);
                for (lead, last) in leads.iter_mut().zip(lasts).take(block.len()) {
                    *lead = self.turned(last.map(tantivy::i64_to_u64));
                }
            }
            _ => block.iter().zip(leads).for_each(|(doc, lead)| *lead = self.turned(self.number(*doc, life))),
        }
    }

    fn number(&self, doc: DocId, life: &Life) -> Option<u64> {
        match &self.source {
            Source::Nothing => Some(0),
            Source::Unsigned(column) => column.first(doc),
            Source::Signed(column) => column.first(doc).map(tantivy::i64_to_u64),
            Source::Text(column) => column.as_ref().and_then(|column| column.ords().first(doc)).map(odd),
            Source::LastSeen => life.last(doc).map(tantivy::i64_to_u64),
            Source::FirstSeen => life.seen(doc).first.map(tantivy::i64_to_u64),
        }
    }

    fn turned(&self, number: Option<u64>) -> Lead {
        let turned = number.map_or(0, |number| if self.descending { !number } else { number });
        Lead { absent: number.is_none(), number: turned }
    }

    /// Where a row of any segment would stand in this one.
    pub(super) fn localise(&self, rank: &Rank, spots: &Spots) -> tantivy::Result<Local> {
        let number = match (&rank.value, &self.source) {
            (None, _) => None,
            (Some(Value::Number(number)), _) => Some(*number),
            (Some(Value::Text(text)), Source::Text(Some(column))) => Some(ordinal(column, text)?),
            (Some(Value::Text(_)), _) => Some(0),
        };
        let (address, place) = rank.spot;
        let spot = match spots.addresses.find(address) {
            (small, true) => (u64::from(small) << PLACE_BITS) | (place + 1),
            // No row here has this address: it would stand right before the next one.
            (small, false) => u64::from(small) << PLACE_BITS,
        };
        Ok(Local { lead: self.turned(number), spot })
    }

    /// The same place in terms that hold across segments.
    pub(super) fn globalise(&self, local: &Local, spots: &Spots) -> Result<Rank, TantivyError> {
        let Lead { absent, number } = local.lead;
        let number = if self.descending { !number } else { number };
        let value = match &self.source {
            _ if absent => None,
            Source::Text(Some(column)) => {
                let mut text = Vec::new();
                column.dictionary().ord_to_term(number / 2, &mut text)?;
                Some(Value::Text(text))
            }
            _ => Some(Value::Number(number)),
        };
        let small = u32::try_from(local.spot >> PLACE_BITS).unwrap_or(u32::MAX);
        let place = (local.spot & u64::from(u32::MAX)).saturating_sub(1);
        Ok(Rank { value, spot: (spots.addresses.whole(small), place) })
    }
}

const fn odd(ordinal: u64) -> u64 {
    ordinal * 2 + 1
}

/// The number of a value in this segment's dictionary: its own, or the even one between its neighbours.
fn ordinal(column: &StrColumn, text: &[u8]) -> std::io::Result<u64> {
    let dictionary = column.dictionary();
    let (mut low, mut high) = (0, dictionary.num_terms() as u64);
    let mut here = Vec::new();
    while low < high {
        let middle = low + (high - low) / 2;
        dictionary.ord_to_term(middle, &mut here)?;
        match here.as_slice().cmp(text) {
            std::cmp::Ordering::Equal => return Ok(odd(middle)),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(low * 2)
}
