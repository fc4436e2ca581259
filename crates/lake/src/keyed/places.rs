//! Where the row of each name is: most names in order, those of late in a map.
//!
//! Files are in order of their names already, so reading many of them is a merge of runs: no memory is gone through at
//! random, as putting millions into a map does. At a hundred times the data: 24 bytes a name, and a look-up is some
//! twenty-five steps of halving.

use std::collections::HashMap;

use ahash::RandomState;
use hinomi_model::ContentHash;

/// The first sixteen bytes of a name, as numbers that keep their order.
type Prefix = [u64; 2];

/// A file by its number, and a row of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) row: u32,
}

/// Fewer new ones than this are put into the map.
const MAX_LATE: usize = 1 << 20;

/// The places of all names.
#[derive(Debug, Default)]
pub(super) struct Places {
    ordered: Vec<(Prefix, Place)>,
    late: HashMap<Prefix, Place, RandomState>,
}

/// Names as they are read.
#[derive(Debug)]
pub(super) struct New(Vec<(Prefix, Place)>);

impl New {
    /// With room for so many.
    pub(super) fn with_room(names: usize) -> Self {
        Self(Vec::with_capacity(names))
    }

    /// Nothing when this is no hash as it is written.
    pub(super) fn put(&mut self, name: &str, place: Place) -> Option<()> {
        self.0.push((prefix_of(name)?, place));
        Some(())
    }
}

impl Places {
    /// Takes these. Where a name has several rows the newest is kept.
    pub(super) fn take(&mut self, new: New) {
        if self.late.len() + new.0.len() <= MAX_LATE.max(self.ordered.len() / 4) {
            self.late.extend(new.0);
            return;
        }
        let mut late: Vec<_> = std::mem::take(&mut self.late).into_iter().collect();
        late.sort_unstable_by_key(|(name, _)| *name);
        if self.ordered.is_empty() && late.is_empty() {
            // As they were read: millions are not held twice.
            self.ordered = new.0;
        } else {
            self.ordered.append(&mut late);
            self.ordered.extend(new.0);
        }
        // Finds what is in order already, and keeps the order of those that are alike: the newest is last.
        self.ordered.sort_by_key(|(name, _)| *name);
        self.ordered.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = next.1;
            }
            same
        });
    }

    pub(super) fn get(&self, name: &ContentHash) -> Option<Place> {
        self.of(&prefix(name))
    }

    fn of(&self, name: &Prefix) -> Option<Place> {
        self.late.get(name).copied().or_else(|| {
            let at = self.ordered.binary_search_by_key(name, |(name, _)| *name).ok()?;
            self.ordered.get(at).map(|(_, place)| *place)
        })
    }
}

fn prefix(name: &ContentHash) -> Prefix {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |all: u64, byte| all << 8 | u64::from(*byte));
    let (first, rest) = name.as_bytes().split_at(8);
    [number(first), number(rest.get(..8).unwrap_or_default())]
}

/// The same of a hash as it is written: 64 small hexadecimal digits.
fn prefix_of(name: &str) -> Option<Prefix> {
    if name.len() != 64 {
        return None;
    }
    let (mut numbers, mut wrong) = ([0; 4], 0);
    for (number, digits) in numbers.iter_mut().zip(name.as_bytes().chunks_exact(16)) {
        for digit in digits {
            let value = DIGITS.get(usize::from(*digit)).copied().unwrap_or(NO_DIGIT);
            wrong |= value;
            *number = *number << 4 | u64::from(value & 0xf);
        }
    }
    let [high, low, ..] = numbers;
    (wrong & NO_DIGIT == 0).then_some([high, low])
}

const NO_DIGIT: u8 = 0x80;

/// The value of each small hexadecimal digit.
const DIGITS: [u8; 256] = {
    let (mut digits, mut at) = ([NO_DIGIT; 256], 0);
    while at < 16 {
        digits[b"0123456789abcdef"[at] as usize] = at as u8;
        at += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: u32) -> ContentHash {
        hinomi_model::Evidence::new(hinomi_model::EvidenceKind::Banner, n.to_be_bytes()).hash()
    }

    #[test]
    fn a_name_has_the_same_prefix_read_and_written() {
        for n in 0..200 {
            assert_eq!(prefix_of(&name(n).to_string()), Some(prefix(&name(n))));
        }
        let right = name(1).to_string();
        for wrong in [&right[1..], &right.to_uppercase(), &format!("{}g", &right[1..]), "", &format!("{right}0")] {
            assert_eq!(prefix_of(wrong), None, "{wrong}");
        }
        assert_eq!(prefix_of(&"\u{20ac}".repeat(21)), None);
    }

    #[test]
    fn places_are_found_however_they_came() {
        let mut places = Places::default();
        let mut expected = HashMap::new();
        // Few and many, some of them twice: the newest counts.
        for (file, (from, count)) in [
            (0, 1_000),
            (500, 900),
            (0, MAX_LATE as u32 + 9),
            (77, 1_000),
            (2_000_000, 5_000),
            (0, 300_000),
            (9, 600_000),
        ]
        .into_iter()
        .enumerate()
        {
            let mut new = New::with_room(count as usize);
            for row in 0..count {
                let place = Place { file: file as u32, row };
                // Hashing a million texts is slow without optimisation: these are spread as well.
                let spread = u64::from(from + row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                new.0.push(([spread, u64::from(row % 3)], place));
                expected.insert([spread, u64::from(row % 3)], place);
            }
            places.take(new);
        }
        assert!(!places.ordered.is_empty() && !places.late.is_empty());
        assert!(expected.iter().all(|(name, place)| places.of(name) == Some(*place)));
        let mut new = New::with_room(1);
        new.put(&name(7).to_string(), Place { file: 9, row: 9 }).unwrap();
        places.take(new);
        assert_eq!(places.get(&name(7)), Some(Place { file: 9, row: 9 }));
        assert_eq!(places.get(&name(8)), None);
    }
}
