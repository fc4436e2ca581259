//! A group of records, as it stands in `facts.bin`: packed, in two parts that are read apart.
//!
//! ```text
//!   group = head | entry* | packed facts | packed texts                                  (little endian)
//!   head  = records u32 | facts: packed u32, raw u32, sum 8 | texts: packed u32, raw u32, sum 8
//!   entry = content hash 32 | length of the facts u32 | length of the text u32
//! ```
//!
//! Hashes cannot be packed, so they stand open: whose content a record is can be told without unpacking. A sum is over the
//! entries and the packed part.

use std::ops::Range;

use hinomi_model::ContentHash;

pub(super) const HEAD_BYTES: usize = 36;
pub(super) const ENTRY_BYTES: usize = 40;
/// The most records of a group: what a name has room for.
pub(super) const MAX_RECORDS: usize = 64;
/// A group with so much in it is full.
const FULL_BYTES: usize = 64 * 1024;
/// The most bytes of a part, unpacked.
const MAX_PART_BYTES: usize = 128 * 1024 * 1024;
/// Fast: writing waits for it.
const LEVEL: i32 = 1;

/// Records that are gathered, not packed yet.
#[derive(Default)]
pub(super) struct Gathered {
    table: Vec<u8>,
    facts: Vec<u8>,
    texts: Vec<u8>,
    records: usize,
}

impl Gathered {
    /// How many there are.
    pub(super) const fn records(&self) -> usize {
        self.records
    }

    /// Whether the next record belongs to another group.
    pub(super) const fn is_full(&self) -> bool {
        self.records >= MAX_RECORDS || self.facts.len() + self.texts.len() >= FULL_BYTES
    }

    /// Whether so much has room in a group that is not full.
    pub(super) const fn takes(facts: &[u8], text: &str) -> bool {
        facts.len() <= MAX_PART_BYTES / 2 && text.len() <= MAX_PART_BYTES / 2
    }

    /// Adds a record that [`Self::takes`] allows.
    pub(super) fn push(&mut self, content: &ContentHash, facts: &[u8], text: &str) {
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.table.extend_from_slice(content.as_bytes());
        self.table.extend_from_slice(&length(facts));
        self.table.extend_from_slice(&length(text.as_bytes()));
        self.facts.extend_from_slice(facts);
        self.texts.extend_from_slice(text.as_bytes());
        self.records += 1;
    }

    /// The bytes of the group.
    pub(super) fn pack(&self) -> std::io::Result<Vec<u8>> {
        let (facts, texts) = (zstd::bulk::compress(&self.facts, LEVEL)?, zstd::bulk::compress(&self.texts, LEVEL)?);
        let number = |count: usize| u32::try_from(count).map_err(std::io::Error::other);
        let mut group = Vec::with_capacity(HEAD_BYTES + self.table.len() + facts.len() + texts.len());
        group.extend_from_slice(&number(self.records)?.to_le_bytes());
        for (packed, raw) in [(&facts, &self.facts), (&texts, &self.texts)] {
            group.extend_from_slice(&number(packed.len())?.to_le_bytes());
            group.extend_from_slice(&number(raw.len())?.to_le_bytes());
            group.extend_from_slice(&sum(&self.table, packed));
        }
        group.extend_from_slice(&self.table);
        group.extend_from_slice(&facts);
        group.extend_from_slice(&texts);
        Ok(group)
    }
}

/// What stands at the beginning of a group.
pub(super) struct Head {
    pub(super) records: usize,
    parts: [Part; 2],
}

struct Part {
    packed: usize,
    raw: usize,
    sum: [u8; 8],
}

/// Which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Facts = 0,
    Texts = 1,
}

