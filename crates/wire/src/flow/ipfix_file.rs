//! IPFIX files (RFC 5655): messages one after another, nothing between them.
//!
//! Each message is decoded as if it had just come from its exporter, at the time its header tells. A file has one
//! exporter; its domains are told apart as in a transport session. A damaged message is left out and reading goes on
//! with the next one; where no message begins, the file has lost its place and ends.

use std::collections::VecDeque;
use std::io::{BufRead, Read};
use std::net::{Ipv4Addr, SocketAddr};

use hinomi_model::Timestamp;

use super::counts::Counts as DecoderCounts;
use super::file::{Counts, FileError, FlowFile, Place, Reason};
use super::record::FlowRecord;
use super::{Decoder, Limits};

const HEADER_BYTES: usize = 16;
const VERSION: [u8; 2] = [0, 10];
/// Whoever wrote the file: it does not say.
const EXPORTER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Whether a file that begins so is one: a version, a length with room for the header, and first a set of templates,
/// options templates or data (RFC 7011 section 3.3.2), or nothing.
pub fn begins(start: &[u8]) -> bool {
    let Some(header) = start.first_chunk::<HEADER_BYTES>() else { return false };
    let length = declared(header);
    let set = start.get(HEADER_BYTES..HEADER_BYTES + 2).map(|set| u16::from_be_bytes([first(set), last(set)]));
    let is_set = |number: u16| matches!(number, 2 | 3) || number >= 256;
    header.starts_with(&VERSION) && length >= HEADER_BYTES && (length == HEADER_BYTES || set.is_some_and(is_set))
}

fn first(pair: &[u8]) -> u8 {
    pair.first().copied().unwrap_or_default()
}

fn last(pair: &[u8]) -> u8 {
    pair.last().copied().unwrap_or_default()
}

fn declared(header: &[u8; HEADER_BYTES]) -> usize {
    let [_, _, high, low, ..] = *header;
    usize::from(u16::from_be_bytes([high, low]))
}

/// The flows of an IPFIX file, message by message.
#[derive(Debug)]
pub struct Flows<R> {
    source: R,
    decoder: Decoder,
    at: u64,
    message: Vec<u8>,
    ready: VecDeque<FlowRecord>,
    counts: Counts,
    /// What the decoder had refused before the last message.
    refused: u64,
    ended: bool,
}

impl<R: BufRead> Flows<R> {
    /// Of a file, from its beginning.
    pub fn new(source: R) -> Self {
        Self {
            source,
            decoder: Decoder::new(Limits::default()),
            at: 0,
            message: Vec::new(),
            ready: VecDeque::new(),
            counts: Counts::default(),
            refused: 0,
            ended: false,
        }
    }

    /// What was met so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What became of every byte of the messages.
    pub const fn decoded(&self) -> &DecoderCounts {
        self.decoder.counts()
    }

    /// Reads and decodes the next message; at the end of the file what still waits for its template is given up.
    fn advance(&mut self) -> Result<(), FileError> {
        let place = Place::Byte(self.at);
        self.message.clear();
        self.fill(HEADER_BYTES, place)?;
        if self.message.is_empty() {
            self.ended = true;
            self.decoder.finish();
            return self.damage(place);
        }
        let truncated = || FileError::File { place, reason: Reason::Truncated("a message") };
        let header = *self.message.first_chunk::<HEADER_BYTES>().ok_or_else(truncated)?;
        let length = declared(&header);
        if !header.starts_with(&VERSION) || length < HEADER_BYTES {
            return Err(FileError::File { place, reason: Reason::Invalid("the header of a message") });
        }
        self.fill(length, place)?;
        if self.message.len() < length {
            return Err(truncated());
        }
        self.at = self.at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let ready = &mut self.ready;
        self.decoder.decode(EXPORTER, exported(&header), &self.message, &mut |record| ready.push_back(record));
        self.damage(place)
    }

    /// Fills the message up to so many bytes, or to the end of the file.
    fn fill(&mut self, length: usize, place: Place) -> Result<(), FileError> {
        let more = u64::try_from(length.saturating_sub(self.message.len())).unwrap_or_default();
        let read = self.source.by_ref().take(more).read_to_end(&mut self.message);
        read.map(|_| ()).map_err(|source| FileError::Read { place, source })
    }

    /// What the decoder refused since it was last asked: one error, and as many records left out.
    fn damage(&mut self, place: Place) -> Result<(), FileError> {
        let refused = self.decoder.counts().refusals();
        let more = refused.saturating_sub(self.refused);
        self.refused = refused;
        if more == 0 {
            return Ok(());
        }
        let reason = Reason::Invalid("a set of the message");
        self.counts.leave_out(reason, more - 1);
        Err(FileError::Record { place, reason })
    }
}

impl<R: BufRead> FlowFile for Flows<R> {
    fn counts(&self) -> &Counts {
        &self.counts
    }
}

