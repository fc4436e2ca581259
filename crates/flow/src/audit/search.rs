//! The search for masked patterns in streams of bytes.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};

use super::canary::Form;
use super::{Hit, MAX_HITS, Report};

/// Longest pattern: an IPv6 address as text has 39 bytes.
const MAX_PATTERN: usize = 64;
/// Bytes of a pattern by which candidates are found.
const ANCHOR_BYTES: usize = 4;
/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 18;
/// Memory is mostly zeroes: blocks of them are passed over.
const BLOCK_BYTES: usize = 4_096;
const ZEROES: [u8; BLOCK_BYTES + ANCHOR_BYTES] = [0; BLOCK_BYTES + ANCHOR_BYTES];
/// Bits of the filter of anchors, as a power of two.
const FILTER_BITS: u32 = 16;

struct Needle {
    masked: Vec<u8>,
    /// Where in the pattern its four telling bytes are.
    anchor: usize,
    form: Form,
    canary: u16,
    control: bool,
}

/// Patterns, each byte covered by a mask: their plain form stands nowhere.
pub(super) struct Needles {
    mask: [u8; MAX_PATTERN],
    by_anchor: HashMap<u32, Vec<Needle>>,
    filter: Vec<u64>,
}

const fn filter_place(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> (32 - FILTER_BITS)) as usize
}

fn four(bytes: &[u8], from: usize) -> Option<u32> {
    bytes.get(from..)?.first_chunk::<ANCHOR_BYTES>().map(|four| u32::from_le_bytes(*four))
}

impl Needles {
    pub(super) fn new(mask: &[u8; 32]) -> Self {
        let mut whole = [0; MAX_PATTERN];
        whole.iter_mut().zip(mask.iter().cycle()).for_each(|(to, from)| *to = *from);
        Self { mask: whole, by_anchor: HashMap::new(), filter: vec![0; 1 << (FILTER_BITS - 6)] }
    }

    /// Patterns shorter than four or longer than 64 bytes are not taken. Candidates are found by the last four bytes,
    /// or by the first where those are the same for every address of a range.
    pub(super) fn add(&mut self, pattern: &[u8], form: Form, canary: u16, control: bool) {
        if pattern.len() > MAX_PATTERN {
            return;
        }
        let masked: Vec<u8> = pattern.iter().zip(&self.mask).map(|(byte, mask)| byte ^ mask).collect();
        let last = pattern.len().saturating_sub(ANCHOR_BYTES);
        let anchor = if form == Form::V6Backwards { 0 } else { last };
        let (Some(telling), Some(mask)) = (four(&masked, anchor), four(&self.mask, anchor)) else { return };
        let key = telling ^ mask ^ self.key_mask();
        let place = filter_place(key);
        if let Some(word) = self.filter.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
        self.by_anchor.entry(key).or_default().push(Needle { masked, anchor, form, canary, control });
    }

    /// None yet, under the same mask.
    pub(super) fn empty(&self) -> Self {
        Self { mask: self.mask, by_anchor: HashMap::new(), filter: vec![0; self.filter.len()] }
    }

    fn may_be(&self, key: u32) -> bool {
        let bit = filter_place(key);
        self.filter.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    pub(super) fn search(&self) -> Search<'_> {
        Search {
            needles: self,
            buffer: vec![0; CHUNK_BYTES],
            report: Report::default(),
            planted: BTreeSet::new(),
            control: BTreeSet::new(),
        }
    }

    fn key_mask(&self) -> u32 {
        four(&self.mask, 0).unwrap_or(0)
    }

    /// The patterns that stand here with their anchor at `place`, and where each begins.
    fn at<'n>(&'n self, bytes: &'n [u8], place: usize, key: u32) -> impl Iterator<Item = (&'n Needle, usize)> {
        let candidates = self.by_anchor.get(&key).map_or(&[][..], Vec::as_slice);
        candidates.iter().filter_map(move |needle| {
            let start = place.checked_sub(needle.anchor)?;
            let window = bytes.get(start..start.checked_add(needle.masked.len())?)?;
            let mut pairs = needle.masked.iter().zip(window).zip(&self.mask);
            pairs.all(|((want, byte), mask)| *want == byte ^ mask).then_some((needle, start))
        })
    }
}

