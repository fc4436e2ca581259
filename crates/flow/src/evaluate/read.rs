//! Flows of a file, whatever wrote it: Zeek, Argus, nfdump, IPFIX (RFC 5655), or plain packets.
//!
//! The format is recognised by the first bytes; all bytes are read by `wire`. What cannot be read is counted and told.

use std::io::BufRead;

use hinomi_wire::capture::Capture;
use hinomi_wire::flow::file::FileError;
use hinomi_wire::flow::{FlowRecord, binetflow, ipfix_file, nfdump, zeek};

use crate::meter::{Meter, MeterConfig};

/// Most records of one file that an evaluation holds in memory.
pub const MAX_RECORDS: usize = 20_000_000;

/// Flows, and how much was left out.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// In the order of the file.
    pub records: Vec<FlowRecord>,
    /// Lines, blocks or packets that gave no record for a reason.
    pub left_out: u64,
    /// What ended the reading before its end.
    pub ended: Option<String>,
}

/// First bytes of captures: pcap in both orders and both resolutions, and pcapng.
const CAPTURES: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// First bytes of nfdump's files, on a little-endian machine.
const NFDUMP: [u8; 2] = [0x0c, 0xa5];

/// Reads a whole file, unpacked already.
///
/// # Errors
/// When not even its first bytes can be read.
pub fn read(mut source: impl BufRead) -> Result<Read, std::io::Error> {
    let start = source.fill_buf()?;
    let head: Vec<u8> = start.iter().take(4).copied().collect();
    let is_argus = start.get(..9).is_some_and(|word| word == b"StartTime");
    Ok(if CAPTURES.iter().any(|magic| head == magic) {
        packets(source)
    } else if start.starts_with(&NFDUMP) {
        lines(nfdump::Flows::new(source))
    } else if ipfix_file::begins(start) {
        lines(ipfix_file::Flows::new(source))
    } else if is_argus {
        lines(binetflow::Flows::new(source))
    } else {
        lines(zeek::Connections::new(source))
    })
}

fn lines(items: impl Iterator<Item = Result<FlowRecord, FileError>>) -> Read {
    let mut read = Read::default();
    for item in items {
        match item {
            Ok(record) if read.records.len() < MAX_RECORDS => read.records.push(record),
            Ok(_) => read.left_out = read.left_out.saturating_add(1),
            Err(error) if error.ends_the_file() => read.ended = Some(error.to_string()),
            Err(_) => read.left_out = read.left_out.saturating_add(1),
        }
    }
    read
}

fn packets(source: impl BufRead) -> Read {
    let mut read = Read::default();
    let mut capture = match Capture::open(source) {
        Ok(capture) => capture,
        Err(error) => return Read { ended: Some(error.to_string()), ..read },
    };
    let mut meter = Meter::new(MeterConfig::default());
    let records = &mut read.records;
    let mut give = |record: FlowRecord| {
        if records.len() < MAX_RECORDS {
            records.push(record);
        }
    };
    let ended = loop {
        match capture.next_frame() {
            Ok(Some(frame)) => meter.frame(frame.time, frame.link, frame.bytes, &mut give),
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    meter.finish(&mut give);
    let counts = meter.counts();
    read.left_out = counts.frames.saturating_sub(counts.packets);
    read.ended = ended;
    read
}