impl Head {
    /// Reads it; none where no group has such a head.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (records, parts) = bytes.get(..HEAD_BYTES)?.split_first_chunk()?;
        let (facts, texts) = parts.split_at_checked(16)?;
        let records = number(*records);
        let parts = [Part::read(facts)?, Part::read(texts)?];
        let possible = |part: &Part| part.raw <= MAX_PART_BYTES && part.packed <= MAX_PART_BYTES;
        ((1..=MAX_RECORDS).contains(&records) && parts.iter().all(possible)).then_some(Self { records, parts })
    }

    /// Where the entries stand, from the beginning of the group.
    pub(super) const fn table(&self) -> Range<usize> {
        HEAD_BYTES..HEAD_BYTES + self.records * ENTRY_BYTES
    }

    /// Where a packed part stands, from the beginning of the group.
    pub(super) const fn packed(&self, side: Side) -> Range<usize> {
        let (begin, [facts, texts]) = (self.table().end, &self.parts);
        match side {
            Side::Facts => begin..begin + facts.packed,
            Side::Texts => begin + facts.packed..begin + facts.packed + texts.packed,
        }
    }

    /// How long the group is.
    pub(super) const fn bytes(&self) -> usize {
        self.packed(Side::Texts).end
    }

    /// Unpacks a part; the sum is compared when asked for.
    pub(super) fn unpack(&self, side: Side, table: &[u8], packed: &[u8], check: bool) -> Result<Unpacked, String> {
        let [facts, texts] = &self.parts;
        let part = if side == Side::Facts { facts } else { texts };
        if check && sum(table, packed) != part.sum {
            return Err("does not have its checksum".to_owned());
        }
        let bytes = zstd::bulk::decompress(packed, part.raw).map_err(|error| error.to_string())?;
        let mut end = 0_usize;
        let mut ends = Vec::with_capacity(self.records);
        for entry in table.chunks_exact(ENTRY_BYTES) {
            let length =
                entry.get(32 + 4 * side as usize..).and_then(<[u8]>::first_chunk).map_or(0, |four| number(*four));
            end = end.saturating_add(length);
            ends.push(end);
        }
        if ends.len() != self.records || end != bytes.len() || bytes.len() != part.raw {
            return Err("does not hold what it claims to".to_owned());
        }
        Ok(Unpacked { bytes, ends })
    }
}

impl Part {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (packed, rest) = bytes.split_first_chunk()?;
        let (raw, rest) = rest.split_first_chunk()?;
        Some(Self { packed: number(*packed), raw: number(*raw), sum: *rest.first_chunk()? })
    }
}

/// A part, unpacked: the facts or the texts of its records, one after the other.
pub(super) struct Unpacked {
    pub(super) bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Unpacked {
    /// Where a record's bytes stand.
    pub(super) fn range(&self, at: usize) -> Option<Range<usize>> {
        let begin = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        Some(begin..*self.ends.get(at)?)
    }

    /// The record in which this place is, and where it ends.
    pub(super) fn holder(&self, place: usize) -> Option<(usize, usize)> {
        let at = self.ends.partition_point(|end| *end <= place);
        Some((at, *self.ends.get(at)?))
    }

    /// The bytes of a record.
    pub(super) fn record(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.range(at)?)
    }
}

/// Whose content an entry is.
pub(super) fn content_of(entry: &[u8]) -> ContentHash {
    ContentHash::from_bytes(entry.first_chunk().copied().unwrap_or_default())
}

fn number(bytes: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
}

fn sum(table: &[u8], packed: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(table);
    hasher.update(packed);
    hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(records in proptest::collection::vec((any::<[u8; 32]>(), ".{0,40}", ".{0,90}"), 1..64)) {
            let mut gathered = Gathered::default();
            for (content, facts, text) in &records {
                gathered.push(&ContentHash::from_bytes(*content), facts.as_bytes(), text);
            }
            let group = gathered.pack().expect("packed");
            let head = Head::read(&group).expect("a head");
            prop_assert_eq!(head.bytes(), group.len());
            let table = group.get(head.table()).expect("entries");
            let side = |side| head.unpack(side, table, group.get(head.packed(side)).expect("packed"), true).expect("whole");
            let (facts, texts) = (side(Side::Facts), side(Side::Texts));
            for (at, (content, fact, text)) in records.iter().enumerate() {
                prop_assert_eq!(facts.record(at), Some(fact.as_bytes()));
                prop_assert_eq!(texts.record(at), Some(text.as_bytes()));
                let entry = table.get(at * ENTRY_BYTES..).expect("an entry");
                prop_assert_eq!(content_of(entry), ContentHash::from_bytes(*content));
            }
            prop_assert!(facts.record(records.len()).is_none());
        }

        #[test]
        fn flipped_bytes_are_found(at in 0_usize..4096, by in 1_u8..=255) {
            let mut gathered = Gathered::default();
            (0..20_u8).for_each(|n| gathered.push(&ContentHash::of(&[n]), &[n; 30], "some text that is said"));
            let mut group = gathered.pack().expect("packed");
            let at = at % group.len();
            *group.get_mut(at).expect("a byte") ^= by;
            let whole = Head::read(&group).is_some_and(|head| {
                let read = |side| {
                    let (table, packed) = (group.get(head.table())?, group.get(head.packed(side))?);
                    head.unpack(side, table, packed, true).ok()
                };
                head.bytes() == group.len() && read(Side::Facts).is_some() && read(Side::Texts).is_some()
            });
            prop_assert!(!whole, "byte {at}");
        }
    }
}
