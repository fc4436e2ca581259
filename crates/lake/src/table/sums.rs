//! Sums over the blocks of a data file: bytes that changed on the disk are told of and never taken for what was stored.
//!
//! Parquet pages carry no checksum here (the library writes none), so the log states eight bytes of BLAKE3 for each 32
//! KiB of a file, in the tag [`TAG`] of its `add`. Who reads through [`Checked`] reads whole blocks and compares each
//! the first time it is touched, footer and page index too. Files of before this, and of other writers, have no sums
//! and are read as they are; `hinomi lake check --deep` recomputes the names of what is in them. At a hundred times the
//! data: 0.03% of the size of the files, in memory and in the log; one look at each block and opening.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, Bytes};
use data_encoding::BASE64;
use hinomi_model::ContentHash;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

/// Bytes of one block.
const BLOCK_BYTES: usize = 32 << 10;

/// Bytes of one sum.
const SUM_BYTES: usize = 8;

/// The tag of an `add` that holds the sums, in base64. Another way of summing gets another name.
pub(crate) const TAG: &str = "hinomi.sums.1";

/// What is read at once when everything is read.
const STRIDE_BYTES: u64 = 64 * BLOCK_BYTES as u64;

/// What is read at once of a block that was looked at before.
const STEP_BYTES: u64 = 8 << 10;

type Sum = [u8; SUM_BYTES];

/// One sum for each block of a file, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums(Box<[Sum]>);

fn sum(block: &[u8]) -> Sum {
    let mut short = [0; SUM_BYTES];
    short.iter_mut().zip(ContentHash::of(block).as_bytes()).for_each(|(to, from)| *to = *from);
    short
}

/// The first of these blocks that has not its sum.
fn wrong(sums: &Sums, first: u64, bytes: &[u8]) -> Option<u64> {
    let stated = |block: u64| usize::try_from(block).ok().and_then(|block| sums.0.get(block));
    (first..)
        .zip(bytes.chunks(BLOCK_BYTES))
        .find(|(block, found)| stated(*block) != Some(&sum(found)))
        .map(|(at, _)| at)
}

const fn blocks_of(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES as u64)
}

impl Sums {
    /// As the log holds them.
    pub(crate) fn to_text(&self) -> String {
        BASE64.encode(self.0.as_flattened())
    }

    /// Reads what [`Sums::to_text`] wrote of a file of this size; says what is wrong with it.
    pub(crate) fn read(text: &str, bytes: u64) -> Result<Self, &'static str> {
        let decoded = BASE64.decode(text.as_bytes()).map_err(|_| "its sums are no base64")?;
        let (sums, rest) = decoded.as_chunks::<SUM_BYTES>();
        let fits = rest.is_empty() && u64::try_from(sums.len()) == Ok(blocks_of(bytes));
        if fits { Ok(Self(sums.into())) } else { Err("its sums are not as many as its size wants") }
    }

    /// The sums of everything that can be read from here.
    #[cfg(test)]
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.chunks(BLOCK_BYTES).map(sum).collect())
    }
}

/// Sums what passes on its way to the disk.
#[derive(Debug)]
pub(crate) struct Summing<W> {
    inner: W,
    block: Vec<u8>,
    sums: Vec<Sum>,
}

