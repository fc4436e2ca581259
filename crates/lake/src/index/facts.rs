//! `facts.bin`: what distinct evidence says, once, append-only.
//!
//! ```text
//!   "hinomiF1"  record*
//!   record = json length u32 | text length u32 | content hash 32 | checksum 8 | json | text      (little endian)
//! ```
//!
//! A record is named by its offset, which rows of the index hold. The JSON is facts and evidence references; the text
//! is what free text searches, kept for the words that the index leaves out. The commit of the index names the length
//! that belongs to it: what stands behind is left over from a killed writer and is cut off. Each record is checked when
//! read.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use hinomi_model::{ContentHash, EvidenceRef, Facts};
use serde::{Deserialize, Serialize};

use super::files::{io, open, read_at, write_at};
use crate::error::LakeError;

const MAGIC: &[u8; 8] = b"hinomiF1";
const HEAD_BYTES: usize = 48;
const MAX_PART_BYTES: usize = 64 * 1024 * 1024;
const FLUSH_BYTES: usize = 1024 * 1024;
/// The most bytes read at once in passing, but for a longer record.
const MAX_WALKED_BYTES: usize = 1024 * 1024;

/// What one distinct content says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) facts: Facts,
    pub(super) evidence: Vec<EvidenceRef>,
}

/// The file, open.
pub(super) struct FactsFile {
    path: PathBuf,
    file: File,
    tail: Mutex<Tail>,
}

/// One record passed by.
pub(super) struct Walked<'a> {
    pub(super) offset: u64,
    pub(super) content: ContentHash,
    pub(super) text: &'a str,
}

/// What was appended and is not written yet.
struct Tail {
    written: u64,
    pending: Vec<u8>,
}

struct Head {
    json: usize,
    text: usize,
    content: ContentHash,
    checksum: [u8; 8],
}

impl FactsFile {
    /// Opens the file; `length` is what the index's commit says belongs to it.
    pub(super) fn open(path: &Path, writable: bool, length: Option<u64>) -> Result<Self, LakeError> {
        let file = open(path, writable)?;
        let found = file.metadata().map_err(io(format!("look at {}", path.display())))?.len();
        let this = Self { path: path.to_owned(), file, tail: Mutex::new(Tail { written: found, pending: Vec::new() }) };
        if found == 0 && writable {
            write_at(&this.file, MAGIC, 0).map_err(io(format!("write {}", path.display())))?;
        }
        let mut magic = [0; 8];
        read_at(&this.file, &mut magic, 0).map_err(io(format!("read {}", path.display())))?;
        let expected = length.unwrap_or(MAGIC.len() as u64);
        if magic != *MAGIC || found.max(MAGIC.len() as u64) < expected {
            return Err(this.damaged(format!("{found} bytes where {expected} belong, or not a facts file")));
        }
        if writable {
            this.cut(expected)?;
        }
        Ok(this)
    }

    /// Forgets what was appended after `length`.
    pub(super) fn cut(&self, length: u64) -> Result<(), LakeError> {
        let mut tail = self.lock();
        tail.pending.clear();
        tail.written = length;
        self.file.set_len(length).map_err(io(format!("cut {}", self.path.display())))
    }

    /// Appends a record and gives its offset. It can be read after [`FactsFile::sync`].
    pub(super) fn append(&self, content: ContentHash, told: &Told, text: &str) -> Result<u64, LakeError> {
        let json =
            serde_json::to_vec(told).map_err(|error| self.damaged(format!("facts cannot be written: {error}")))?;
        let too_much = |_| self.damaged("facts of one service are too large");
        let json_length = u32::try_from(json.len()).map_err(too_much)?;
        let text_length = u32::try_from(text.len()).map_err(too_much)?;
        let mut tail = self.lock();
        let offset = tail.written + tail.pending.len() as u64;
        tail.pending.extend_from_slice(&json_length.to_le_bytes());
        tail.pending.extend_from_slice(&text_length.to_le_bytes());
        tail.pending.extend_from_slice(content.as_bytes());
        tail.pending.extend_from_slice(&checksum(&json, text.as_bytes()));
        tail.pending.extend_from_slice(&json);
        tail.pending.extend_from_slice(text.as_bytes());
        if tail.pending.len() >= FLUSH_BYTES {
            self.flush(&mut tail)?;
        }
        Ok(offset)
    }

