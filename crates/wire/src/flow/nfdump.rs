//! Files of nfdump and its collectors (`nfcapd.202611220400`): layout 1 of versions 1.6, layout 2 of versions 1.7.
//!
//! ```text
//!   header | block | block | ...      block: header, then records, packed as one (LZ4, LZO) or not
//! ```
//!
//! One block is in memory at a time ([`MAX_BLOCK_BYTES`]). What is no flow (exporters, statistics, descriptions) counts
//! as `other`. A block that cannot be unpacked is one error, and all records that it promised count as left out. Files
//! packed with bzip2 or zstd, encrypted ones and those of big-endian machines are refused with the command that
//! converts them: each would need another library in C for what `nfdump -y -w` does.
//!
//! nfdump multiplies counters of sampled exporters before it writes them and does not say by how much, so `sampling` is
//! 0, not known. Its outbound counters become `reverse` where they are not zero, as in its own listing of both
//! directions. Where the exporter did not tell the time of a flow, the time of receipt stands.
//!
//! Follows the comments of nfdump's public headers `nffile.h`, `nffileV2.h` and `nfxV3.h` (facts only) and what the
//! program itself prints of a file.

use std::io::{ErrorKind, Read};

use super::FlowRecord;
use super::file::{Counts, FileError, FlowFile, Place, Reason};

mod header;
mod legacy;
mod little;
mod lz4;
mod lzo;
mod record;

use header::{Block, Compression, Header};
use legacy::Maps;
use little::Little;
use record::Meaning;

/// The most bytes of a block, packed and unpacked; nfdump's own buffers hold 10 MiB.
pub const MAX_BLOCK_BYTES: usize = 16 * 1024 * 1024;

/// Reads flows; see the module and [`super::file`].
#[derive(Debug)]
pub struct Flows<R> {
    source: R,
    header: Option<Header>,
    /// Offset of the next byte of the file.
    at: u64,
    /// The block's bytes as the file has them, when packed.
    packed: Vec<u8>,
    /// Its records.
    block: Vec<u8>,
    /// Where the block stands in the file.
    block_at: u64,
    next_record: usize,
    /// How many records the block promises beyond those that were read.
    promised: u64,
    maps: Maps,
    counts: Counts,
    done: bool,
}

impl<R: Read> Flows<R> {
    /// Starts reading. A buffered source is not needed.
    pub fn new(source: R) -> Self {
        Self {
            source,
            header: None,
            at: 0,
            packed: Vec::new(),
            block: Vec::new(),
            block_at: 0,
            next_record: 0,
            promised: 0,
            maps: Maps::default(),
            counts: Counts::default(),
            done: false,
        }
    }

    /// What was met so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The next flow or error; none at the end.
    fn step(&mut self) -> Result<Option<FlowRecord>, FileError> {
        if self.header.is_none() {
            self.header = Some(self.open()?);
        }
        loop {
            while self.next_record < self.block.len() {
                match self.record()? {
                    Meaning::Flow(flow) => return Ok(Some(flow)),
                    Meaning::Other => self.counts.other = self.counts.other.saturating_add(1),
                }
            }
            if self.promised > 0 {
                return Err(self.lose_block(Reason::Invalid("a block's number of records")));
            }
            if !self.load()? {
                return Ok(None);
            }
        }
    }

    fn open(&mut self) -> Result<Header, FileError> {
        let mut start = [0; 4];
        let held = self.read(&mut start)?;
        let [a, b, c, d] = start;
        if (a, b) == (0x1f, 0x8b) {
            return Err(self.ends(Reason::Gzip));
        }
        if held < start.len() || (a, b) != header::MAGIC {
            return Err(self.ends(Reason::NotNfdump));
        }
        let layout = u16::from_le_bytes([c, d]);
        let length = Header::length(layout).ok_or_else(|| self.ends(Reason::Layout(layout)))?;
        let mut rest = Vec::new();
        self.fill(&mut rest, length - start.len(), "its header")?;
        Header::read(layout, &rest).map_err(|reason| self.ends(reason))
    }

    /// Reads the next block; false at the end of the file.
    fn load(&mut self) -> Result<bool, FileError> {
        (self.block_at, self.next_record) = (self.at, 0);
        self.block.clear();
        let mut head = [0; header::BLOCK_BYTES];
        match self.read(&mut head)? {
            0 => return Ok(false),
            held if held < head.len() => return Err(self.ends(Reason::Truncated("a block's header"))),
            _ => {}
        }
        let block = Block::read(head);
        let length = usize::try_from(block.bytes).unwrap_or(usize::MAX);
        if length > MAX_BLOCK_BYTES {
            return Err(self.ends(Reason::TooLong));
        }
        self.promised = u64::from(block.records);
        let mut packed = std::mem::take(&mut self.packed);
        let filled = self.fill(&mut packed, length, "a block");
        self.packed = packed;
        if let Err(error) = filled {
            self.lose_records(error.reason());
            return Err(error);
        }
        self.unpack(block)?;
        Ok(true)
    }