impl<W: Write> Summing<W> {
    /// Everything goes on to `inner`.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, block: Vec::with_capacity(BLOCK_BYTES), sums: Vec::new() }
    }

    /// What everything went to, and its sums.
    pub(crate) fn finish(mut self) -> (W, Sums) {
        if !self.block.is_empty() {
            self.sums.push(sum(&self.block));
        }
        (self.inner, Sums(self.sums.into()))
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK_BYTES - self.block.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            if self.block.len() == BLOCK_BYTES {
                self.sums.push(sum(&self.block));
                self.block.clear();
            }
            bytes = later;
        }
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.take(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Where bytes come from that are compared.
pub(crate) trait Source: ChunkReader {
    /// Whether what was right once may be wrong the next time: on its way, and not where it lies.
    fn may_change(&self) -> bool {
        false
    }

    /// The same bytes once more, from where they lie, when what came was not right.
    fn again(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.get_bytes(start, length)
    }
}

impl Source for Bytes {}

/// Reads from `R` and compares each block with its sum before anybody sees a byte of it.
pub(crate) struct Checked<R>(Arc<Inner<R>>);

struct Inner<R> {
    from: R,
    sums: Option<Arc<Sums>>,
    /// One bit a block: it was compared.
    seen: Box<[AtomicU64]>,
}

impl<R: Source> Checked<R> {
    /// Without sums everything is believed.
    pub(crate) fn new(from: R, sums: Option<Arc<Sums>>) -> Self {
        let words = sums.as_ref().map_or(0, |sums| sums.0.len().div_ceil(64));
        Self(Arc::new(Inner { from, sums, seen: (0..words).map(|_| AtomicU64::new(0)).collect() }))
    }
}

impl<R: Source> Checked<R> {
    /// Compares every block.
    pub(crate) fn compare_all(&self) -> ParquetResult<()> {
        let (mut at, length) = (0, self.0.from.len());
        while at < length {
            let step = (length - at).min(STRIDE_BYTES);
            self.0.get(at, size(step)?)?;
            at += step;
        }
        Ok(())
    }
}

impl<R: Source> Inner<R> {
    /// These bytes, compared.
    fn get(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let end = start.saturating_add(length as u64);
        let (first, beyond) = (start / BLOCK_BYTES as u64, blocks_of(end));
        let Some(sums) = self.sums.as_deref() else { return self.from.get_bytes(start, length) };
        if length == 0 || (first..beyond).all(|block| self.was_seen(block)) {
            return self.from.get_bytes(start, length);
        }
        let from = first * BLOCK_BYTES as u64;
        let until = (beyond * BLOCK_BYTES as u64).min(self.from.len());
        let whole = size(until.saturating_sub(from))?;
        let mut bytes = self.from.get_bytes(from, whole)?;
        if let Some(block) = wrong(sums, first, &bytes) {
            bytes = self.from.again(from, whole)?;
            if wrong(sums, first, &bytes).is_some() {
                let at = block * BLOCK_BYTES as u64;
                let told = format!("the bytes from {at} on are not those that were written: the file is damaged");
                return Err(ParquetError::General(told));
            }
        } else if !self.from.may_change() {
            (first..beyond).for_each(|block| self.mark(block));
        }
        let (skip, take) = (size(start - from)?, bytes.len());
        let wanted = skip..skip.saturating_add(length);
        if wanted.end > take {
            return Err(ParquetError::EOF(format!("the file ends at {until}, before {end}: it is damaged")));
        }
        Ok(bytes.slice(wanted))
    }

    fn bit(&self, block: u64) -> Option<(&AtomicU64, u64)> {
        Some((self.seen.get(usize::try_from(block / 64).ok()?)?, 1 << (block % 64)))
    }

    fn was_seen(&self, block: u64) -> bool {
        self.bit(block).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn mark(&self, block: u64) {
        if let Some((word, bit)) = self.bit(block) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }
}

fn size(bytes: u64) -> ParquetResult<usize> {
    usize::try_from(bytes).map_err(|_| ParquetError::General(format!("{bytes} bytes are more than fit in memory")))
}

impl<R: Source> Length for Checked<R> {
    fn len(&self) -> u64 {
        self.0.from.len()
    }
}

impl<R: Source> ChunkReader for Checked<R> {
    type T = Walk<R>;

    fn get_read(&self, start: u64) -> ParquetResult<Walk<R>> {
        Ok(Walk { from: Arc::clone(&self.0), at: start, ahead: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.0.get(start, length)
    }
}

/// Reads on from a place.
pub(crate) struct Walk<R> {
    from: Arc<Inner<R>>,
    at: u64,
    ahead: Bytes,
}

impl<R: Source> Read for Walk<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let end = (self.at / STEP_BYTES + 1) * STEP_BYTES;
            let length = end.min(self.from.from.len()).saturating_sub(self.at);
            self.ahead = size(length).and_then(|length| self.from.get(self.at, length)).map_err(io::Error::other)?;
            self.at += length;
        }
        let count = into.len().min(self.ahead.len());
        if let Some(into) = into.get_mut(..count) {
            self.ahead.copy_to_slice(into);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        (0..length).map(|at| ContentHash::of(&at.to_le_bytes()).as_bytes()[0]).collect()
    }

    #[test]
    fn sums_are_those_of_what_was_written_and_come_back() {
        for length in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES] {
            let bytes = noise(length);
            let mut summing = Summing::new(Vec::new());
            bytes.chunks(1_000).for_each(|part| summing.write_all(part).unwrap());
            let (written, sums) = summing.finish();
            assert_eq!((&written, &sums), (&bytes, &Sums::of(&bytes)));
            assert_eq!(Sums::read(&sums.to_text(), length as u64), Ok(sums.clone()));
            assert!(Sums::read(&sums.to_text(), (length + BLOCK_BYTES) as u64).is_err());
        }
        assert!(Sums::read("!", 1).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_flipped_bit_is_never_handed_over(
            length in 1_usize..100_000,
            at: prop::sample::Index,
            bit in 0_u8..8,
            start: prop::sample::Index,
            wanted in 1_usize..70_000,
        ) {
            let right = noise(length);
            let sums = Arc::new(Sums::of(&right));
            let (at, start) = (at.index(length), start.index(length));
            let mut wrong = right.clone();
            wrong[at] ^= 1 << bit;
            let end = (start + wanted).min(length);
            for (bytes, flipped) in [(right.clone(), false), (wrong, true)] {
                let checked = Checked::new(Bytes::from(bytes), Some(Arc::clone(&sums)));
                let touched = flipped && (start / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES)).contains(&(at / BLOCK_BYTES));
                for _ in 0..2 {
                    match checked.get_bytes(start as u64, end - start) {
                        Ok(got) => prop_assert!(!touched && got == right[start..end]),
                        Err(_) => prop_assert!(touched),
                    }
                    let mut read = vec![0; end - start];
                    match checked.get_read(start as u64).unwrap().read_exact(&mut read) {
                        Ok(()) => prop_assert!(!touched && read == right[start..end]),
                        Err(_) => prop_assert!(touched),
                    }
                }
            }
        }

        #[test]
        fn another_length_is_told(length in 1_usize..100_000, more in 1_usize..50_000) {
            let longer = Bytes::from(noise(length + more));
            let sums = Some(Arc::new(Sums::of(&longer[..length])));
            prop_assert!(Checked::new(longer.clone(), sums).get_bytes((length + more - 1) as u64, 1).is_err());
            let sums = Some(Arc::new(Sums::of(&longer)));
            prop_assert!(Checked::new(longer.slice(..length), sums).get_bytes((length - 1) as u64, 1).is_err()
                || length % BLOCK_BYTES == 0);
        }
    }
}
