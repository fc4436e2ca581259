//! `touches-N.log`: what became known of rows since generation N of `times.bin`, appended and never changed.
//!
//! ```text
//!   frame = count u32 | flags u32 | version u64 | next row u64 | checksum u64 | touch*        (little endian)
//!   touch = row 40 bits | kind u8 | time i64         14 bytes
//! ```
//!
//! A frame goes before the commit of the rows it speaks of. Where that commit never came the frame does no harm: what it
//! says of older rows is true, and numbers of rows are never used again. Where no rows belong to it the frame is the
//! commit. An incomplete frame at the end is what a killed writer left: nobody takes it, and the next writer cuts it off.

use std::fs::File;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use siphasher::sip::SipHasher13;

use super::super::files::{self, open, read_at, write_at};
use super::Seen;
use crate::error::LakeError;

const HEAD_BYTES: usize = 32;
const TOUCH_BYTES: usize = 14;
/// The most touches of one frame.
const MAX_TOUCHES: usize = 1 << 25;
/// With this frame its version is applied.
const COMMITS: u32 = 1;

/// What a frame says before its touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    count: usize,
    flags: u32,
    /// Version of the sightings table it belongs to.
    pub(super) version: u64,
    /// No row of it has this number or a greater one.
    pub(super) next_row: u64,
    checksum: u64,
}

impl Head {
    /// Whether its version is applied with it.
    pub(super) const fn commits(&self) -> bool {
        self.flags & COMMITS != 0
    }

    /// Bytes of the whole frame.
    pub(super) const fn length(&self) -> u64 {
        (HEAD_BYTES + self.count * TOUCH_BYTES) as u64
    }
}

/// The log of one generation.
pub(super) struct Log {
    file: File,
    path: PathBuf,
}

impl Log {
    /// Opens the log of a generation, making it when it may write.
    pub(super) fn open(folder: &Path, generation: u64, writable: bool) -> Result<Self, LakeError> {
        let path = path(folder, generation);
        Ok(Self { file: open(&path, writable)?, path })
    }

    /// An empty one for a generation that begins.
    pub(super) fn create(folder: &Path, generation: u64) -> Result<Self, LakeError> {
        let this = Self::open(folder, generation, true)?;
        this.cut(0)?;
        Ok(this)
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> Result<u64, LakeError> {
        Ok(self.file.metadata().map_err(self.failed("look at"))?.len())
    }

    /// The head of the frame at a place; none when no complete frame is there.
    pub(super) fn head(&self, offset: u64, length: u64) -> Result<Option<Head>, LakeError> {
        let mut bytes = [0; HEAD_BYTES];
        if read_at(&self.file, &mut bytes, offset).map_err(self.failed("read"))? < HEAD_BYTES {
            return Ok(None);
        }
        let (counts, rest) = bytes.split_at(8);
        let mut numbers = rest.chunks_exact(8).map(|part| u64::from_le_bytes(part.try_into().unwrap_or_default()));
        let mut counts = counts.chunks_exact(4).map(|part| u32::from_le_bytes(part.try_into().unwrap_or_default()));
        let head = Head {
            count: usize::try_from(counts.next().unwrap_or(0)).unwrap_or(usize::MAX),
            flags: counts.next().unwrap_or(0),
            version: numbers.next().unwrap_or(0),
            next_row: numbers.next().unwrap_or(0),
            checksum: numbers.next().unwrap_or(0),
        };
        Ok((head.count <= MAX_TOUCHES && offset + head.length() <= length).then_some(head))
    }

    /// Hands over the touches of a frame; whether it has its checksum. Nothing is handed over otherwise.
    pub(super) fn touches(&self, offset: u64, head: &Head, each: &mut dyn FnMut(u64, Seen)) -> Result<bool, LakeError> {
        let mut bytes = vec![0; head.count * TOUCH_BYTES];
        let read = read_at(&self.file, &mut bytes, offset + HEAD_BYTES as u64).map_err(self.failed("read"))?;
        if read < bytes.len() || checksum(head.flags, head.version, head.next_row, &bytes) != head.checksum {
            return Ok(false);
        }
        for touch in bytes.chunks_exact(TOUCH_BYTES) {
            let (row, rest) = touch.split_at(5);
            let row = row.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
            let (kind, time) = rest.split_at(1);
            let time = i64::from_le_bytes(time.try_into().unwrap_or_default());
            each(row, seen_of(kind.first().copied().unwrap_or(0), time));
        }
        Ok(true)
    }

    /// Appends a frame at `offset`; on disk when it returns. Gives its head.
    pub(super) fn append(
        &self,
        offset: u64,
        (version, commits): (u64, bool),
        next_row: u64,
        touches: &[(u64, Seen)],
    ) -> Result<Head, LakeError> {
        let mut body = Vec::with_capacity(touches.len() * TOUCH_BYTES);
        touches.iter().for_each(|(row, seen)| put(&mut body, *row, *seen));
        let flags = if commits { COMMITS } else { 0 };
        let count = body.len() / TOUCH_BYTES;
        if count > MAX_TOUCHES {
            let detail = format!("{count} touches in one step, at most {MAX_TOUCHES} are taken");
            return Err(LakeError::Refused { detail });
        }
        let head = Head { count, flags, version, next_row, checksum: checksum(flags, version, next_row, &body) };
        let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
        [u32::try_from(count).unwrap_or(0), flags].into_iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        [version, next_row, head.checksum].into_iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes.extend(body);
        let written = write_at(&self.file, &bytes, offset).and_then(|()| self.file.sync_data());
        written.map_err(self.failed("write")).inspect_err(|_| drop(self.cut(offset)))?;
        Ok(head)
    }

    /// Cuts off what is behind `length`.
    pub(super) fn cut(&self, length: u64) -> Result<(), LakeError> {
        self.file.set_len(length).map_err(self.failed("cut"))
    }

    /// Damage at a place.
    pub(super) fn damaged(&self, offset: u64) -> LakeError {
        let detail =
            format!("the frame at {offset} is not as it was written; delete the index folder, it is built again");
        LakeError::Damaged { what: self.path.display().to_string(), detail }
    }

    fn failed(&self, what: &str) -> impl FnOnce(std::io::Error) -> LakeError + use<> {
        files::io(format!("{what} {}", self.path.display()))
    }
}

/// Where the log of a generation is.
pub(super) fn path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("touches-{generation}.log"))
}

const LAST: u8 = 1;
const FIRST: u8 = 2;
const CLOSED: u8 = 4;

fn put(bytes: &mut Vec<u8>, row: u64, seen: Seen) {
    let mut one = |kind: u8, time: i64| {
        bytes.extend(row.to_le_bytes().iter().take(5));
        bytes.push(kind);
        bytes.extend(time.to_le_bytes());
    };
    match (seen.last, seen.first) {
        (Some(last), Some(first)) if last == first => one(LAST | FIRST, last),
        (last, first) => {
            last.into_iter().for_each(|time| one(LAST, time));
            first.into_iter().for_each(|time| one(FIRST, time));
        }
    }
    seen.closed.into_iter().for_each(|time| one(CLOSED, time));
}

fn seen_of(kind: u8, time: i64) -> Seen {
    let when = |bit: u8| (kind & bit != 0).then_some(time);
    Seen { last: when(LAST), first: when(FIRST), closed: when(CLOSED) }
}

fn checksum(flags: u32, version: u64, next_row: u64, body: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write_u32(flags);
    [version, next_row].into_iter().for_each(|number| hasher.write_u64(number));
    hasher.write(body);
    hasher.finish()
}
