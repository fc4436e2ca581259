//! A group of records, as it stands in `facts.bin`: packed, in two parts that are read apart.
//!
//! ```text
//!   group = head | entry* | packed facts | packed texts                                  (little endian)
//!   head  = records u32 | samples u64 | facts: packed u32, raw u32, sum 8 | texts: packed u32, raw u32, sum 8
//!   entry = content hash 32 | length of the facts u32 | length of the text u32
//! ```
//!
//! Groups are small, so that a record is read at little cost, and packed against samples, so that they take little room all
//! the same: what they have in common, a group without records and not packed, whose place the head names; 0 is none. Hashes cannot be packed, so they
//! stand open: whose content a record is can be told without unpacking. A sum is over the place of the samples, the entries
//! and the packed part.

use std::cell::RefCell;
use std::ops::Range;

use hinomi_model::ContentHash;
use zstd::bulk::Compressor;
use zstd::dict::DecoderDictionary;
use zstd::zstd_safe::{DCtx, get_error_name};

pub(super) const HEAD_BYTES: usize = 44;
pub(super) const ENTRY_BYTES: usize = 40;
/// The most records of a group: what a name has room for.
pub(super) const MAX_RECORDS: usize = 16;
/// A group with so much in it is full.
const FULL_BYTES: usize = 64 * 1024;
/// Samples of facts, and of texts, that a dictionary is made of have so many bytes, about.
const SAMPLE_BYTES: usize = 1 << 20;
/// A dictionary has so many bytes at most.
const DICTIONARY_BYTES: usize = 64 * 1024;
/// One record in so many is a sample: what comes first is often alike.
const SAMPLED: usize = 3;
/// The most bytes of one sample: one long text must not be all of them.
const MAX_SAMPLE_BYTES: usize = 8 * 1024;
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
    pub(super) fn pack(&self, packer: &mut Packer) -> std::io::Result<Vec<u8>> {
        let parts = (packer.facts.compress(&self.facts)?, packer.texts.compress(&self.texts)?);
        let raw = (self.facts.len(), self.texts.len());
        whole((self.records, packer.samples), &self.table, (&parts.0, raw.0), (&parts.1, raw.1))
    }
}

/// Packs groups, against samples or none.
pub(super) struct Packer {
    /// Where the samples stand; 0 is none.
    pub(super) samples: u64,
    facts: Compressor<'static>,
    texts: Compressor<'static>,
}

impl Packer {
    /// Against none.
    pub(super) fn plain() -> std::io::Result<Self> {
        Self::with(0, &[], &[])
    }

    /// Against the samples that stand there.
    pub(super) fn with(samples: u64, facts: &[u8], texts: &[u8]) -> std::io::Result<Self> {
        let packer = |samples: &[u8]| Compressor::with_dictionary(LEVEL, samples);
        Ok(Self { samples, facts: packer(facts)?, texts: packer(texts)? })
    }
}

/// Samples that are gathered: facts, and texts, of some records.
#[derive(Default)]
pub(super) struct Samples {
    seen: usize,
    facts: Many,
    texts: Many,
}

/// Samples one after the other, and the length of each.
#[derive(Default)]
struct Many {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

impl Many {
    fn add(&mut self, sample: &[u8]) {
        let room = SAMPLE_BYTES.saturating_sub(self.bytes.len());
        let sample = sample.get(..sample.len().min(room).min(MAX_SAMPLE_BYTES)).unwrap_or_default();
        if !sample.is_empty() {
            self.bytes.extend_from_slice(sample);
            self.lengths.push(sample.len());
        }
    }

    /// What others like them are packed against: what they have in common, or their end where that cannot be told.
    fn dictionary(&self) -> Vec<u8> {
        zstd::dict::from_continuous(&self.bytes, &self.lengths, DICTIONARY_BYTES).unwrap_or_else(|_| {
            let from = self.bytes.len().saturating_sub(DICTIONARY_BYTES);
            self.bytes.get(from..).unwrap_or_default().to_vec()
        })
    }
}

impl Samples {
    /// Takes a record, or passes it over.
    pub(super) fn offer(&mut self, facts: &[u8], text: &[u8]) {
        self.seen += 1;
        if !self.seen.is_multiple_of(SAMPLED) {
            return;
        }
        self.facts.add(facts);
        self.texts.add(text);
    }

    /// Whether there are enough.
    pub(super) const fn is_full(&self) -> bool {
        self.facts.bytes.len() >= SAMPLE_BYTES && self.texts.bytes.len() >= SAMPLE_BYTES
    }

