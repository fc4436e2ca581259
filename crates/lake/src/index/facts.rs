//! `facts.bin`: what distinct evidence says, once, append-only.
//!
//! ```text
//!   "hinomiF3"  group*            group = up to 16 records, packed: see `group`
//! ```
//!
//! Of the first records some are samples: what they have in common stands between groups, and groups after it are packed against it.
//!
//! A record is named by the place of its group and its number there ([`name_of`]); rows of the index hold that name. Names
//! grow with each record. A record has two parts, read apart: facts and evidence references as JSON, and the text that
//! free text searches, kept for the words that the index leaves out. The commit of the index names the length that
//! belongs to it: what stands behind is left over from a killed writer and is cut off. Each part is checked when read, but
//! for texts that are walked again.
//! At a hundred times the data: a record costs one group read and unpacked; groups that were read last are kept.

mod group;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_model::{ContentHash, EvidenceRef, Facts};
use serde::{Deserialize, Serialize};

use super::files::{io, open, read_at, write_at};
use crate::error::LakeError;
use group::{Against, ENTRY_BYTES, Gathered, HEAD_BYTES, Head, Packer, Samples, Side, Unpacked, content_of};

const MAGIC: &[u8; 8] = b"hinomiF3";
const FLUSH_BYTES: usize = 1024 * 1024;
/// The most bytes read at once in passing, but for a longer group.
const MAX_WALKED_BYTES: usize = 1024 * 1024;
/// What is read to see a group: mostly the whole of it.
const GLANCE_BYTES: usize = 4 * 1024;
/// Samples are looked for so far from the beginning; who finds none gathers new ones.
const SAMPLES_WITHIN: u64 = 16 * 1024 * 1024;
/// Bits of a name that tell which record of its group is meant.
const NUMBER_BITS: u32 = 6;
/// How many unpacked parts are kept for the next record of the same group.
const KEPT_PARTS: usize = 256;
/// A part larger than this is not kept.
const MAX_KEPT_BYTES: usize = 256 * 1024;

/// What one distinct content says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) facts: Arc<Facts>,
    pub(super) evidence: Vec<EvidenceRef>,
}

/// The file, open.
pub(super) struct FactsFile {
    path: PathBuf,
    file: File,
    tail: Mutex<Tail>,
    kept: Mutex<KeptParts>,
    /// Samples that were read, by their place.
    against: Mutex<HashMap<u64, Arc<Against>>>,
}

/// The texts of one group, passed by.
pub(super) struct Walked<'a> {
    group: u64,
    table: &'a [u8],
    texts: &'a Unpacked,
}

/// One record passed by.
pub(super) struct Passed<'a> {
    pub(super) name: u64,
    pub(super) content: ContentHash,
    /// What is no text any more, of bytes that were changed after their sums were compared, is marked as such.
    pub(super) text: Cow<'a, str>,
}

impl Walked<'_> {
    /// Each record.
    pub(super) fn records(&self) -> impl Iterator<Item = Passed<'_>> {
        (0..self.table.len() / ENTRY_BYTES).filter_map(|at| self.record(at))
    }

    fn record(&self, at: usize) -> Option<Passed<'_>> {
        let entry = self.table.chunks_exact(ENTRY_BYTES).nth(at)?;
        let text = String::from_utf8_lossy(self.texts.record(at)?);
        Some(Passed { name: name_of(self.group, at), content: content_of(entry), text })
    }

    /// All texts, one after the other.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.texts.bytes
    }

    /// The records in which `find` finds something: it is handed all texts from somewhere on, and says which part of them
    /// it found first.
    pub(super) fn holders(&self, mut find: impl FnMut(Range<usize>) -> Option<Range<usize>>) -> Vec<Passed<'_>> {
        let (mut from, mut held) = (0, Vec::new());
        while let Some(place) = find(from..self.bytes().len()) {
            let Some((at, end)) = self.texts.holder(place.start) else { break };
            if place.end <= end {
                held.push(at);
            }
            from = end;
        }
        held.into_iter().filter_map(|at| self.record(at)).collect()
    }
}

/// What was appended and is not written yet.
struct Tail {
    written: u64,
    pending: Vec<u8>,
    gathered: Gathered,
    packer: Packer,
    samples: Samples,
}

/// Parts that were unpacked last, the newest first.
type KeptParts = VecDeque<(u64, Side, Arc<Unpacked>)>;

