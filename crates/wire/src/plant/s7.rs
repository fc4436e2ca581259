//! S7 communication: two of the system status lists of a SIMATIC controller (port 102, TCP).
//!
//! Follows RFC 1006 (TPKT), ISO 8073 (COTP class 0, whose end is the end of the connection), and for S7 itself, which
//! Siemens does not publish, Wireshark's dissector and the libnodave and Snap7 sources; the lists are described in
//! Siemens' "System Software for S7-300/400, System and Standard Functions" (SSL 0x0011, 0x001C). No block, variable or
//! clock is read, nothing is written, no password sent. Evidence is the answers to both lists one after another.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

/// The longest answer: the data unit that we offer, and the headers before it.
const MAX_PACKET_BYTES: usize = 1024;
/// The most answers read from one piece of evidence.
const MAX_PACKETS: usize = 4;
/// The most records of a list.
const MAX_RECORDS: usize = 32;

/// COTP connection request, class 0: source TSAP 01.00, destination TSAP 01.02 (a programming device's connection to
/// rack 0, slot 2: where the CPU of an S7-300 sits, and what others are asked under first), TPDUs of 1,024 bytes.
pub const CONNECT: &[u8; 22] = b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02";

/// Setup communication: one job at a time each way, data units of 480 bytes.
pub const SET_UP: &[u8; 25] = b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\0\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0";

/// Reads the list of module identifications: order numbers and versions.
pub const MODULES: &[u8; 33] = &read_list(1, 0x11);
/// Reads the list of component identifications: names and serial numbers.
pub const COMPONENTS: &[u8; 33] = &read_list(2, 0x1C);

const fn read_list(reference: u8, list: u8) -> [u8; 33] {
    [
        3, 0, 0, 33, 2, 0xF0, 0x80, // TPKT, COTP data
        0x32, 7, 0, 0, 0, reference, 0, 8, 0, 8, // user data
        0, 1, 0x12, 4, 0x11, 0x44, 1, 0, // request of the CPU functions: read SZL
        0xFF, 9, 0, 4, 0, list, 0, 0, // list and index
    ]
}

/// Whether a packet is there, or can never be one.
pub fn complete(seen: &[u8]) -> bool {
    !matches!(packet(&mut Reader::new(seen)), Err(Malformed::Truncated { .. }))
}

/// What one packet carries behind the TPKT header.
fn packet<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let at = reader.at();
    if reader.u16("TPKT version")? != 0x0300 {
        return Err(Malformed::Invalid { what: "TPKT version", at });
    }
    let length = usize::from(reader.u16("TPKT length")?);
    if !(7..=MAX_PACKET_BYTES).contains(&length) {
        return Err(Malformed::Invalid { what: "TPKT length", at: at + 2 });
    }
    reader.take(length - 4, "TPKT data")
}

/// Whether this is a connection confirmation of class 0.
pub fn is_connected(answer: &[u8]) -> bool {
    let confirmed = packet(&mut Reader::new(answer));
    confirmed.is_ok_and(|body| matches!(body, [_, 0xD0, _, _, _, _, class, ..] if class & 0xF0 == 0))
}

/// Whether the controller agreed to talk: an acknowledgement without error to [`SET_UP`].
pub fn is_set_up(answer: &[u8]) -> bool {
    let set_up = packet(&mut Reader::new(answer));
    set_up.is_ok_and(|body| matches!(body, [2, 0xF0, 0x80, 0x32, 3, _, _, _, _, _, _, _, _, 0, 0, 0xF0, ..]))
}

/// A list, or the part of it that fitted one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Which.
    pub id: u16,
    /// Where each record stands, its index before it.
    pub records: Vec<(u16, Range<usize>)>,
    /// Where the reference and the sequence number stand, which count requests.
    pub volatile: [Range<usize>; 2],
}

/// Reads the next answer to a request for a list, and leaves the reader behind it.
///
/// # Errors
/// When the bytes are cut, are no such answer, or the controller refused.
pub fn parse(reader: &mut Reader<'_>) -> Result<List, Malformed> {
    let start = reader.at() + 4;
    let body = packet(reader)?;
    // The packet is all there: where its parts are longer than it is, more bytes would not help.
    parse_list(&mut Reader::new(body), start).map_err(|error| match error {
        Malformed::Truncated { what, at } | Malformed::Invalid { what, at } => {
            Malformed::Invalid { what, at: start + at }
        }
        other => other,
    })
}

