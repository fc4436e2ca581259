//! ECHONET Lite: one Get of a node's profile object, the protocol of Japanese homes' energy equipment (port 3610).
//!
//! Follows the ECHONET Lite Specification, part 2: frame format (section 3.2), node profile class `0x0EF0` (section
//! 6.11). Only reads: no Set, no notification request. Over UDP the specification lets nodes send every frame, answers
//! too, to port 3610: who asks from another port will not hear all of them.

use crate::{Field, Malformed, Reader};

/// The most properties read from one frame.
pub const MAX_PROPERTIES: usize = 64;

/// The most instances of a list: what fits the specification's 253 bytes.
pub const MAX_INSTANCES: usize = 84;

/// EHD1 says ECHONET Lite, EHD2 says the specified message format.
const HEADER: u16 = 0x1081;
/// A controller, which is what asks.
const CONTROLLER: [u8; 3] = [0x05, 0xFF, 0x01];
const NODE_PROFILE: [u8; 3] = [0x0E, 0xF0, 0x01];
/// A node that only sends has instance 2.
const NODE_PROFILE_CLASS: [u8; 2] = [0x0E, 0xF0];
const GET: u8 = 0x62;
const GET_RESPONSE: u8 = 0x72;
/// Some of the properties could not be given; those have no data.
const GET_REFUSED: u8 = 0x52;

const VERSION: u8 = 0x82;
const IDENTIFICATION: u8 = 0x83;
const MANUFACTURER: u8 = 0x8A;
const PRODUCT_CODE: u8 = 0x8C;
const INSTANCES: u8 = 0xD6;
const ASKED: [u8; 5] = [INSTANCES, VERSION, IDENTIFICATION, MANUFACTURER, PRODUCT_CODE];

/// The request; the node echoes `transaction`.
pub fn get_node_profile(transaction: u16) -> Vec<u8> {
    let mut frame = HEADER.to_be_bytes().to_vec();
    frame.extend(transaction.to_be_bytes());
    frame.extend(CONTROLLER);
    frame.extend(NODE_PROFILE);
    frame.extend([GET, 5]);
    for property in ASKED {
        frame.extend([property, 0]);
    }
    frame
}

/// Whether `bytes` hold the whole of one frame, or can never be one: for TCP, where a frame may come in parts.
pub fn complete(bytes: &[u8]) -> bool {
    !matches!(Frame::parse(bytes), Err(Malformed::Truncated { .. }))
}

/// One property of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property<'a> {
    /// Which (EPC).
    pub code: u8,
    /// Its data (EDT); empty when the node would not tell.
    pub data: &'a [u8],
    /// Where the data starts in the input.
    pub at: usize,
}

/// A response to Get from a node profile object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The transaction of the request.
    pub transaction: u16,
    /// The object that answers: class group, class, instance.
    pub source: [u8; 3],
    /// Whether the node refused some properties.
    pub partial: bool,
    /// In the order sent.
    pub properties: Vec<Property<'a>>,
}

impl<'a> Frame<'a> {
    /// Reads a frame; what follows it is left alone.
    ///
    /// # Errors
    /// When the bytes are cut, or are not an answer to our request.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.u16("ECHONET Lite header")? != HEADER {
            return Err(Malformed::Invalid { what: "ECHONET Lite header", at: 0 });
        }
        let transaction = reader.u16("ECHONET Lite transaction")?;
        let source_at = reader.at();
        let source: [u8; 3] = reader.array("ECHONET Lite source object")?;
        if !source.starts_with(&NODE_PROFILE_CLASS) {
            return Err(Malformed::Invalid { what: "ECHONET Lite source object", at: source_at });
        }
        reader.take(3, "ECHONET Lite destination object")?;
        let service_at = reader.at();
        let partial = match reader.u8("ECHONET Lite service")? {
            GET_RESPONSE => false,
            GET_REFUSED => true,
            _ => return Err(Malformed::Invalid { what: "ECHONET Lite service", at: service_at }),
        };
        Ok(Self { transaction, source, partial, properties: parse_properties(&mut reader)? })
    }

    /// The property of this code, if the node told it.
    pub fn property(&self, code: u8) -> Option<&Property<'a>> {
        self.properties.iter().find(|property| property.code == code && !property.data.is_empty())
    }

    /// The classes of the devices behind this node, group and class code, each once, in the order listed.
    pub fn classes(&self) -> Vec<[u8; 2]> {
        let Some(list) = self.property(INSTANCES) else { return Vec::new() };
        let objects = list.data.get(1..).unwrap_or_default();
        let mut classes: Vec<[u8; 2]> = Vec::new();
        for object in objects.chunks_exact(3).take(MAX_INSTANCES) {
            let [group, class, _instance] = object else { continue };
            if !classes.contains(&[*group, *class]) {
                classes.push([*group, *class]);
            }
        }
        classes
    }
}

