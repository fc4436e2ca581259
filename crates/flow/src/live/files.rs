//! Flow records of a file, whatever wrote it, one at a time.
//!
//! | first bytes | taken for |
//! |---|---|
//! | pcap, pcapng | datagrams to [`EXPORT_PORTS`] that begin as an export does are decoded; all other packets become flows |
//! | nfdump's | the files of nfdump and nfcapd |
//! | a message of IPFIX | IPFIX files (RFC 5655) |
//! | `PAR1` | Parquet in the open schema ([`parquet::COLUMNS`]) |
//! | `StartTime` | Argus, as `ra` writes CSV |
//! | anything else | Zeek's conn.log, TSV or JSON |
//!
//! All bytes are read by `wire`; what gives no record is counted under its reason.

use std::cell::RefCell;
use std::fs::File;
use std::io::BufRead;
use std::net::SocketAddr;

use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{FileStatus, ReceivedStatus};
use hinomi_wire::capture::{Capture, Frame};
use hinomi_wire::flow::file::FlowFile;
use hinomi_wire::flow::{Decoder, FlowRecord, Limits, binetflow, ipfix_file, nfdump, zeek};
use hinomi_wire::packet::{Packet, UDP};

use super::part::{Part, plus};
use crate::error::FlowError;
use crate::inlet::InletCounts;
use crate::meter::{Meter, MeterConfig, Unmetered};
use crate::parquet;

/// Ports to which exporters send: NetFlow, IPFIX, sFlow, and those that vendors' manuals use.
pub const EXPORT_PORTS: [u16; 8] = [2055, 2056, 4739, 6343, 9555, 9995, 9996, 9997];

/// First bytes of captures: pcap in both orders and both resolutions, and pcapng.
const CAPTURES: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];
const NFDUMP: [u8; 2] = [0x0c, 0xa5];
const ARGUS: &[u8] = b"StartTime";
/// Why a record is left out that would make time pass which has not passed.
pub(super) const FUTURE: &str = "it ends in the future: is a clock wrong?";

/// What a file is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// pcap or pcapng.
    Capture,
    /// nfdump.
    Nfdump,
    /// Messages of IPFIX.
    Ipfix,
    /// Flow records in Parquet.
    Parquet,
    /// Argus CSV.
    Argus,
    /// Zeek's conn.log.
    Zeek,
}

impl Kind {
    /// By its first bytes.
    pub fn of(start: &[u8]) -> Self {
        if start.first_chunk::<4>().is_some_and(|head| CAPTURES.contains(head)) {
            Self::Capture
        } else if start.starts_with(&NFDUMP) {
            Self::Nfdump
        } else if ipfix_file::begins(start) {
            Self::Ipfix
        } else if start.starts_with(&parquet::MAGIC) {
            Self::Parquet
        } else if start.starts_with(ARGUS) {
            Self::Argus
        } else {
            Self::Zeek
        }
    }

    /// Its name in the status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "pcap",
            Self::Nfdump => "nfdump",
            Self::Ipfix => "ipfix",
            Self::Parquet => "parquet",
            Self::Argus => "argus",
            Self::Zeek => "zeek",
        }
    }
}

/// Who takes the records, and may ask what the exports in the file came to so far; an error ends the reading.
pub(crate) type Each<'a> = &'a mut dyn FnMut(FlowRecord, &dyn Fn() -> Part) -> Result<(), FlowError>;

/// Reads a whole file, unpacked already, and hands out its records in its own order. Tells what became of it, and of the
/// exports in it.
///
/// # Errors
/// When not even its first bytes can be read, or what `each` says.
pub(crate) fn read_file(name: &str, source: impl BufRead, each: Each<'_>) -> Result<(FileStatus, Part), FlowError> {
    read_with(name, source, &RefCell::default(), each)
}