    /// Brings what was appended to the disk and gives the length that now belongs to the index.
    pub(super) fn sync(&self) -> Result<u64, LakeError> {
        let mut tail = self.lock();
        if !tail.pending.is_empty() {
            self.flush(&mut tail)?;
        }
        self.file.sync_data().map_err(io(format!("write {}", self.path.display())))?;
        Ok(tail.written)
    }

    /// Where the first record begins.
    pub(super) const START: u64 = MAGIC.len() as u64;

    /// Hands over the text of each record that begins from `from` on and before `until`, both where records begin or
    /// `until` the end; gives where the next one begins. Checksums are looked at when asked for.
    pub(super) fn walk(
        &self,
        from: u64,
        until: u64,
        check: bool,
        each: &mut dyn FnMut(&Walked<'_>),
    ) -> Result<u64, LakeError> {
        let length = usize::try_from(until.saturating_sub(from)).unwrap_or(usize::MAX).min(MAX_WALKED_BYTES);
        let mut bytes = vec![0; length];
        let mut begin = from;
        let read = read_at(&self.file, &mut bytes, begin).map_err(io(format!("read {}", self.path.display())))?;
        bytes.truncate(read);
        let mut at = from;
        while at < until {
            let rest = usize::try_from(at - begin).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
            let head = rest.first_chunk::<HEAD_BYTES>().map(|head| self.head_of(head, at)).transpose()?;
            let needed = HEAD_BYTES + head.as_ref().map_or(0, |head| head.json + head.text);
            let (Some(head), Some(record)) = (head, rest.get(..needed)) else {
                // The record reaches beyond what was read.
                begin = at;
                let further = usize::try_from(until.saturating_sub(at)).unwrap_or(usize::MAX).min(MAX_WALKED_BYTES);
                bytes = vec![0; needed.max(further)];
                let read = read_at(&self.file, &mut bytes, at).map_err(io(format!("read {}", self.path.display())))?;
                bytes.truncate(read);
                if read < needed {
                    return Err(self.damaged(format!("it ends within the record at {at}")));
                }
                continue;
            };
            let (json, text) = record.split_at(HEAD_BYTES).1.split_at(head.json);
            if check && checksum(json, text) != head.checksum {
                return Err(self.damaged(format!("the record at {at} does not have its checksum")));
            }
            let text = std::str::from_utf8(text).map_err(|error| self.damaged(format!("record at {at}: {error}")))?;
            each(&Walked { offset: at, content: head.content, text });
            at += needed as u64;
        }
        Ok(at)
    }

    /// Which content a record tells of.
    pub(super) fn content(&self, offset: u64) -> Result<ContentHash, LakeError> {
        self.head(offset).map(|head| head.content)
    }

    /// What a record tells.
    pub(super) fn read(&self, offset: u64) -> Result<Told, LakeError> {
        let (json, _) = self.parts(offset)?;
        serde_json::from_slice(&json).map_err(|error| self.damaged(format!("record at {offset}: {error}")))
    }

    /// Reads every record, and so compares every sum.
    pub(super) fn check(&self) -> Result<(), LakeError> {
        let end = self.lock().written;
        let mut offset = MAGIC.len() as u64;
        while offset < end {
            let head = self.head(offset)?;
            self.parts(offset)?;
            offset += (HEAD_BYTES + head.json + head.text) as u64;
        }
        Ok(())
    }

    /// The text of a record.
    pub(super) fn text(&self, offset: u64) -> Result<String, LakeError> {
        let (_, text) = self.parts(offset)?;
        String::from_utf8(text).map_err(|error| self.damaged(format!("record at {offset}: {error}")))
    }

    fn parts(&self, offset: u64) -> Result<(Vec<u8>, Vec<u8>), LakeError> {
        let head = self.head(offset)?;
        let mut json = vec![0; head.json + head.text];
        self.fill(&mut json, offset + HEAD_BYTES as u64)?;
        let text = json.split_off(head.json);
        if checksum(&json, &text) != head.checksum {
            return Err(self.damaged(format!("the record at {offset} does not have its checksum")));
        }
        Ok((json, text))
    }

    fn head(&self, offset: u64) -> Result<Head, LakeError> {
        let mut bytes = [0; HEAD_BYTES];
        self.fill(&mut bytes, offset)?;
        self.head_of(&bytes, offset)
    }

    fn head_of(&self, bytes: &[u8; HEAD_BYTES], offset: u64) -> Result<Head, LakeError> {
        let (lengths, rest) = bytes.split_at(8);
        let (content, sum) = rest.split_at(32);
        let (json, text) = lengths.split_at(4);
        let length = |part: &[u8]| part.iter().rev().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
        let head = Head {
            json: length(json),
            text: length(text),
            content: ContentHash::from_bytes(content.try_into().unwrap_or_default()),
            checksum: sum.try_into().unwrap_or_default(),
        };
        if head.json > MAX_PART_BYTES || head.text > MAX_PART_BYTES {
            return Err(self.damaged(format!("the record at {offset} claims an impossible length")));
        }
        Ok(head)
    }

    fn fill(&self, buffer: &mut [u8], offset: u64) -> Result<(), LakeError> {
        let read = read_at(&self.file, buffer, offset).map_err(io(format!("read {}", self.path.display())))?;
        if read < buffer.len() {
            return Err(self.damaged(format!("it ends within the record at {offset}")));
        }
        Ok(())
    }

    fn flush(&self, tail: &mut Tail) -> Result<(), LakeError> {
        let what = || format!("write {}", self.path.display());
        write_at(&self.file, &tail.pending, tail.written).map_err(io(what()))?;
        tail.written += tail.pending.len() as u64;
        tail.pending.clear();
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn damaged(&self, detail: impl Into<String>) -> LakeError {
        let detail = format!("{}; delete the index folder, it is built again", detail.into());
        LakeError::Damaged { what: self.path.display().to_string(), detail }
    }
}

fn checksum(json: &[u8], text: &[u8]) -> [u8; 8] {
    let both = [json, text].concat();
    let mut short = [0; 8];
    let hash = ContentHash::of(&both);
    short.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        Told { facts: Facts { product: Some("nginx".into()), ..Facts::default() }, evidence: Vec::new() }
    }

    #[test]
    fn records_read_back_and_leftovers_are_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.bin");
        let hash = ContentHash::of(b"x");
        let file = FactsFile::open(&path, true, None).expect("new");
        let at = file.append(hash, &told(), "hello").expect("appended");
        let length = file.sync().expect("written");
        file.append(hash, &told(), "left over").expect("appended");
        file.sync().expect("written");
        drop(file);
        let again = FactsFile::open(&path, true, Some(length)).expect("open");
        assert_eq!(std::fs::metadata(&path).expect("there").len(), length);
        assert_eq!(again.read(at).expect("a record"), told());
        assert_eq!((again.text(at).expect("text"), again.content(at).expect("hash")), ("hello".to_owned(), hash));
        assert!(matches!(again.read(length), Err(LakeError::Damaged { .. })));
    }

    #[test]
    fn damage_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("facts.bin");
        let file = FactsFile::open(&path, true, None).expect("new");
        let at = file.append(ContentHash::of(b"x"), &told(), "hello").expect("appended");
        let length = file.sync().expect("written");
        write_at(&file.file, b"X", length - 1).expect("damage");
        assert!(matches!(file.read(at), Err(LakeError::Damaged { .. })));
        assert!(matches!(FactsFile::open(&path, false, Some(length + 1)), Err(LakeError::Damaged { .. })));
        std::fs::write(&path, b"something else").expect("damage");
        assert!(matches!(FactsFile::open(&path, true, None), Err(LakeError::Damaged { .. })));
    }
}
