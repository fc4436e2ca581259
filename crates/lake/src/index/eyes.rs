//! Rows of one segment as an asker may see them: which of them, and from when until when.
//!
//! A row is told by its marking, its address and AS number, and when it last answered. Markings are few: which grants
//! each of them fits is found once for a segment ([`Sight`]); then a row that is marked for everybody, or for nobody,
//! costs one number, and of others one bit for the address and, where the asker's right begins or ends among the times
//! of the segment, a binary search.
//!
//! Times that lie outside the asker's stretch are not told ([`Eyes::cut`]): first seen is not before it begins, and what
//! was found closed after it ended is still open.

use std::sync::Arc;

use hinomi_model::address::from_u128;
use hinomi_model::{Marking, Timestamp};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, SegmentReader};

use super::address::Addresses;
use super::block::Block;
use super::schema::column;
use super::times::{Seen, View};
use crate::entitlement::{Entitlement, Held, Seen as Observed, Stretch};

/// From so many rows on a bitmap is made of ranges; for fewer each row is looked up by itself.
pub(super) const BITS_FROM_ROWS: u64 = 20_000;
/// The most bits of such a bitmap: 16 MB.
const MAX_BITS: usize = 1 << 27;

/// What rows of one marking need.
enum Sight {
    /// Nobody of the askers may see them.
    Hidden,
    /// All of them, whenever they were seen.
    Shown,
    /// Those of certain places and times.
    Placed(Vec<Place>),
}

/// Places and times in the numbers of a segment.
struct Place {
    held: Arc<Held>,
    /// One bit for each small number of an address; none where each row is looked up.
    bits: Option<Vec<u64>>,
}

/// One segment through the eyes of an asker.
pub(super) struct Eyes {
    sights: Vec<Sight>,
    /// By the same number; kept for who judges single rows.
    markings: Vec<Option<Marking>>,
    marking: Option<StrColumn>,
    addresses: Addresses,
    asn: Column<u64>,
    row: Column<u64>,
    times: Arc<View>,
    may: Arc<Entitlement>,
}

impl Eyes {
    /// A segment of which about so many rows are looked at.
    pub(super) fn open(
        reader: &SegmentReader,
        may: &Arc<Entitlement>,
        times: &Arc<View>,
        rows: u64,
    ) -> tantivy::Result<Self> {
        let (fast, addresses) = (reader.fast_fields(), Addresses::open(reader)?);
        let marking = fast.str(column::MARKING)?;
        let mut markings = Vec::new();
        if let Some(marking) = &marking {
            let mut terms = marking.dictionary().stream()?;
            while terms.advance() {
                markings.push(serde_json::from_slice(terms.key()).ok());
            }
        }
        let mut places = Places { addresses: &addresses, rows, made: Vec::new() };
        let sights = markings.iter().map(|marking| sight(may, marking.as_ref(), &mut places)).collect();
        let (asn, row) = (fast.u64(column::ASN)?, fast.u64(column::ROW)?);
        Ok(Self { sights, markings, marking, asn, row, times: Arc::clone(times), may: Arc::clone(may), addresses })
    }

    /// Leaves of a block what may be seen.
    pub(super) fn hold(&self, block: &mut Block) {
        block.retain(|_, doc| self.sees(doc));
    }

    /// What may be told of when a row was seen; nothing of a row that may not be seen.
    pub(super) fn cut(&self, doc: DocId, seen: Seen) -> Seen {
        let Some(stretch) = self.stretch(doc, seen.last) else { return Seen::default() };
        Seen {
            last: seen.last,
            first: seen.first.map(|first| first.max(stretch.from)),
            closed: seen.closed.filter(|closed| stretch.holds(*closed)),
        }
    }

    fn sees(&self, doc: DocId) -> bool {
        match self.sight(doc) {
            None | Some((Sight::Hidden, _)) => false,
            Some((Sight::Shown, marking)) => self.judged(doc, marking),
            Some((Sight::Placed(places), marking)) => {
                let small = self.addresses.small(doc);
                let asn = self.asn(doc);
                let last = self.last(doc);
                places.iter().any(|place| place.holds(small, asn, last, &self.addresses)) && self.judged(doc, marking)
            }
        }
    }

    fn stretch(&self, doc: DocId, last: Option<i64>) -> Option<Stretch> {
        let (sight, marking) = self.sight(doc)?;
        let widest = match sight {
            Sight::Hidden => None,
            Sight::Shown => Some(Stretch::ALWAYS),
            Sight::Placed(places) => {
                let (address, asn) = (self.addresses.whole(self.addresses.small(doc)), self.asn(doc));
                let of = |place: &Place| place.held.stretch(address, asn, last?);
                places.iter().filter_map(of).reduce(Stretch::widest)
            }
        };
        widest.filter(|_| self.judged(doc, marking))
    }