/// A search that goes on over many places.
pub(super) struct Search<'n> {
    needles: &'n Needles,
    buffer: Vec<u8>,
    report: Report,
    planted: BTreeSet<u16>,
    control: BTreeSet<u16>,
}

impl Search<'_> {
    /// Searches all that comes from here; `base` is the offset of its first byte.
    pub(super) fn stream(&mut self, place: &str, base: u64, from: &mut dyn Read) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let own = buffer.as_ptr() as u64;
        let own = own..own.saturating_add(buffer.len() as u64);
        let (mut kept, mut offset) = (0_usize, base);
        let ended = loop {
            let Some(room) = buffer.get_mut(kept..) else { break Ok(()) };
            let count = match from.read(room) {
                Ok(0) => break Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Err(error),
            };
            self.report.bytes = self.report.bytes.saturating_add(count as u64);
            let filled = kept + count;
            // The last bytes are looked at again with what follows, unless they were whole already.
            self.look(place, offset, buffer.get(..filled).unwrap_or_default(), kept, &own);
            let keep = filled.min(MAX_PATTERN - 1);
            buffer.copy_within(filled - keep..filled, 0);
            offset = offset.saturating_add((filled - keep) as u64);
            kept = keep;
        };
        // What was read is somebody's memory: it does not stay here.
        buffer.fill(0);
        self.buffer = buffer;
        ended
    }

    /// Looks for patterns that end after the first `seen` bytes, which were looked at before.
    fn look(&mut self, place: &str, base: u64, bytes: &[u8], seen: usize, own: &std::ops::Range<u64>) {
        let needles = self.needles;
        let key_mask = needles.key_mask();
        let zeroes_matter = needles.may_be(key_mask);
        for begin in (0..bytes.len()).step_by(BLOCK_BYTES) {
            let end = bytes.len().min(begin + BLOCK_BYTES + ANCHOR_BYTES - 1);
            let block = bytes.get(begin..end).unwrap_or_default();
            if !zeroes_matter && ZEROES.starts_with(block) {
                continue;
            }
            for (place_in_block, window) in block.windows(ANCHOR_BYTES).enumerate() {
                let Some(key) = four(window, 0).map(|four| four ^ key_mask) else { continue };
                if !needles.may_be(key) {
                    continue;
                }
                for (needle, start) in needles.at(bytes, begin + place_in_block, key) {
                    let offset = base.saturating_add(start as u64);
                    if start + needle.masked.len() > seen && !own.contains(&offset) {
                        Self::tell(&mut self.report, &mut self.planted, &mut self.control, needle, place, offset);
                    }
                }
            }
        }
    }

    fn tell(
        report: &mut Report,
        planted: &mut BTreeSet<u16>,
        control: &mut BTreeSet<u16>,
        needle: &Needle,
        place: &str,
        offset: u64,
    ) {
        let Needle { form, canary, .. } = *needle;
        if needle.control {
            control.insert(canary);
            return;
        }
        if form == Form::V4Bytes {
            planted.insert(canary);
        }
        if report.hits.len() < MAX_HITS {
            report.hits.push(Hit { place: place.to_owned(), offset, form, canary });
        } else {
            report.more_hits = report.more_hits.saturating_add(1);
        }
    }

    /// Counts a place, and says why if it could not be read.
    pub(super) fn note(&mut self, place: &str, read: io::Result<()>) {
        self.report.places = self.report.places.saturating_add(1);
        if let Err(error) = read {
            self.report.unread.push(format!("{place}: {error}"));
        }
    }

    pub(super) fn finish(self) -> Report {
        Report { planted_v4_met: self.planted.len(), control_v4_met: self.control.len(), ..self.report }
    }
}