impl FactsFile {
    /// Opens the file; `length` is what the index's commit says belongs to it.
    pub(super) fn open(path: &Path, writable: bool, length: Option<u64>) -> Result<Self, LakeError> {
        let file = open(path, writable)?;
        let found = file.metadata().map_err(io(format!("look at {}", path.display())))?.len();
        let tail = Tail {
            written: found,
            pending: Vec::new(),
            gathered: Gathered::default(),
            packer: Packer::plain().map_err(io("pack facts"))?,
            samples: Samples::default(),
        };
        let (tail, kept, against) = (Mutex::new(tail), Mutex::default(), Mutex::default());
        let this = Self { path: path.to_owned(), file, tail, kept, against };
        if found == 0 && writable {
            write_at(&this.file, MAGIC, 0).map_err(io(format!("write {}", path.display())))?;
        }
        let mut magic = [0; 8];
        read_at(&this.file, &mut magic, 0).map_err(io(format!("read {}", path.display())))?;
        let expected = length.unwrap_or(Self::START);
        if magic != *MAGIC || found.max(Self::START) < expected {
            return Err(this.damaged(format!("{found} bytes where {expected} belong, or not a facts file")));
        }
        if writable {
            this.cut(expected)?;
            this.go_on_with_samples(expected)?;
        } else {
            // What stands behind is a writer's: half written, or left over.
            this.lock().written = expected.max(Self::START);
        }
        Ok(this)
    }

    /// Forgets what was appended after `length`.
    pub(super) fn cut(&self, length: u64) -> Result<(), LakeError> {
        let mut tail = self.lock();
        tail.pending.clear();
        tail.gathered = Gathered::default();
        tail.written = length;
        if tail.packer.samples >= length {
            tail.packer = Packer::plain().map_err(io("pack facts"))?;
            tail.samples = Samples::default();
        }
        self.kept().clear();
        self.against().retain(|at, _| *at < length);
        self.file.set_len(length).map_err(io(format!("cut {}", self.path.display())))
    }

    /// Appends a record and gives its name. It can be read after [`FactsFile::sync`].
    pub(super) fn append(&self, content: ContentHash, told: &Told, text: &str) -> Result<u64, LakeError> {
        let json =
            serde_json::to_vec(told).map_err(|error| self.damaged(format!("facts cannot be written: {error}")))?;
        if !Gathered::takes(&json, text) {
            return Err(self.damaged("facts of one service are too large"));
        }
        let mut tail = self.lock();
        let name = name_of(tail.written + tail.pending.len() as u64, tail.gathered.records());
        tail.gathered.push(&content, &json, text);
        if tail.packer.samples == 0 {
            tail.samples.offer(&json, text.as_bytes());
        }
        if tail.gathered.is_full() {
            self.close_group(&mut tail)?;
        }
        Ok(name)
    }

    fn close_group(&self, tail: &mut Tail) -> Result<(), LakeError> {
        let what = || format!("pack a part of {}", self.path.display());
        let Tail { gathered, packer, pending, .. } = tail;
        pending.extend_from_slice(&gathered.pack(packer).map_err(io(what()))?);
        tail.gathered = Gathered::default();
        if tail.packer.samples == 0 && tail.samples.is_full() {
            let place = tail.written + tail.pending.len() as u64;
            let (group, packer) = tail.samples.take(place).map_err(io(what()))?;
            tail.pending.extend_from_slice(&group);
            tail.packer = packer;
        }
        if tail.pending.len() >= FLUSH_BYTES { self.flush(tail) } else { Ok(()) }
    }

    /// Brings what was appended to the disk and gives the length that now belongs to the index.
    pub(super) fn sync(&self) -> Result<u64, LakeError> {
        let mut tail = self.lock();
        if tail.gathered.records() > 0 {
            self.close_group(&mut tail)?;
        }
        if !tail.pending.is_empty() {
            self.flush(&mut tail)?;
        }
        self.file.sync_data().map_err(io(format!("write {}", self.path.display())))?;
        Ok(tail.written)
    }

    /// Where the first group begins.
    pub(super) const START: u64 = MAGIC.len() as u64;