    /// A group that holds them, and who packs against them when it stands there.
    pub(super) fn take(&mut self, place: u64) -> std::io::Result<(Vec<u8>, Packer)> {
        let (facts, texts) = (self.facts.dictionary(), self.texts.dictionary());
        *self = Self::default();
        let group = whole((0, 0), &[], (&facts, facts.len()), (&texts, texts.len()))?;
        Ok((group, Packer::with(place, &facts, &texts)?))
    }
}

/// What groups are unpacked against.
pub(super) struct Against {
    facts: DecoderDictionary<'static>,
    texts: DecoderDictionary<'static>,
}

impl Against {
    pub(super) fn new(facts: &[u8], texts: &[u8]) -> Self {
        Self { facts: DecoderDictionary::copy(facts), texts: DecoderDictionary::copy(texts) }
    }
}

/// A group of parts that are packed already, each with its length before.
fn whole(
    (records, samples): (usize, u64),
    table: &[u8],
    facts: (&[u8], usize),
    texts: (&[u8], usize),
) -> std::io::Result<Vec<u8>> {
    let number = |count: usize| u32::try_from(count).map_err(std::io::Error::other);
    let mut group = Vec::with_capacity(HEAD_BYTES + table.len() + facts.0.len() + texts.0.len());
    group.extend_from_slice(&number(records)?.to_le_bytes());
    group.extend_from_slice(&samples.to_le_bytes());
    for (packed, raw) in [facts, texts] {
        group.extend_from_slice(&number(packed.len())?.to_le_bytes());
        group.extend_from_slice(&number(raw)?.to_le_bytes());
        group.extend_from_slice(&sum(samples, table, packed));
    }
    group.extend_from_slice(table);
    group.extend_from_slice(facts.0);
    group.extend_from_slice(texts.0);
    Ok(group)
}

/// What stands at the beginning of a group.
pub(super) struct Head {
    /// None are samples.
    pub(super) records: usize,
    /// Where the samples stand that it is packed against; 0 is none.
    pub(super) samples: u64,
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
        let (records, rest) = bytes.get(..HEAD_BYTES)?.split_first_chunk()?;
        let (samples, parts) = rest.split_first_chunk()?;
        let (facts, texts) = parts.split_at_checked(16)?;
        let records = number(*records);
        let parts = [Part::read(facts)?, Part::read(texts)?];
        let possible = |part: &Part| part.raw <= MAX_PART_BYTES && part.packed <= MAX_PART_BYTES;
        let samples = u64::from_le_bytes(*samples);
        (records <= MAX_RECORDS && parts.iter().all(possible)).then_some(Self { records, samples, parts })
    }

    /// Whether it holds samples and no records.
    pub(super) const fn is_samples(&self) -> bool {
        self.records == 0
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

    /// Unpacks a part, against samples where it has some; the sum is compared when asked for.
    pub(super) fn unpack(
        &self,
        side: Side,
        (table, packed): (&[u8], &[u8]),
        against: Option<&Against>,
        check: bool,
    ) -> Result<Unpacked, String> {
        let [facts, texts] = &self.parts;
        let part = if side == Side::Facts { facts } else { texts };
        if check && sum(self.samples, table, packed) != part.sum {
            return Err("does not have its checksum".to_owned());
        }
        let bytes = if self.is_samples() {
            packed.to_vec()
        } else {
            let samples = against.map(|all| if side == Side::Facts { &all.facts } else { &all.texts });
            unpack(packed, part.raw, samples)?
        };
        let mut end = 0_usize;
        let mut ends = Vec::with_capacity(self.records);
        for entry in table.chunks_exact(ENTRY_BYTES) {
            let length =
                entry.get(32 + 4 * side as usize..).and_then(<[u8]>::first_chunk).map_or(0, |four| number(*four));
            end = end.saturating_add(length);
            ends.push(end);
        }
        let is_whole = self.is_samples() || end == bytes.len();
        if ends.len() != self.records || !is_whole || bytes.len() != part.raw {
            return Err("does not hold what it claims to".to_owned());
        }
        Ok(Unpacked { bytes, ends })
    }
}

thread_local! {
    /// One a thread: making one takes longer than unpacking a group.
    static UNPACKER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// At most so many bytes.
fn unpack(packed: &[u8], most: usize, samples: Option<&DecoderDictionary<'_>>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(most);
    let done = UNPACKER.with_borrow_mut(|unpacker| match samples {
        None => unpacker.decompress(&mut bytes, packed),
        Some(samples) => unpacker.decompress_using_ddict(&mut bytes, packed, samples.as_ddict()),
    });
    done.map(|_| bytes).map_err(|code| get_error_name(code).to_owned())
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

fn sum(samples: u64, table: &[u8], packed: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&samples.to_le_bytes());
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
        fn what_is_packed_is_unpacked(
            records in proptest::collection::vec((any::<[u8; 32]>(), ".{0,40}", ".{0,90}"), 1..MAX_RECORDS),
            samples in prop::option::of((".{1,200}", ".{1,200}")),
        ) {
            let mut gathered = Gathered::default();
            let mut packer = match &samples {
                Some((facts, texts)) => Packer::with(77, facts.as_bytes(), texts.as_bytes()),
                None => Packer::plain(),
            }.expect("a packer");
            let against = samples.as_ref().map(|(facts, texts)| Against::new(facts.as_bytes(), texts.as_bytes()));
            for (content, facts, text) in &records {
                gathered.push(&ContentHash::from_bytes(*content), facts.as_bytes(), text);
            }
            let group = gathered.pack(&mut packer).expect("packed");
            let head = Head::read(&group).expect("a head");
            prop_assert_eq!(head.samples, if samples.is_some() { 77 } else { 0 });
            prop_assert_eq!(head.bytes(), group.len());
            let table = group.get(head.table()).expect("entries");
            let side = |side| {
                let packed = group.get(head.packed(side)).expect("packed");
                head.unpack(side, (table, packed), against.as_ref(), true).expect("whole")
            };
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
            (0..10_u8).for_each(|n| gathered.push(&ContentHash::of(&[n]), &[n; 30], "some text that is said"));
            let mut group = gathered.pack(&mut Packer::plain().expect("a packer")).expect("packed");
            let at = at % group.len();
            *group.get_mut(at).expect("a byte") ^= by;
            let whole = Head::read(&group).is_some_and(|head| {
                let read = |side| {
                    let (table, packed) = (group.get(head.table())?, group.get(head.packed(side))?);
                    head.unpack(side, (table, packed), None, true).ok()
                };
                head.bytes() == group.len() && read(Side::Facts).is_some() && read(Side::Texts).is_some()
            });
            prop_assert!(!whole, "byte {at}");
        }
    }
}
