//! EtherNet/IP: ListIdentity, which every device answers without a session (port 44818, TCP and UDP).
//!
//! Follows the CIP Networks Library, volume 2, EtherNet/IP Adaptation of CIP: encapsulation header (section 2-3),
//! ListIdentity (2-4.3), common packet format (2-6), and volume 1 for the identity object (5-2). Checked against the
//! public sources of OpENer and Wireshark's dissector. No session is registered, so none has to be ended. Over UDP the
//! answer is about three times the request; the specification gives the request a length of zero.

use std::borrow::Cow;
use std::ops::Range;

use crate::fields::Fields;
use crate::{Malformed, Reader};

/// The most of an answer that is waited for: header and one item with the longest name.
pub const MAX_ANSWER_BYTES: usize = 512;

/// The most items of the common packet format that are looked at.
const MAX_ITEMS: u16 = 8;

const HEADER_BYTES: usize = 24;
const LIST_IDENTITY: u16 = 0x0063;
const IDENTITY_ITEM: u16 = 0x000C;
/// Where the sender's context stands, which a device echoes.
const CONTEXT: Range<usize> = 12..20;

/// The request. `mark` comes back in the answer.
///
/// The context begins with the longest delay before a broadcast's answer in milliseconds; zero would mean two seconds,
/// one means the least there is.
pub fn list_identity(mark: u16) -> [u8; HEADER_BYTES] {
    let mut request = [0; HEADER_BYTES];
    let [command, _] = LIST_IDENTITY.to_le_bytes();
    let [low, high] = mark.to_le_bytes();
    let parts = [(0, command), (12, 1), (14, low), (15, high)];
    for (at, byte) in parts {
        request.get_mut(at..=at).unwrap_or_default().fill(byte);
    }
    request
}

/// Whether the answer is there, or can never be one.
pub fn complete(seen: &[u8]) -> bool {
    seen.len() >= MAX_ANSWER_BYTES || !matches!(parse(seen), Err(Malformed::Truncated { .. }))
}

/// What a device says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The maker's number at ODVA.
    pub vendor: u16,
    /// The kind of device: 14 is a controller, 12 a communications adapter, and so on.
    pub device_type: u16,
    /// The maker's number of the product.
    pub product_code: u16,
    /// Major and minor revision.
    pub revision: (u8, u8),
    /// The serial number of the device.
    pub serial: u32,
    /// The product's name, as sent.
    pub name: &'a [u8],
    /// Where the identity's attributes begin in the input.
    pub at: usize,
}

/// Where the attributes stand, counted from the vendor's number.
const VENDOR: Range<usize> = 0..2;
const DEVICE_TYPE: Range<usize> = 2..4;
const PRODUCT_CODE: Range<usize> = 4..6;
const REVISION: Range<usize> = 6..8;
const STATUS: Range<usize> = 8..10;
const SERIAL: Range<usize> = 10..14;
const NAME: usize = 15;

/// Reads an answer to [`list_identity`].
///
/// # Errors
/// When the bytes are cut, are no such answer, or contradict their own lengths.
pub fn parse(bytes: &[u8]) -> Result<Identity<'_>, Malformed> {
    let mut reader = Reader::new(bytes);
    if little16(&mut reader, "ENIP command")? != LIST_IDENTITY {
        return Err(Malformed::Invalid { what: "ENIP command", at: 0 });
    }
    let length = usize::from(little16(&mut reader, "ENIP length")?);
    if length > MAX_ANSWER_BYTES - HEADER_BYTES {
        let limit = MAX_ANSWER_BYTES - HEADER_BYTES;
        return Err(Malformed::TooMuch { what: "ENIP length", at: 2, limit });
    }
    if reader.take(8, "ENIP session and status")?.iter().any(|byte| *byte != 0) {
        return Err(Malformed::Invalid { what: "ENIP session and status", at: 4 });
    }
    reader.take(CONTEXT.len() + 4, "ENIP context and options")?;
    let mut items = Reader::new(reader.take(length, "ENIP items")?);
    find_identity(&mut items).map_err(|error| within(error, HEADER_BYTES))
}

/// The packet is all there: where its parts are longer than it is, more bytes would not help.
fn within(error: Malformed, start: usize) -> Malformed {
    match error {
        Malformed::Truncated { what, at } | Malformed::Invalid { what, at } => {
            Malformed::Invalid { what, at: start + at }
        }
        other => other,
    }
}

fn find_identity<'a>(items: &mut Reader<'a>) -> Result<Identity<'a>, Malformed> {
    let count = little16(items, "ENIP number of items")?;
    for _ in 0..count.min(MAX_ITEMS) {
        let kind = little16(items, "ENIP item")?;
        let length = usize::from(little16(items, "ENIP item length")?);
        let start = items.at();
        let item = items.take(length, "ENIP item data")?;
        if kind == IDENTITY_ITEM {
            return read_identity(item).map_err(|error| within(error, start)).map(|mut identity| {
                identity.at += HEADER_BYTES + start;
                identity
            });
        }
    }
    Err(Malformed::Invalid { what: "ENIP identity item", at: 0 })
}

fn read_identity(item: &[u8]) -> Result<Identity<'_>, Malformed> {
    let mut reader = Reader::new(item);
    let _version = little16(&mut reader, "ENIP version")?;
    let _socket_address: [u8; 16] = reader.array("ENIP socket address")?;
    let at = reader.at();
    let vendor = little16(&mut reader, "ENIP vendor")?;
    let device_type = little16(&mut reader, "ENIP device type")?;
    let product_code = little16(&mut reader, "ENIP product code")?;
    let [major, minor] = reader.array("ENIP revision")?;
    let _status = little16(&mut reader, "ENIP status")?;
    let serial = u32::from_le_bytes(reader.array("ENIP serial number")?);
    let length = usize::from(reader.u8("ENIP name length")?);
    let name = reader.take(length, "ENIP name")?;
    Ok(Identity { vendor, device_type, product_code, revision: (major, minor), serial, name, at })
}

fn little16(reader: &mut Reader<'_>, what: &'static str) -> Result<u16, Malformed> {
    reader.array(what).map(u16::from_le_bytes)
}

/// Whether the header is that of an answer to ListIdentity, as far as it goes: all of it and one item.
pub(super) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// `enip.vendor`, `.device-type`, `.product-code` (decimal), `.revision` (as `32.11`), `.serial` (hex), `.product`.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok(identity) = parse(input) else { return };
    let part = |range: Range<usize>| identity.at + range.start..identity.at + range.end;
    let mut number = |name: &'static str, text: String, range: Range<usize>| {
        list.value(name, Cow::Owned(text.into_bytes()), part(range));
    };
    number("enip.vendor", identity.vendor.to_string(), VENDOR);
    number("enip.device-type", identity.device_type.to_string(), DEVICE_TYPE);
    number("enip.product-code", identity.product_code.to_string(), PRODUCT_CODE);
    let (major, minor) = identity.revision;
    number("enip.revision", format!("{major}.{minor}"), REVISION);
    number("enip.serial", format!("{:08x}", identity.serial), SERIAL);
    list.span("enip.product", super::unpadded(input, part(NAME..NAME + identity.name.len())));
}

/// What we sent along, what the device is doing at the moment, and its state, which says the same in short.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let Ok(identity) = parse(input) else { return Vec::new() };
    let state = identity.at + NAME + identity.name.len();
    let status = identity.at + STATUS.start..identity.at + STATUS.end;
    [CONTEXT, status, state..state + 1].into_iter().filter(|range| range.end <= input.len()).collect()
}