    fn unpack(&mut self, block: Block) -> Result<(), FileError> {
        let Some(header) = self.header.filter(|header| block.holds_records(*header)) else {
            let promised = std::mem::take(&mut self.promised);
            self.counts.other = self.counts.other.saturating_add(promised);
            return Ok(());
        };
        let unpacked = match header.compression {
            _ if block.is_plain() => None,
            Compression::None => None,
            Compression::Lz4 => Some(lz4::decompress(&self.packed, MAX_BLOCK_BYTES, &mut self.block)),
            Compression::Lzo => Some(lzo::decompress(&self.packed, MAX_BLOCK_BYTES, &mut self.block)),
        };
        match unpacked {
            None => std::mem::swap(&mut self.packed, &mut self.block),
            Some(Some(())) => {}
            Some(None) => return Err(self.lose_block(Reason::Decompress)),
        }
        Ok(())
    }

    fn record(&mut self) -> Result<Meaning, FileError> {
        let rest = self.block.get(self.next_record..).unwrap_or_default();
        let mut reader = Little::new(rest);
        let (kind, length) = (reader.u16(), reader.u16());
        let length = usize::from(length.unwrap_or_default());
        let Some((kind, body)) = kind.zip(rest.get(4..length)) else {
            return Err(self.lose_block(Reason::Invalid("a record's length")));
        };
        let meaning = match kind {
            record::V3 => record::read(body),
            legacy::COMMON_SHORT | legacy::COMMON => self.maps.record(kind, body),
            legacy::MAP => self.maps.learn(body),
            _ => Ok(Meaning::Other),
        };
        self.next_record += length;
        self.promised = self.promised.saturating_sub(1);
        meaning.map_err(|reason| FileError::Record { place: Place::Byte(self.block_at), reason })
    }

    /// Gives up the rest of the block: the next one can be read.
    fn lose_block(&mut self, reason: Reason) -> FileError {
        self.lose_records(Some(reason));
        self.block.clear();
        FileError::Record { place: Place::Byte(self.block_at), reason }
    }

    /// The error itself counts for one record, this for the others.
    fn lose_records(&mut self, reason: Option<Reason>) {
        // A record has four bytes at least: what a block promises beyond that is no loss.
        let possible = u64::try_from(MAX_BLOCK_BYTES / 4).unwrap_or(u64::MAX);
        let lost = std::mem::take(&mut self.promised).min(possible).saturating_sub(1);
        if let Some(reason) = reason {
            self.counts.leave_out(reason, lost);
        }
    }

    fn ends(&self, reason: Reason) -> FileError {
        FileError::File { place: Place::Byte(self.at), reason }
    }

    /// Replaces what the buffer holds by the next bytes. Grows with what is there, not with what is promised.
    fn fill(&mut self, buffer: &mut Vec<u8>, length: usize, what: &'static str) -> Result<(), FileError> {
        buffer.clear();
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        let read = self.source.by_ref().take(limit).read_to_end(buffer);
        self.at = self.at.saturating_add(u64::try_from(buffer.len()).unwrap_or(u64::MAX));
        read.map_err(|source| FileError::Read { place: Place::Byte(self.at), source })?;
        if buffer.len() < length { Err(self.ends(Reason::Truncated(what))) } else { Ok(()) }
    }

    /// Reads until the room is full or the file ends.
    fn read(&mut self, room: &mut [u8]) -> Result<usize, FileError> {
        let mut held = 0;
        while let Some(rest) = room.get_mut(held..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) => break,
                Ok(count) => held += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(FileError::Read { place: Place::Byte(self.at), source }),
            }
        }
        self.at = self.at.saturating_add(u64::try_from(held).unwrap_or(u64::MAX));
        Ok(held)
    }
}

impl<R: Read> Iterator for Flows<R> {
    type Item = Result<FlowRecord, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let item = self.step().transpose();
        self.done = item.as_ref().is_none_or(|item| item.as_ref().is_err_and(FileError::ends_the_file));
        self.counts.add(item.as_ref()?);
        item
    }
}

impl<R: Read> FlowFile for Flows<R> {
    fn counts(&self) -> &Counts {
        &self.counts
    }
}

#[cfg(test)]
mod tests;
