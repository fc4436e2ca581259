//! What is sure of the rows of a segment for one asker, kept from question to question.
//!
//! ```text
//!   shown    one bit a row: he may see it, whatever is seen of its service later
//!   asked    one bit a row: it must be looked at: his right begins or ends, an embargo, a lane
//! ```
//!
//! Segments do not change: rows are replaced by rows of other segments. What a row was last seen at only grows, so a right
//! without an end that holds for it holds from then on. That is why bits stay true as long as the asker's grants are these.
//!
//! At a hundred times the data: a quarter of a byte a row and asker ([`super::kept`] bounds them all). Making them passes
//! once over the segment, several threads at a time.

use tantivy::DocId;

use super::run::{side_by_side, threads};
use super::sight::Sure;

/// Rows that one thread looks at, a multiple of the bits of a word.
const PIECE_ROWS: u32 = 1 << 16;
/// Rows of more words are looked at one by one.
const MAX_LOOKED_WORDS: usize = 64;

/// The bits of one segment and asker: of 64 rows at a time which are shown, and beside that which are asked.
#[derive(Debug, Default)]
pub(super) struct Surely {
    bits: Vec<[u64; 2]>,
}

impl Surely {
    /// Looks at so many rows.
    pub(super) fn of(rows: u32, sure: impl Fn(DocId) -> Sure + Sync) -> Self {
        let piece = |at: usize| {
            let from = u32::try_from(at).unwrap_or(u32::MAX).saturating_mul(PIECE_ROWS);
            let mut bits = Self::default();
            for first in (from..rows.min(from.saturating_add(PIECE_ROWS))).step_by(64) {
                let (mut shown, mut asked) = (0, 0);
                for doc in first..rows.min(first + 64) {
                    match sure(doc) {
                        Sure::Shown => shown |= 1 << (doc - first),
                        Sure::Asked => asked |= 1 << (doc - first),
                        Sure::Hidden => {}
                    }
                }
                bits.bits.push([shown, asked]);
            }
            bits
        };
        let pieces = usize::try_from(rows.div_ceil(PIECE_ROWS)).unwrap_or(0);
        let mut all = Self::default();
        for piece in side_by_side(pieces, threads(u64::from(rows)), piece) {
            all.bits.extend(piece.bits);
        }
        all
    }

    /// Whether a row is shown, and whether it is asked: 1 or 0.
    pub(super) fn bits(&self, doc: DocId) -> [u64; 2] {
        let words = usize::try_from(doc / 64).ok().and_then(|at| self.bits.get(at)).copied().unwrap_or_default();
        words.map(|word| word >> (doc % 64) & 1)
    }

    /// Whether every row from one to another is shown; not told where they lie far apart.
    pub(super) fn are_shown(&self, first: DocId, last: DocId) -> bool {
        let [first, last] = [first, last].map(|doc| usize::try_from(doc / 64).unwrap_or(usize::MAX));
        let words = self.bits.get(first..=last).filter(|words| words.len() <= MAX_LOOKED_WORDS);
        words.is_some_and(|words| words.iter().all(|[shown, _]| *shown == u64::MAX))
    }

    pub(super) fn of_row(&self, doc: DocId) -> Sure {
        match self.bits(doc) {
            [1, _] => Sure::Shown,
            [_, 1] => Sure::Asked,
            _ => Sure::Hidden,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.bits.as_slice())
    }
}

pub(super) fn is_set(words: &[u64], bit: u32) -> bool {
    let word = usize::try_from(bit / 64).ok().and_then(|at| words.get(at));
    word.is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

/// Sets the bits from one to before another.
pub(super) fn set(words: &mut [u64], from: u64, until: u64) {
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

    #[test]
    fn each_row_has_what_was_said_of_it() {
        let rows = PIECE_ROWS * 2 + 77;
        let say = |doc: DocId| match doc % 7 {
            0 => Sure::Shown,
            3 => Sure::Asked,
            _ => Sure::Hidden,
        };
        let bits = Surely::of(rows, say);
        assert!((0..rows).all(|doc| bits.of_row(doc) == say(doc)));
        assert_eq!(bits.of_row(rows), Sure::Hidden, "what nobody looked at is not shown");
    }

    #[test]
    fn rows_side_by_side_are_shown_together_when_none_of_them_is_not() {
        let bits = Surely::of(9_000, |doc| if doc == 700 { Sure::Asked } else { Sure::Shown });
        assert!(bits.are_shown(5, 639) && bits.are_shown(704, 704) && bits.are_shown(710, 4_700));
        assert!(!bits.are_shown(5, 700) && !bits.are_shown(690, 690), "one in those words is asked");
        assert!(!bits.are_shown(704, 8_900), "that far apart each is looked at");
        assert!(!bits.are_shown(8_990, 9_100) && !bits.are_shown(20_000, 20_001), "there are no such rows");
    }
}
