//! `times.bin`: the times of all rows at one moment, by chunks.
//!
//! ```text
//!   "hinomiT2"  generation u64  next row u64  version+1 u64  checksum u64      (little endian)
//!   length u32 of each chunk                                               (0: nothing is known of its rows)
//!   chunk*  = zstd, with its own checksum, of three numbers of each row, by number and by byte
//! ```
//!
//! A chunk stores the greatest bytes of all its rows side by side, then the next: times of one survey differ in the
//! lower half only. The file is written whole, under another name, and takes its place in one step.

use std::fs::{self, File};
use std::hash::Hasher;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use super::super::files::{self, open, read_at};
use super::super::run::{processors, side_by_side};
use super::{CHUNK_ROWS, ROW_NUMBERS, View};
use crate::error::LakeError;

const MAGIC: &[u8; 8] = b"hinomiT2";
const HEAD_BYTES: usize = 40;
const NUMBER_BYTES: usize = 8;
const CHUNK_BYTES: usize = CHUNK_ROWS * ROW_NUMBERS * NUMBER_BYTES;
/// The most bytes a chunk may have when compressed.
const MAX_PACKED_BYTES: usize = CHUNK_BYTES + 4_096;
/// The most chunks: as many rows as can be numbered.
const MAX_CHUNKS: u64 = super::super::directory::MAX_ROWS / CHUNK_ROWS as u64;
const LEVEL: i32 = 1;
/// Chunks that a thread packs at a time.
const PACKED_TOGETHER: usize = 64;
/// Rows whose bytes are put in their places together: the places of one row lie so far apart that they would all claim the
/// same lines of the cache.
const TILE_ROWS: usize = 64;

/// The file, open.
pub(super) struct Base {
    file: File,
    path: String,
    /// Which generation it is; the log of touches has the same.
    pub(super) generation: u64,
    /// Version of the sightings table that it holds at least.
    pub(super) version: Option<u64>,
    /// No row in it has this number or a greater one.
    pub(super) rows: u64,
    /// Where each chunk is, and its length.
    places: Vec<(u64, usize)>,
}

impl Base {
    /// Opens the file; none when it is absent.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, LakeError> {
        if !path.exists() {
            return Ok(None);
        }
        let file = open(path, false)?;
        let [generation, rows, version, stated] = head(&file, path)?;
        let count = rows.div_ceil(CHUNK_ROWS as u64);
        if count > MAX_CHUNKS {
            return Err(damaged(path, "it claims more rows than can be numbered"));
        }
        let mut table = vec![0; usize::try_from(count).unwrap_or(0) * 4];
        let read = read_at(&file, &mut table, HEAD_BYTES as u64).map_err(failed("read", path))?;
        if read < table.len() || checksum(generation, rows, version, &table) != stated {
            return Err(damaged(path, "its head does not have its checksum"));
        }
        let mut next = (HEAD_BYTES + table.len()) as u64;
        let place = |length: &[u8]| {
            let length = u32::from_le_bytes(length.try_into().unwrap_or_default());
            let place = (next, usize::try_from(length).unwrap_or(0));
            next += u64::from(length);
            place
        };
        let places = table.chunks_exact(4).map(place).collect();
        let path = path.display().to_string();
        Ok(Some(Self { file, path, generation, version: version.checked_sub(1), rows, places }))
    }

    /// The generation of the file that stands there now.
    pub(super) fn generation_at(path: &Path) -> Result<u64, LakeError> {
        let file = open(path, false)?;
        head(&file, path).map(|[generation, ..]| generation)
    }

    /// The numbers of a chunk, those of all rows of one kind after the other.
    pub(super) fn chunk(&self, number: usize) -> std::io::Result<Box<[AtomicU64]>> {
        let nothing = || std::iter::repeat_with(AtomicU64::default).take(CHUNK_ROWS * ROW_NUMBERS).collect();
        let Some((offset, length)) = self.places.get(number).filter(|(_, length)| *length > 0) else {
            return Ok(nothing());
        };
        let wrong = |what: &str| std::io::Error::other(format!("{}, chunk {number}: {what}", self.path));
        if *length > MAX_PACKED_BYTES {
            return Err(wrong("an impossible length"));
        }
        let mut packed = vec![0; *length];
        if read_at(&self.file, &mut packed, *offset)? < packed.len() {
            return Err(wrong("the file ends within it"));
        }
        let planes = zstd::bulk::decompress(&packed, CHUNK_BYTES).map_err(|error| wrong(&error.to_string()))?;
        if planes.len() != CHUNK_BYTES {
            return Err(wrong("not the length of a chunk"));
        }
        Ok(unpack(&planes))
    }

    /// Writes a file of these chunks in place of what is there, and gives it open.
    pub(super) fn write(
        path: &Path,
        (generation, rows, version): (u64, u64, Option<u64>),
        view: &View,
        load: impl Fn(usize) -> Result<(), LakeError> + Sync,
    ) -> Result<Option<Self>, LakeError> {
        let (mut table, mut body) = (Vec::new(), Vec::new());
        let count = usize::try_from(rows.div_ceil(CHUNK_ROWS as u64)).unwrap_or(0);
        let some = |part: usize| {
            let mut packer = zstd::bulk::Compressor::new(LEVEL).map_err(failed("write", path))?;
            packer.include_checksum(true).map_err(failed("write", path))?;
            let numbers = (part * PACKED_TOGETHER..count).take(PACKED_TOGETHER);
            let packed = numbers.map(|number| {
                load(number)?;
                let planes = view.chunk(number).and_then(|rows| pack(&rows.numbers));
                planes.map_or(Ok(Vec::new()), |planes| packer.compress(&planes).map_err(failed("write", path)))
            });
            packed.collect::<Result<Vec<_>, LakeError>>()
        };
        for packed in side_by_side(count.div_ceil(PACKED_TOGETHER), processors(), some) {
            for packed in packed? {
                table.extend(u32::try_from(packed.len()).unwrap_or(0).to_le_bytes());
                body.extend(packed);
            }
        }
        let version = version.map_or(0, |version| version + 1);
        let mut bytes = MAGIC.to_vec();
        let sum = checksum(generation, rows, version, &table);
        [generation, rows, version, sum].into_iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes.extend(table);
        bytes.extend(body);
        let fresh = path.with_extension("new");
        fs::write(&fresh, bytes).map_err(failed("write", &fresh))?;
        File::open(&fresh).and_then(|file| file.sync_all()).map_err(failed("write", &fresh))?;
        let written = Self::open(&fresh)?;
        fs::rename(&fresh, path).map_err(failed("write", path))?;
        Ok(written)
    }
}