fn exported(header: &[u8; HEADER_BYTES]) -> Timestamp {
    let [_, _, _, _, s0, s1, s2, s3, ..] = *header;
    Timestamp::from_micros(i64::from(u32::from_be_bytes([s0, s1, s2, s3])) * 1_000_000)
}

impl<R: BufRead> Iterator for Flows<R> {
    type Item = Result<FlowRecord, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                let item = Ok(record);
                self.counts.add(&item);
                return Some(item);
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.advance() {
                self.ended |= error.ends_the_file();
                let item = Err(error);
                self.counts.add(&item);
                return Some(item);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::super::counts::Part;
    use super::*;

    fn message(sets: &[u8], seconds: u32, sequence: u32) -> Vec<u8> {
        let length = u16::try_from(HEADER_BYTES + sets.len()).expect("short");
        let words = [seconds, sequence, 1].map(u32::to_be_bytes).concat();
        [&VERSION[..], &length.to_be_bytes(), &words, sets].concat()
    }

    /// Template 256: addresses, ports, protocol, packets.
    const TEMPLATE: [u8; 32] =
        [0, 2, 0, 32, 1, 0, 0, 6, 0, 8, 0, 4, 0, 12, 0, 4, 0, 7, 0, 2, 0, 11, 0, 2, 0, 4, 0, 1, 0, 2, 0, 4];
    const DATA: [u8; 21] = [1, 0, 0, 21, 192, 0, 2, 1, 203, 0, 113, 5, 0x9c, 0x40, 5, 0x39, 6, 0, 0, 0, 3];
    const TIME: u32 = 1_795_305_600;

    fn read(file: &[u8]) -> (Vec<FlowRecord>, Vec<FileError>, Counts) {
        let mut flows = Flows::new(file);
        let (mut records, mut errors) = (Vec::new(), Vec::new());
        for item in flows.by_ref() {
            match item {
                Ok(record) => records.push(record),
                Err(error) => errors.push(error),
            }
        }
        let counts = flows.counts().clone();
        (records, errors, counts)
    }

    #[test]
    fn messages_are_read_at_the_time_they_tell() {
        let file = [message(&TEMPLATE, TIME, 0), message(&DATA, TIME + 60, 0), message(&DATA, TIME + 90, 1)].concat();
        assert!(begins(&file));
        let mut flows = Flows::new(file.as_slice());
        let records: Vec<FlowRecord> = flows.by_ref().collect::<Result<_, _>>().expect("a good file");
        let ends: Vec<i64> = records.iter().map(|record| record.end.as_micros() / 1_000_000).collect();
        assert_eq!(ends, [i64::from(TIME) + 60, i64::from(TIME) + 90], "no time in the record: that of the message");
        assert_eq!((records[0].destination_port, records[0].forward.packets), (1_337, 3));
        assert_eq!((flows.counts().records, flows.decoded().refusals()), (2, 0));
        assert!(flows.decoded().part(Part::Record) > 0);
    }

    #[test]
    fn a_damaged_message_is_left_out_and_the_next_one_is_read() {
        let bad = message(&[1, 0, 0, 3], TIME, 0);
        let file = [message(&TEMPLATE, TIME, 0), bad, message(&DATA, TIME, 0)].concat();
        let (records, errors, counts) = read(&file);
        assert_eq!((records.len(), errors.len(), counts.left_out_in_all()), (1, 1, 1));
        assert!(!errors[0].ends_the_file());
    }

    #[test]
    fn a_file_that_ends_early_or_turns_into_something_else_ends_there() {
        let whole = [message(&TEMPLATE, TIME, 0), message(&DATA, TIME, 0)].concat();
        let (records, errors, _) = read(&whole[..whole.len() - 1]);
        assert!(records.is_empty() && errors[0].reason() == Some(Reason::Truncated("a message")));
        let (records, errors, _) = read(&[&whole[..], b"something else"].concat());
        assert!(records.len() == 1 && errors[0].ends_the_file());
        let (_, errors, _) = read(&[&whole[..], b"something else entirely"].concat());
        assert_eq!(errors[0].reason(), Some(Reason::Invalid("the header of a message")));
    }

    #[test]
    fn data_without_a_template_are_told_at_the_end() {
        let (records, errors, counts) = read(&message(&DATA, TIME, 0));
        assert_eq!((records.len(), errors.len(), counts.left_out_in_all()), (0, 1, 1));
    }

    #[test]
    fn other_files_are_not_taken_for_one() {
        for other in [&b"#separator \\x09"[..], b"StartTime,Dur", &[0xd4, 0xc3, 0xb2, 0xa1], &[0, 10, 0, 16], b""] {
            assert!(!begins(other));
        }
        let odd = message(&[0, 7, 0, 4], TIME, 0);
        assert!(!begins(&odd));
    }
}
