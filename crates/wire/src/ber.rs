//! As much of ASN.1 BER (X.690) as SNMP and LDAP need: definite lengths, low tag numbers, no recursion.

use std::ops::Range;

use crate::{Malformed, Reader};

/// The most bytes of a length: more would be longer than any datagram.
const MAX_LENGTH_BYTES: u8 = 4;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const OBJECT_ID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// One element: its tag, and where its content stands in the whole input.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) tag: u8,
    pub(crate) content: Range<usize>,
}

/// Reads the elements of one range of the input, front to back.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    input: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Elements<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0, end: input.len() }
    }

    /// The elements inside another.
    pub(crate) fn inside(&self, element: &Element) -> Self {
        Self { input: self.input, at: element.content.start, end: element.content.end }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    pub(crate) fn next(&mut self, what: &'static str) -> Result<Element, Malformed> {
        let start = self.at;
        let shift = |error| match error {
            Malformed::Truncated { what, at } => Malformed::Truncated { what, at: at + start },
            other => other,
        };
        let mut reader = Reader::new(self.input.get(start..self.end).unwrap_or_default());
        let tag = reader.u8(what).map_err(shift)?;
        if tag & 0x1F == 0x1F {
            return Err(Malformed::Invalid { what, at: start });
        }
        let length = length(&mut reader, what, start).map_err(shift)?;
        let content = start + reader.at();
        reader.take(length, what).map_err(shift)?;
        self.at = start + reader.at();
        Ok(Element { tag, content: content..self.at })
    }

    pub(crate) fn expect(&mut self, tag: u8, what: &'static str) -> Result<Element, Malformed> {
        let at = self.at;
        let element = self.next(what)?;
        if element.tag == tag { Ok(element) } else { Err(Malformed::Invalid { what, at }) }
    }

    /// An integer of up to eight bytes; encodings with leading zeros are read too, masked evidence has them.
    pub(crate) fn integer(&mut self, what: &'static str) -> Result<(i64, Range<usize>), Malformed> {
        let element = self.expect(INTEGER, what)?;
        let at = element.content.start;
        let bytes = self.bytes(&element);
        let (Some(first), true) = (bytes.first(), bytes.len() <= 8) else {
            return Err(Malformed::Invalid { what, at });
        };
        let sign = if *first >= 0x80 { -1 } else { 0 };
        let value = bytes.iter().fold(sign, |sum: i64, byte| sum << 8 | i64::from(*byte));
        Ok((value, element.content))
    }

    pub(crate) fn bytes(&self, element: &Element) -> &'a [u8] {
        self.input.get(element.content.clone()).unwrap_or_default()
    }
}

fn length(reader: &mut Reader<'_>, what: &'static str, start: usize) -> Result<usize, Malformed> {
    let first = reader.u8(what)?;
    if first < 0x80 {
        return Ok(usize::from(first));
    }
    let count = first & 0x7F;
    // Zero would be the indefinite form, which neither uses (RFC 3417 section 8, RFC 4511 section 5.1).
    if count == 0 || count > MAX_LENGTH_BYTES {
        return Err(Malformed::Invalid { what, at: start + 1 });
    }
    let mut length = 0;
    for _ in 0..count {
        length = length << 8 | usize::from(reader.u8(what)?);
    }
    Ok(length)
}

/// An element of up to 65,535 bytes of content, its length in the shortest form; what is longer is cut.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let mut encoded = vec![tag];
    match length.to_be_bytes() {
        [0, low] if low < 0x80 => encoded.push(low),
        [0, low] => encoded.extend([0x81, low]),
        [high, low] => encoded.extend([0x82, high, low]),
    }
    encoded.extend(content.iter().take(usize::from(length)));
    encoded
}

/// A constructed element of these parts.
pub(crate) fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// An integer in its shortest form.
pub(crate) fn integer(value: i32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let mut content: &[u8] = &bytes;
    while let [0, next @ 0..=0x7F, ..] | [0xFF, next @ 0x80..=0xFF, ..] = content {
        let _ = next;
        content = content.get(1..).unwrap_or_default();
    }
    element(INTEGER, content)
}