/// The same, with a table of conversations that the caller may look after while the source is silent.
///
/// # Errors
/// As [`read_file`].
pub(super) fn read_with(
    name: &str,
    mut source: impl BufRead,
    table: &RefCell<Table>,
    each: Each<'_>,
) -> Result<(FileStatus, Part), FlowError> {
    let start = source.fill_buf().map_err(FlowError::file(std::path::Path::new(name)))?;
    let kind = Kind::of(start);
    let status = status(name, kind);
    match kind {
        Kind::Capture => Reading::new(status, table).capture(source, each),
        Kind::Nfdump => lines(status, nfdump::Flows::new(source), each),
        Kind::Ipfix => lines(status, ipfix_file::Flows::new(source), each),
        Kind::Parquet => lines(status, parquet::Flows::of_stream(source), each),
        Kind::Argus => lines(status, binetflow::Flows::new(source), each),
        Kind::Zeek => lines(status, zeek::Connections::new(source), each),
    }
}

/// The same of a Parquet file, which is read at any place and need not fit into memory.
///
/// # Errors
/// What `each` says.
pub(crate) fn read_parquet(name: &str, file: File, each: Each<'_>) -> Result<(FileStatus, Part), FlowError> {
    lines(status(name, Kind::Parquet), parquet::Flows::of_file(file), each)
}

fn status(name: &str, kind: Kind) -> FileStatus {
    FileStatus { name: name.to_owned(), kind: kind.name().to_owned(), ..FileStatus::default() }
}

fn lines(mut status: FileStatus, mut items: impl FlowFile, each: Each<'_>) -> Result<(FileStatus, Part), FlowError> {
    for item in items.by_ref() {
        match item {
            Ok(record) => each(record, &Part::default)?,
            Err(error) if error.ends_the_file() => status.ended = Some(error.to_string()),
            Err(_) => {}
        }
    }
    // The reader's own sums: one error may stand for a whole block of records.
    let counts = items.counts();
    status.records = counts.records;
    status.left_out = counts.left_out.iter().map(|(reason, count)| (reason.to_string(), *count)).collect();
    if counts.read_errors > 0 {
        status.left_out.insert("not readable".to_owned(), counts.read_errors);
    }
    Ok((status, Part::default()))
}

/// Conversations of a capture's plain packets, and how far the capture came.
pub(super) struct Table {
    meter: Meter,
    frames: u64,
    latest: Option<Timestamp>,
    /// Records that it gave while the source was silent.
    records: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self { meter: Meter::new(MeterConfig::default()), frames: 0, latest: None, records: 0 }
    }
}

impl Table {
    /// Frames that came.
    pub(super) const fn frames(&self) -> u64 {
        self.frames
    }

    /// The latest time that a frame told.
    pub(super) const fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// While nothing comes: the records of conversations whose time is over by now.
    pub(super) fn advance(&mut self, now: Timestamp) -> Vec<FlowRecord> {
        let mut given = Vec::new();
        self.meter.advance(now, &mut |record| given.push(record));
        plus(&mut self.records, given.len() as u64);
        given
    }
}

/// A capture on its way. The table is borrowed for a frame at a time, never while the source is read.
struct Reading<'a> {
    status: FileStatus,
    decoder: Decoder,
    table: &'a RefCell<Table>,
    given: Vec<FlowRecord>,
}

impl<'a> Reading<'a> {
    fn new(status: FileStatus, table: &'a RefCell<Table>) -> Self {
        Self { status, decoder: Decoder::new(Limits::default()), table, given: Vec::new() }
    }