fn head(file: &File, path: &Path) -> Result<[u64; 4], LakeError> {
    let mut bytes = [0; HEAD_BYTES];
    let read = read_at(file, &mut bytes, 0).map_err(failed("read", path))?;
    let Some(numbers) = bytes.strip_prefix(MAGIC.as_slice()).filter(|_| read == HEAD_BYTES) else {
        return Err(damaged(path, "it is not a file of times"));
    };
    let mut numbers = numbers.chunks_exact(8).map(|part| u64::from_le_bytes(part.try_into().unwrap_or_default()));
    Ok(std::array::from_fn(|_| numbers.next().unwrap_or(0)))
}

fn checksum(generation: u64, rows: u64, version: u64, table: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    [generation, rows, version].into_iter().for_each(|number| hasher.write_u64(number));
    hasher.write(table);
    hasher.finish()
}

/// Byte by byte from the greatest; none when all are zero.
fn pack(numbers: &[AtomicU64]) -> Option<Vec<u8>> {
    let mut planes = vec![0; CHUNK_BYTES];
    let mut any = 0;
    let mut tile = [[0; TILE_ROWS]; NUMBER_BYTES];
    for (kind, numbers) in planes.chunks_exact_mut(CHUNK_ROWS * NUMBER_BYTES).zip(numbers.chunks(CHUNK_ROWS)) {
        for (begin, rows) in (0..).step_by(TILE_ROWS).zip(numbers.chunks(TILE_ROWS)) {
            for (row, number) in rows.iter().enumerate() {
                let number = number.load(Ordering::Relaxed);
                any |= number;
                let bytes = number.to_be_bytes().into_iter();
                bytes.zip(&mut tile).for_each(|(byte, plane)| plane.get_mut(row).into_iter().for_each(|to| *to = byte));
            }
            for (plane, from) in kind.chunks_exact_mut(CHUNK_ROWS).zip(&tile) {
                if let Some(to) = plane.get_mut(begin..begin + TILE_ROWS) {
                    to.copy_from_slice(from);
                }
            }
        }
    }
    (any != 0).then_some(planes)
}

fn unpack(planes: &[u8]) -> Box<[AtomicU64]> {
    let mut numbers = Vec::with_capacity(CHUNK_ROWS * ROW_NUMBERS);
    let mut tile = [[0; TILE_ROWS]; NUMBER_BYTES];
    for kind in planes.chunks_exact(CHUNK_ROWS * NUMBER_BYTES) {
        for begin in (0..CHUNK_ROWS).step_by(TILE_ROWS) {
            for (plane, to) in kind.chunks_exact(CHUNK_ROWS).zip(&mut tile) {
                if let Some(from) = plane.get(begin..begin + TILE_ROWS) {
                    to.copy_from_slice(from);
                }
            }
            let number = |row: usize| tile.map(|plane| plane.get(row).copied().unwrap_or(0));
            numbers.extend((0..TILE_ROWS).map(|row| AtomicU64::new(u64::from_be_bytes(number(row)))));
        }
    }
    numbers.into()
}

fn failed(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> LakeError + use<> {
    files::io(format!("{what} {}", path.display()))
}

fn damaged(path: &Path, detail: &str) -> LakeError {
    let detail = format!("{detail}; delete the index folder, it is built again");
    LakeError::Damaged { what: path.display().to_string(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As files are that were written before.
    #[test]
    fn the_greatest_bytes_of_all_rows_stand_first_kind_by_kind() {
        let (kind, row) = (1, 70);
        let numbers: Box<[AtomicU64]> = (0..CHUNK_ROWS * ROW_NUMBERS).map(|_| AtomicU64::new(0)).collect();
        assert_eq!(pack(&numbers), None, "nothing is known of its rows");
        numbers[kind * CHUNK_ROWS + row].store(0x0102_0304_0506_0708, Ordering::Relaxed);
        let planes = pack(&numbers).expect("something is known");
        let at = |byte: usize| planes[(kind * NUMBER_BYTES + byte) * CHUNK_ROWS + row];
        assert_eq!((0..NUMBER_BYTES).map(at).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(planes.iter().filter(|byte| **byte != 0).count(), NUMBER_BYTES);
        let read = unpack(&planes);
        let same =
            read.iter().zip(&numbers).all(|(one, other)| one.load(Ordering::Relaxed) == other.load(Ordering::Relaxed));
        assert!(same && read.len() == numbers.len());
    }
}