fn parse_properties<'a>(reader: &mut Reader<'a>) -> Result<Vec<Property<'a>>, Malformed> {
    let count_at = reader.at();
    let count = usize::from(reader.u8("ECHONET Lite property count")?);
    if count > MAX_PROPERTIES {
        return Err(Malformed::TooMuch { what: "ECHONET Lite property count", at: count_at, limit: MAX_PROPERTIES });
    }
    let mut properties = Vec::with_capacity(count);
    for _ in 0..count {
        let code = reader.u8("ECHONET Lite property")?;
        let length = usize::from(reader.u8("ECHONET Lite property length")?);
        let at = reader.at();
        properties.push(Property { code, data: reader.take(length, "ECHONET Lite property data")?, at });
    }
    Ok(properties)
}

/// The named parts of stored evidence: `echonet.manufacturer` and `.id` in hexadecimal, `.version` as `1.13`,
/// `.instances` as `0279,027d`, `.product-code` as text.
///
/// # Errors
/// When the bytes are not a node profile's answer.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let frame = Frame::parse(bytes)?;
    let span = |property: &Property<'_>| property.at..property.at + property.data.len();
    let mut found = Vec::new();
    if let Some(property) = frame.property(MANUFACTURER) {
        found.push(Field::computed("echonet.manufacturer", hexadecimal(property.data), span(property)));
    }
    if let Some(property) = frame.property(VERSION)
        && let [major, minor, ..] = property.data
    {
        found.push(Field::computed("echonet.version", format!("{major}.{minor}"), span(property)));
    }
    if let Some(property) = frame.property(INSTANCES) {
        let classes: Vec<String> = frame.classes().iter().map(|class| hexadecimal(class)).collect();
        found.push(Field::computed("echonet.instances", classes.join(","), span(property)));
    }
    if let Some(property) = frame.property(PRODUCT_CODE) {
        let padding = |byte: &u8| matches!(byte, 0 | b' ');
        let end = property.data.iter().rposition(|byte| !padding(byte)).map_or(0, |last| last + 1);
        found.push(Field::borrowed("echonet.product-code", bytes, property.at..property.at + end));
    }
    if let Some(property) = frame.property(IDENTIFICATION) {
        found.push(Field::computed("echonet.id", hexadecimal(property.data), span(property)));
    }
    Ok(found)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Blanks the transaction; the fields stay the same.
pub fn mask(bytes: &mut [u8]) {
    if Frame::parse(bytes).is_err() {
        return;
    }
    if let Some(transaction) = bytes.get_mut(2..4) {
        transaction.fill(0);
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    /// Laid out by hand after the specification: a gateway with a solar panel (0279) and two lights (0290).
    const ANSWER: &[u8] = b"\x10\x81\x00\x07\x0E\xF0\x01\x05\xFF\x01\x72\x05\
        \xD6\x0A\x03\x02\x79\x01\x02\x90\x01\x02\x90\x02\
        \x82\x04\x01\x0D\x01\x00\
        \x83\x11\xFE\x00\x00\x77\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xAA\xBB\xCC\
        \x8A\x03\x00\x00\x77\
        \x8C\x0CGW-1\0\0\0\0\0\0\0\0";

    #[test]
    fn request_is_the_documented_bytes() {
        let expected = b"\x10\x81\x00\x07\x05\xFF\x01\x0E\xF0\x01\x62\x05\xD6\0\x82\0\x83\0\x8A\0\x8C\0";
        assert_eq!(get_node_profile(7), expected);
    }

    #[test]
    fn node_profile_is_read() {
        let named: Vec<_> =
            fields(ANSWER).expect("fields").iter().map(|f| (f.name.to_string(), f.text().into_owned())).collect();
        let expected = [
            ("echonet.manufacturer", "000077"),
            ("echonet.version", "1.13"),
            ("echonet.instances", "0279,0290"),
            ("echonet.product-code", "GW-1"),
            ("echonet.id", "fe00007700112233445566778899aabbcc"),
        ];
        assert_eq!(named, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn refused_properties_are_no_fields() {
        let refused = b"\x10\x81\x00\x07\x0E\xF0\x01\x05\xFF\x01\x52\x02\x8A\x03\x00\x00\x77\x8C\x00";
        assert_eq!(fields(refused).expect("fields").len(), 1);
        assert!(Frame::parse(refused).expect("a frame").partial);
    }

    #[test]
    fn mask_blanks_the_transaction() {
        let mut masked = ANSWER.to_vec();
        mask(&mut masked);
        assert_eq!(Frame::parse(&masked).expect("a frame").transaction, 0);
        assert_eq!(masked[4..], ANSWER[4..]);
    }

    #[test]
    fn a_reader_knows_when_to_stop() {
        for end in 0..ANSWER.len() {
            assert!(!complete(&ANSWER[..end]));
        }
        assert!(complete(ANSWER) && complete(b"GET / HTTP/1.0"));
    }
}