fn parse_list(body: &mut Reader<'_>, start: usize) -> Result<List, Malformed> {
    let invalid = |what, at| Malformed::Invalid { what, at };
    if body.array("COTP data")? != [2, 0xF0, 0x80] {
        return Err(invalid("COTP data", 0));
    }
    if body.array("S7 header")? != [0x32, 7, 0, 0] {
        return Err(invalid("S7 header", 3));
    }
    let reference = start + body.at()..start + body.at() + 2;
    body.take(2, "S7 reference")?;
    let parameters = usize::from(body.u16("S7 parameter length")?);
    let _data = body.u16("S7 data length")?;
    let parameter_at = body.at();
    let parameter = body.take(parameters, "S7 parameters")?;
    let [0, 1, 0x12, _, 0x12, 0x84, 1, _, _, _, error_high, error_low, ..] = parameter else {
        return Err(invalid("S7 parameters", parameter_at));
    };
    let data_at = body.at();
    let [success, transport]: [u8; 2] = body.array("S7 data")?;
    if (*error_high, *error_low, success, transport) != (0, 0, 0xFF, 9) {
        return Err(invalid("S7 return code", data_at));
    }
    let _length = body.u16("S7 data length")?;
    let id = body.u16("S7 list")?;
    let _index = body.u16("S7 list index")?;
    let records = read_records(body, start)?;
    let sequence = start + parameter_at + 7..start + parameter_at + 8;
    Ok(List { id, records, volatile: [reference, sequence] })
}

fn read_records(body: &mut Reader<'_>, start: usize) -> Result<Vec<(u16, Range<usize>)>, Malformed> {
    let at = body.at();
    let size = usize::from(body.u16("S7 record length")?);
    let count = usize::from(body.u16("S7 number of records")?);
    if size < 2 || count > MAX_RECORDS {
        return Err(Malformed::Invalid { what: "S7 records", at });
    }
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        // A list that is longer than one answer ends inside a record; the rest is not asked for.
        let Ok(index) = body.u16("S7 record index") else { break };
        let at = start + body.at();
        if body.take(size - 2, "S7 record").is_err() {
            break;
        }
        records.push((index, at..at + size - 2));
    }
    Ok(records)
}

fn lists(input: &[u8]) -> impl Iterator<Item = Result<List, Malformed>> {
    let mut reader = Reader::new(input);
    let mut broken = false;
    std::iter::from_fn(move || {
        if broken || reader.is_done() {
            return None;
        }
        let list = parse(&mut reader);
        broken = list.is_err();
        Some(list)
    })
    .take(MAX_PACKETS)
}

/// Whether it begins with a list.
pub(super) fn is_answer(input: &[u8]) -> bool {
    parse(&mut Reader::new(input)).is_ok()
}

const MODULE_LIST: u16 = 0x11;
const COMPONENT_LIST: u16 = 0x1C;
/// Records of the list of modules: the module itself, and its firmware.
const MODULE: u16 = 1;
const FIRMWARE: u16 = 7;
/// Parts of such a record behind its index: order number, and the bytes of a version.
const ORDER_NUMBER: Range<usize> = 0..20;
const VERSION: Range<usize> = 22..26;
/// Records of the list of components, and their fields.
const COMPONENTS_TOLD: &[(u16, &str)] =
    &[(1, "s7.system"), (2, "s7.module"), (5, "s7.serial"), (7, "s7.module-type"), (10, "s7.oem")];
/// Behind a component's text there may be what is not text.
const COMPONENT_TEXT_BYTES: usize = 24;

/// `s7.order-number`, `.firmware` (as `3.2.6`), `.system`, `.module`, `.serial`, `.module-type`, `.oem`.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    for read in lists(input) {
        match read {
            Ok(told) if told.id == MODULE_LIST => push_modules(list, input, &told),
            Ok(told) if told.id == COMPONENT_LIST => push_components(list, input, &told),
            Ok(_) => {}
            Err(error) => list.malformed(&error),
        }
    }
}

fn push_modules<'a>(list: &mut Fields<'a>, input: &'a [u8], told: &List) {
    let part = |record: &Range<usize>, range: &Range<usize>| {
        let end = (record.start + range.end).min(record.end);
        (record.start + range.start).min(end)..end
    };
    if let Some((_, record)) = told.records.iter().find(|(index, _)| *index == MODULE) {
        list.span("s7.order-number", super::unpadded(input, part(record, &ORDER_NUMBER)));
    }
    if let Some((_, record)) = told.records.iter().find(|(index, _)| *index == FIRMWARE) {
        let range = part(record, &VERSION);
        if let [b'V', major, minor, patch] = get(input, range.clone()) {
            list.value("s7.firmware", format!("{major}.{minor}.{patch}").into_bytes().into(), range);
        }
    }
}

fn push_components<'a>(list: &mut Fields<'a>, input: &'a [u8], told: &List) {
    for (index, name) in COMPONENTS_TOLD {
        let Some((_, record)) = told.records.iter().find(|(of, _)| of == index) else { continue };
        let end = record.end.min(record.start + COMPONENT_TEXT_BYTES);
        let text = super::unpadded(input, record.start..end);
        // The record of an OEM begins with numbers where there is none.
        if get(input, text.clone()).iter().all(|byte| (b' '..0x7F).contains(byte)) {
            list.span(name, text);
        }
    }
}

/// The numbers by which controller and we count.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    lists(input).filter_map(Result::ok).flat_map(|list| list.volatile).collect()
}
