//! DNP3 (IEEE 1815): REQUEST_LINK_STATUS, the data link layer's question whether a station is there (port 20000).
//!
//! Follows IEEE 1815-2012, clause 9 (data link layer: FT3 frames, control octet, self-address) and 13 (TCP). Checked
//! against the public sources of opendnp3. A station answers only to its own address, which nobody tells; it is asked
//! under the address reserved for a station that does not know its own, and under the two that are set most. Stations
//! pass over frames to others. The transport and application layers, where data and controls are, are never entered.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

const START: u16 = 0x0564;
/// Of a frame without user data: control, two addresses.
const LENGTH: u8 = 5;
/// From the primary station, which is the master.
const REQUEST_LINK_STATUS: u8 = 0xC9;
/// From the secondary station; the bit for "busy" may be set.
const LINK_STATUS: u8 = 0x0B;
const NOT_SUPPORTED: u8 = 0x0F;
const BUSY: u8 = 0x10;

/// The self-address (9.2.5), which a station answers to where it was set to do so, and what stations are usually given.
const STATIONS: [u16; 3] = [0xFFFC, 1, 10];
/// Ours: what masters are usually given.
const MASTER: u16 = 1;

/// A frame without user data.
const FRAME_BYTES: usize = 10;

/// One frame for each address that is asked.
pub fn request_link_status() -> Vec<u8> {
    STATIONS.iter().flat_map(|station| frame(REQUEST_LINK_STATUS, *station, MASTER)).collect()
}

fn frame(control: u8, destination: u16, source: u16) -> Vec<u8> {
    let mut bytes = START.to_be_bytes().to_vec();
    bytes.extend([LENGTH, control]);
    bytes.extend(destination.to_le_bytes());
    bytes.extend(source.to_le_bytes());
    let check = checksum(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes
}

/// The check of 9.2.4: x^16+x^13+x^12+x^11+x^10+x^8+x^6+x^5+x^2+1, lowest bit first, the result inverted.
fn checksum(bytes: &[u8]) -> u16 {
    let step = |rest: u16, _| if rest & 1 == 1 { rest >> 1 ^ 0xA6BC } else { rest >> 1 };
    !bytes.iter().fold(0, |rest, byte| (0..8).fold(rest ^ u16::from(*byte), step))
}

/// Whether an answer is there, or can never be one.
pub fn complete(seen: &[u8]) -> bool {
    !matches!(parse(seen), Err(Malformed::Truncated { .. }))
}

/// What a station answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its address.
    pub station: u16,
    /// Whether it tells its status; if not, it says that it does not know how.
    pub supported: bool,
}

/// Where the station's address stands.
const SOURCE: Range<usize> = 6..8;

/// Reads the first frame.
///
/// # Errors
/// When the bytes are cut, are no answer of a station to this request, or the check is wrong.
pub fn parse(bytes: &[u8]) -> Result<Status, Malformed> {
    let mut reader = Reader::new(bytes);
    let invalid = |what, at| Err(Malformed::Invalid { what, at });
    if reader.u16("DNP3 start")? != START {
        return invalid("DNP3 start", 0);
    }
    if reader.u8("DNP3 length")? != LENGTH {
        return invalid("DNP3 length", 2);
    }
    let supported = match reader.u8("DNP3 control")? & !BUSY {
        LINK_STATUS => true,
        NOT_SUPPORTED => false,
        _ => return invalid("DNP3 control", 3),
    };
    let _master = reader.u16("DNP3 destination")?;
    let station = u16::from_le_bytes(reader.array("DNP3 source")?);
    let check = u16::from_le_bytes(reader.array("DNP3 check")?);
    if check != checksum(get(bytes, 0..FRAME_BYTES - 2)) {
        return invalid("DNP3 check", FRAME_BYTES - 2);
    }
    Ok(Status { station, supported })
}

pub(super) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// `dnp3.station` (decimal).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    if let Ok(status) = parse(input) {
        list.value("dnp3.station", status.station.to_string().into_bytes().into(), SOURCE);
    }
}

/// Nothing: being busy is rare, and under the check.
pub(super) fn volatile(_input: &[u8]) -> Vec<Range<usize>> {
    Vec::new()
}