    /// Hands over the texts of each group that begins from `from` on and before `until`, both where groups begin or
    /// `until` the end; gives where the next one begins. Checksums are looked at when asked for.
    pub(super) fn walk(
        &self,
        from: u64,
        until: u64,
        check: bool,
        each: &mut dyn FnMut(&Walked<'_>),
    ) -> Result<u64, LakeError> {
        let (mut bytes, mut begin, mut at) = (Vec::new(), from, from);
        while at < until {
            let rest = usize::try_from(at - begin).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
            let head = (rest.len() >= HEAD_BYTES).then(|| self.head_of(rest, at)).transpose()?;
            let needed = head.as_ref().map_or(HEAD_BYTES, Head::bytes);
            let (Some(head), Some(group)) = (head, rest.get(..needed)) else {
                // The group reaches beyond what was read.
                begin = at;
                let further = usize::try_from(until.saturating_sub(at)).unwrap_or(usize::MAX).min(MAX_WALKED_BYTES);
                bytes = self.bytes_at(at, needed.max(further))?;
                if bytes.len() < needed {
                    return Err(self.damaged(format!("it ends within the group at {at}")));
                }
                continue;
            };
            if head.is_samples() {
                if check {
                    self.unpack(&head, Side::Texts, (at, group), true)?;
                }
                at += needed as u64;
                continue;
            }
            let table = group.get(head.table()).unwrap_or_default();
            let texts = self.unpack(&head, Side::Texts, (at, group), check)?;
            each(&Walked { group: at, table, texts: &texts });
            at += needed as u64;
        }
        Ok(at)
    }

    /// Where the group that begins there ends.
    pub(super) fn end_of(&self, group: u64) -> Result<u64, LakeError> {
        let head = self.head_of(&self.bytes_at(group, HEAD_BYTES)?, group)?;
        Ok(group + head.bytes() as u64)
    }

    /// Which content a record tells of.
    pub(super) fn content(&self, name: u64) -> Result<ContentHash, LakeError> {
        let (group, number) = parts_of(name);
        let mut entry = [0; ENTRY_BYTES];
        let place = group + (HEAD_BYTES + number * ENTRY_BYTES) as u64;
        let read = read_at(&self.file, &mut entry, place).map_err(io(format!("read {}", self.path.display())))?;
        if read < entry.len() {
            return Err(self.damaged(format!("it ends within the group at {group}")));
        }
        Ok(content_of(&entry))
    }

    /// What a record tells.
    pub(super) fn read(&self, name: u64) -> Result<Told, LakeError> {
        let part = self.part(name, Side::Facts)?;
        let json = part.record(parts_of(name).1).ok_or_else(|| self.no_record(name))?;
        serde_json::from_slice(json).map_err(|error| self.damaged(format!("record {name}: {error}")))
    }

    /// The text of a record.
    pub(super) fn text(&self, name: u64) -> Result<String, LakeError> {
        let part = self.part(name, Side::Texts)?;
        let text = part.record(parts_of(name).1).ok_or_else(|| self.no_record(name))?;
        String::from_utf8(text.to_vec()).map_err(|error| self.damaged(format!("record {name}: {error}")))
    }

    /// Reads every group, and so compares every sum.
    pub(super) fn check(&self) -> Result<(), LakeError> {
        let (end, mut at) = (self.lock().written, Self::START);
        while at < end {
            let (head, group) = self.group(at)?;
            for side in [Side::Facts, Side::Texts] {
                self.unpack(&head, side, (at, &group), true)?;
            }
            at += head.bytes() as u64;
        }
        Ok(())
    }

    /// An unpacked part of a record's group: the one that is kept, or a new one.
    fn part(&self, name: u64, side: Side) -> Result<Arc<Unpacked>, LakeError> {
        let (at, _) = parts_of(name);
        let found = self.kept().iter().find(|kept| (kept.0, kept.1) == (at, side)).map(|kept| Arc::clone(&kept.2));
        if let Some(part) = found {
            return Ok(part);
        }
        let (head, group) = self.group(at)?;
        let part = Arc::new(self.unpack(&head, side, (at, &group), true)?);
        if part.bytes.len() <= MAX_KEPT_BYTES {
            let mut kept = self.kept();
            kept.push_front((at, side, Arc::clone(&part)));
            kept.truncate(KEPT_PARTS);
        }
        Ok(part)
    }

    fn unpack(&self, head: &Head, side: Side, group: (u64, &[u8]), check: bool) -> Result<Unpacked, LakeError> {
        let (at, bytes) = group;
        let (table, packed) = (bytes.get(head.table()), bytes.get(head.packed(side)));
        let (table, packed) = (table.unwrap_or_default(), packed.unwrap_or_default());
        if head.samples > 0 && head.samples >= at {
            return Err(self.damaged(format!("the group at {at} names samples behind it")));
        }
        let against = (head.samples > 0).then(|| self.samples_at(head.samples)).transpose()?;
        let part = head.unpack(side, (table, packed), against.as_deref(), check);
        part.map_err(|why| self.damaged(format!("the group at {at} {why}")))
    }

    /// What groups are unpacked against that name this place.
    fn samples_at(&self, at: u64) -> Result<Arc<Against>, LakeError> {
        if let Some(known) = self.against().get(&at) {
            return Ok(Arc::clone(known));
        }
        let (head, group) = self.group(at)?;
        if !head.is_samples() || head.samples > 0 {
            return Err(self.damaged(format!("no samples stand at {at}")));
        }
        let part = |side| self.unpack(&head, side, (at, &group), true);
        let against = Arc::new(Against::new(&part(Side::Facts)?.bytes, &part(Side::Texts)?.bytes));
        self.against().insert(at, Arc::clone(&against));
        Ok(against)
    }

    /// Finds the samples that groups are packed against from here on, where there are some.
    fn go_on_with_samples(&self, length: u64) -> Result<(), LakeError> {
        let mut at = Self::START;
        while at < length.min(SAMPLES_WITHIN) {
            let head = self.head_of(&self.bytes_at(at, HEAD_BYTES)?, at)?;
            if head.is_samples() && head.samples == 0 {
                let (_, group) = self.group(at)?;
                let part = |side| self.unpack(&head, side, (at, &group), true);
                let (facts, texts) = (part(Side::Facts)?, part(Side::Texts)?);
                let packer = Packer::with(at, &facts.bytes, &texts.bytes).map_err(io("pack facts"))?;
                self.lock().packer = packer;
                return Ok(());
            }
            at += head.bytes() as u64;
        }
        self.sample_again(length)
    }

    /// Offers the records that are there: who adds a few each day takes samples in the end, too.
    fn sample_again(&self, length: u64) -> Result<(), LakeError> {
        let (mut at, mut tail) = (Self::START, self.lock());
        while at < length.min(SAMPLES_WITHIN) && !tail.samples.is_full() {
            let (head, group) = self.group(at)?;
            let part = |side| self.unpack(&head, side, (at, &group), true);
            let (facts, texts) = (part(Side::Facts)?, part(Side::Texts)?);
            for record in 0..head.records {
                let both = facts.record(record).zip(texts.record(record));
                both.into_iter().for_each(|(facts, text)| tail.samples.offer(facts, text));
            }
            at += head.bytes() as u64;
        }
        Ok(())
    }

    fn against(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Against>>> {
        self.against.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A group, whole and packed.
    fn group(&self, at: u64) -> Result<(Head, Vec<u8>), LakeError> {
        let mut bytes = self.bytes_at(at, GLANCE_BYTES)?;
        let head = self.head_of(&bytes, at)?;
        if bytes.len() < head.bytes() {
            bytes = self.bytes_at(at, head.bytes())?;
        }
        if bytes.len() < head.bytes() {
            return Err(self.damaged(format!("it ends within the group at {at}")));
        }
        Ok((head, bytes))
    }

    fn head_of(&self, bytes: &[u8], at: u64) -> Result<Head, LakeError> {
        Head::read(bytes).ok_or_else(|| self.damaged(format!("no group begins at {at}")))
    }

    /// So many bytes, or those that are there.
    fn bytes_at(&self, at: u64, length: usize) -> Result<Vec<u8>, LakeError> {
        let mut bytes = vec![0; length];
        let read = read_at(&self.file, &mut bytes, at).map_err(io(format!("read {}", self.path.display())))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    fn flush(&self, tail: &mut Tail) -> Result<(), LakeError> {
        let what = || format!("write {}", self.path.display());
        write_at(&self.file, &tail.pending, tail.written).map_err(io(what()))?;
        tail.written += tail.pending.len() as u64;
        tail.pending.clear();
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, KeptParts> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_record(&self, name: u64) -> LakeError {
        self.damaged(format!("there is no record {name}"))
    }

    fn damaged(&self, detail: impl Into<String>) -> LakeError {
        let detail = format!("{}; delete the index folder, it is built again", detail.into());
        LakeError::Damaged { what: self.path.display().to_string(), detail }
    }
}

/// The name of a record: the place of its group and its number there.
fn name_of(group: u64, number: usize) -> u64 {
    (group << NUMBER_BITS) | number as u64
}

/// Place of the group, and number in it.
fn parts_of(name: u64) -> (u64, usize) {
    (name >> NUMBER_BITS, usize::try_from(name & ((1 << NUMBER_BITS) - 1)).unwrap_or(0))
}