    fn capture(mut self, source: impl BufRead, each: Each<'_>) -> Result<(FileStatus, Part), FlowError> {
        self.status.ended = match Capture::open(source) {
            Err(error) => Some(error.to_string()),
            Ok(mut capture) => loop {
                match capture.next_frame() {
                    Ok(Some(frame)) => {
                        self.frame(&frame);
                        self.hand_on(each)?;
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error.to_string()),
                }
            },
        };
        let given = &mut self.given;
        self.table.borrow_mut().meter.finish(&mut |record| given.push(record));
        self.hand_on(each)?;
        self.decoder.finish();
        let table = self.table.borrow();
        plus(&mut self.status.records, table.records);
        unread(&table.meter, &mut self.status);
        let part = Part::of(&ReceivedStatus::default(), &self.decoder, InletCounts::default());
        Ok((self.status, part))
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        let Self { decoder, table, given, .. } = self;
        let mut table = table.borrow_mut();
        plus(&mut table.frames, 1);
        table.latest = table.latest.max(Some(frame.time));
        let meter = &mut table.meter;
        let mut give = |record| given.push(record);
        let read = frame.link.map(|link| Packet::read(link, frame.bytes));
        let Some(Ok(packet)) = read else { return meter.frame(frame.time, frame.link, frame.bytes, &mut give) };
        let payload = packet.payload(frame.bytes);
        if is_export(&packet, payload) {
            let exporter = SocketAddr::new(packet.source.to_canonical(), packet.source_port);
            decoder.decode(exporter, frame.time, payload, &mut give);
        } else {
            meter.packet(frame.time, &packet, &mut give);
        }
    }

    fn hand_on(&mut self, each: Each<'_>) -> Result<(), FlowError> {
        plus(&mut self.status.records, self.given.len() as u64);
        let Self { given, decoder, .. } = self;
        let so_far = || Part::of(&ReceivedStatus::default(), decoder, InletCounts::default());
        given.drain(..).try_for_each(|record| each(record, &so_far))
    }
}

/// So many of the records were not taken, for they would have made time pass that has not passed.
pub(super) fn leave_out_future(status: &mut FileStatus, records: u64) {
    if records > 0 {
        status.records = status.records.saturating_sub(records);
        plus(status.left_out.entry(FUTURE.to_owned()).or_default(), records);
    }
}

/// Frames that are in no record, by reason.
pub(super) fn unread(meter: &Meter, status: &mut FileStatus) {
    for (reason, frames) in &meter.counts().unread {
        let reason = match reason {
            Unmetered::Link => "a kind of link that is not read".to_owned(),
            Unmetered::Frame(unread) => unread.to_string(),
        };
        plus(status.left_out.entry(reason).or_default(), *frames);
    }
}

fn is_export(packet: &Packet, payload: &[u8]) -> bool {
    let begins = matches!(payload, [0, 5 | 9 | 10, ..] | [0, 0, 0, 5, ..]);
    begins && packet.protocol == UDP && EXPORT_PORTS.contains(&packet.destination_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_first_bytes() {
        assert_eq!(Kind::of(&[0xd4, 0xc3, 0xb2, 0xa1, 2]), Kind::Capture);
        assert_eq!(Kind::of(&[0x0c, 0xa5, 2, 0]), Kind::Nfdump);
        let message = [0, 10, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 4];
        assert_eq!(Kind::of(&message), Kind::Ipfix);
        assert_eq!(Kind::of(b"PAR1\x15\x04"), Kind::Parquet);
        assert_eq!(Kind::of(b"StartTime,Dur,Proto"), Kind::Argus);
        assert_eq!(Kind::of(b"#separator \\x09"), Kind::Zeek);
        assert_eq!(Kind::of(b""), Kind::Zeek);
    }

    #[test]
    fn what_is_no_record_is_counted_with_its_reason_and_an_error_of_the_taker_ends_it() {
        let text = b"#fields\tts\tid.orig_h\n1\n" as &[u8];
        let mut each = |_, _: &dyn Fn() -> Part| Ok(());
        let (status, _) = read_file("log", text, &mut each).expect("read");
        assert_eq!((status.kind.as_str(), status.records), ("zeek", 0));
        assert!(status.left_out.values().sum::<u64>() + u64::from(status.ended.is_some()) > 0, "{status:?}");
    }
}