    fn sight(&self, doc: DocId) -> Option<(&Sight, &Option<Marking>)> {
        let ordinal = usize::try_from(self.marking.as_ref()?.ords().first(doc)?).ok()?;
        self.sights.get(ordinal).zip(self.markings.get(ordinal))
    }

    fn asn(&self, doc: DocId) -> Option<u32> {
        self.asn.first(doc).and_then(|asn| u32::try_from(asn).ok())
    }

    fn last(&self, doc: DocId) -> Option<i64> {
        self.times.get(self.row.first(doc).unwrap_or(u64::MAX)).last
    }

    /// Whether the judge agrees, where there is one.
    fn judged(&self, doc: DocId, marking: &Option<Marking>) -> bool {
        let Some(judge) = self.may.judge() else { return true };
        let (Some(marking), Some(last)) = (marking, self.last(doc)) else { return false };
        let address = from_u128(self.addresses.whole(self.addresses.small(doc)));
        judge.may(&Observed { address, asn: self.asn(doc), time: Timestamp::from_micros(last), marking })
    }
}

/// Which grants a marking fits. What cannot be read is for nobody.
fn sight(may: &Entitlement, marking: Option<&Marking>, places: &mut Places<'_>) -> Sight {
    let Some(marking) = marking else { return Sight::Hidden };
    let mut placed = Vec::new();
    for grant in may.grants().iter().filter(|grant| grant.marks.fit(marking)) {
        match &grant.held {
            None => return Sight::Shown,
            Some(held) => placed.push(places.of(held)),
        }
    }
    if placed.is_empty() { Sight::Hidden } else { Sight::Placed(placed) }
}

/// Makes places, each bitmap once.
struct Places<'a> {
    addresses: &'a Addresses,
    rows: u64,
    made: Vec<(Arc<Held>, Option<Vec<u64>>)>,
}

impl Places<'_> {
    fn of(&mut self, held: &Arc<Held>) -> Place {
        let known = self.made.iter().find(|(known, _)| Arc::ptr_eq(known, held)).map(|(_, bits)| bits.clone());
        let bits = known.unwrap_or_else(|| {
            let bits = self.bits(held);
            self.made.push((Arc::clone(held), bits.clone()));
            bits
        });
        Place { held: Arc::clone(held), bits }
    }

    fn bits(&self, held: &Held) -> Option<Vec<u64>> {
        let bits = usize::try_from(self.addresses.greatest()).unwrap_or(usize::MAX);
        if self.rows < BITS_FROM_ROWS || bits >= MAX_BITS {
            return None;
        }
        let mut words = vec![0_u64; bits / 64 + 1];
        for (low, high) in held.spans() {
            let from = self.addresses.find(low).0;
            let until = high.checked_add(1).map_or(u32::MAX, |next| self.addresses.find(next).0);
            set(&mut words, u64::from(from), u64::from(until).min(bits as u64 + 1));
        }
        Some(words)
    }
}

impl Place {
    fn holds(&self, small: u32, asn: Option<u32>, last: Option<i64>, addresses: &Addresses) -> bool {
        let Some(last) = last else { return false };
        let inside = self.bits.as_ref().map(|words| is_set(words, small));
        match (inside, self.held.sure()) {
            (Some(true), Some(sure)) if sure.holds(last) => true,
            (Some(false), _) if self.held.is_by_address() => false,
            _ => self.held.stretch(addresses.whole(small), asn, last).is_some(),
        }
    }
}

fn is_set(words: &[u64], bit: u32) -> bool {
    let word = usize::try_from(bit / 64).ok().and_then(|at| words.get(at));
    word.is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

/// Sets the bits from one to before another.
fn set(words: &mut [u64], from: u64, until: u64) {
    let mut at = from;
    while at < until {
        let count = (64 - at % 64).min(until - at);
        let mask = if count == 64 { u64::MAX } else { ((1 << count) - 1) << (at % 64) };
        if let Some(word) = usize::try_from(at / 64).ok().and_then(|at| words.get_mut(at)) {
            *word |= mask;
        }
        at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_are_set_from_one_to_before_another(from in 0u64..300, length in 0u64..300) {
            let until = (from + length).min(320);
            let mut words = [0; 5];
            set(&mut words, from, until);
            for bit in 0..320_u32 {
                prop_assert_eq!(is_set(&words, bit), (from..until).contains(&u64::from(bit)));
            }
        }
    }
}
