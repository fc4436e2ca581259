//! KNXnet/IP: DESCRIPTION_REQUEST (port 3671, UDP).
//!
//! Follows ISO 22510 and the KNX Standard, 3/8/1 (header, HPAI) and 3/8/2 (core: description request and response,
//! description information blocks). No tunnel is connected and nothing is sent onto the bus. The answer comes back to
//! where the question came from, as the standard has it for address translation; it is about five times as long, and
//! the request's length is fixed.

use std::ops::Range;

use data_encoding::HEXLOWER;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

/// Header, and an address of zeros: answer where this came from.
pub const DESCRIBE: &[u8; 14] = b"\x06\x10\x02\x03\x00\x0e\x08\x01\0\0\0\0\0\0";

/// Header length, version, DESCRIPTION_RESPONSE.
const ANSWER: [u8; 4] = [0x06, 0x10, 0x02, 0x04];
const HEADER_BYTES: usize = 6;

/// The most of a description that is read.
const MAX_BYTES: usize = 1024;

/// The most blocks of a description.
const MAX_BLOCKS: usize = 16;

/// The block that describes the device: its type and length.
const DEVICE: u8 = 1;
const DEVICE_BYTES: usize = 54;
/// Parts of it: individual address, serial number, Ethernet address, friendly name.
const ADDRESS: Range<usize> = 4..6;
const SERIAL: Range<usize> = 8..14;
const MAC: Range<usize> = 18..24;
const NAME: Range<usize> = 24..54;
/// The block that names the maker, and where it does.
const MANUFACTURER: u8 = 0xFE;
const MANUFACTURER_ID: Range<usize> = 2..4;

/// What a device describes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Where the block of the device stands.
    pub device: Range<usize>,
    /// Where the maker's number stands, if it tells one.
    pub manufacturer: Option<Range<usize>>,
}

/// Reads a description.
///
/// # Errors
/// When the bytes are cut, are no description, or have no block of a device.
pub fn parse(bytes: &[u8]) -> Result<Description, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.array("KNXnet/IP header")? != ANSWER {
        return Err(Malformed::Invalid { what: "KNXnet/IP header", at: 0 });
    }
    let length = usize::from(reader.u16("KNXnet/IP length")?);
    if !(HEADER_BYTES..=MAX_BYTES).contains(&length) {
        return Err(Malformed::Invalid { what: "KNXnet/IP length", at: 4 });
    }
    let mut blocks = Reader::new(reader.take(length - HEADER_BYTES, "KNXnet/IP description")?);
    let mut device = None;
    let mut manufacturer = None;
    for _ in 0..MAX_BLOCKS {
        if blocks.is_done() {
            break;
        }
        let at = HEADER_BYTES + blocks.at();
        // The description is all there: where its blocks are longer, more bytes would not help.
        let short = |_| Malformed::Invalid { what: "KNXnet/IP block", at };
        let size = usize::from(blocks.u8("KNXnet/IP block").map_err(short)?);
        let rest = blocks.take(size.saturating_sub(1), "KNXnet/IP block").map_err(short)?;
        match rest.first() {
            Some(&DEVICE) if size == DEVICE_BYTES => device = device.or(Some(at..at + size)),
            Some(&MANUFACTURER) if size >= MANUFACTURER_ID.end => {
                manufacturer = Some(at + MANUFACTURER_ID.start..at + MANUFACTURER_ID.end);
            }
            Some(_) => {}
            None => return Err(Malformed::Invalid { what: "KNXnet/IP block", at }),
        }
    }
    let device = device.ok_or(Malformed::Invalid { what: "KNXnet/IP device", at: HEADER_BYTES })?;
    Ok(Description { device, manufacturer })
}

pub(super) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// `knx.address` (as `1.1.5`), `knx.serial` (hex), `knx.mac`, `knx.name`, `knx.manufacturer` (hex).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok(Description { device, manufacturer }) = parse(input) else { return };
    let part = |range: Range<usize>| device.start + range.start..device.start + range.end;
    if let [high, low] = get(input, part(ADDRESS)) {
        let text = format!("{}.{}.{low}", high >> 4, high & 0x0F);
        list.value("knx.address", text.into_bytes().into(), part(ADDRESS));
    }
    let mut hexadecimal = |name: &'static str, range: Range<usize>| {
        list.value(name, HEXLOWER.encode(get(input, range.clone())).into_bytes().into(), range);
    };
    hexadecimal("knx.serial", part(SERIAL));
    if let Some(range) = manufacturer {
        hexadecimal("knx.manufacturer", range);
    }
    let octets: Vec<String> = get(input, part(MAC)).iter().map(|byte| format!("{byte:02x}")).collect();
    list.value("knx.mac", octets.join(":").into_bytes().into(), part(MAC));
    let name = super::unpadded(input, part(NAME));
    let text: String = get(input, name.clone()).iter().map(|byte| char::from(*byte)).collect();
    list.value("knx.name", text.into_bytes().into(), name);
}

/// Nothing: the programming mode is a switch that somebody holds.
pub(super) fn volatile(_input: &[u8]) -> Vec<Range<usize>> {
    Vec::new()
}
