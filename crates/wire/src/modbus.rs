//! Modbus/TCP: read device identification (function 43, MEI type 14), the one request that only asks for a name.
//!
//! Follows the MODBUS Application Protocol Specification V1.1b3, section 6.21, and the MODBUS Messaging on TCP/IP
//! Implementation Guide V1.0b (MBAP header). Nothing else of Modbus is ever sent: no register is read or written.
//! Evidence is one response, or several put one after another (basic stream, regular stream, continuations).

use crate::{Field, Malformed, Reader};

/// The longest Modbus/TCP frame: 7 bytes MBAP and 253 of protocol data.
pub const MAX_FRAME_BYTES: usize = 260;

/// The most frames read from one piece of evidence.
pub const MAX_FRAMES: usize = 8;

/// The most objects read from one response.
pub const MAX_OBJECTS: usize = 64;

const MBAP_BYTES: usize = 6;
const FUNCTION: u8 = 0x2B;
const EXCEPTION: u8 = 0x80 | FUNCTION;
const MEI_DEVICE_ID: u8 = 0x0E;

/// How much of the identification is asked for; always as a stream from the first object of the category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Vendor, product code, revision: what every device that supports this must know.
    Basic,
    /// Vendor address, product, model and application names as well.
    Regular,
}

/// The request: transaction and unit are echoed by the device; `object` is 0, or where a response said to go on.
pub fn read_device_identification(transaction: u16, unit: u8, category: Category, object: u8) -> [u8; 11] {
    let [high, low] = transaction.to_be_bytes();
    let code = match category {
        Category::Basic => 1,
        Category::Regular => 2,
    };
    [high, low, 0, 0, 0, 5, unit, FUNCTION, MEI_DEVICE_ID, code, object]
}

/// Whether `bytes` hold the whole of one frame, or can never be one: nothing is gained by waiting.
pub fn complete(bytes: &[u8]) -> bool {
    match Frame::parse(&mut Reader::new(bytes)) {
        Ok(_) => true,
        Err(Malformed::Truncated { .. }) => false,
        Err(_) => true,
    }
}

/// One object of a device's identification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object<'a> {
    /// Which: 0 vendor, 1 product code, 2 revision, 3 vendor address, 4 product, 5 model, 6 application.
    pub id: u8,
    /// The text, as sent.
    pub value: &'a [u8],
    /// Where the text starts in the input.
    pub at: usize,
}

/// What a device answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// It told some objects, and with which object to go on if there are more.
    Identification {
        /// The objects in the order sent.
        objects: Vec<Object<'a>>,
        /// The object to ask for next.
        next: Option<u8>,
    },
    /// It refused with a code: 1 illegal function, 2 illegal address, 3 illegal value, 4 failure, and so on.
    Exception {
        /// The code.
        code: u8,
        /// Where it stands in the input.
        at: usize,
    },
}

/// One Modbus/TCP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The transaction of the request.
    pub transaction: u16,
    /// The unit that answered.
    pub unit: u8,
    /// What it said.
    pub answer: Answer<'a>,
}

impl<'a> Frame<'a> {
    /// Reads one frame and leaves the reader behind it.
    ///
    /// # Errors
    /// When the frame is cut, is no answer to this request, or contradicts its own lengths.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let transaction = reader.u16("Modbus transaction")?;
        let at = reader.at();
        if reader.u16("Modbus protocol")? != 0 {
            return Err(Malformed::Invalid { what: "Modbus protocol", at });
        }
        let length_at = reader.at();
        let length = usize::from(reader.u16("Modbus length")?);
        if !(3..=MAX_FRAME_BYTES - MBAP_BYTES).contains(&length) {
            return Err(Malformed::Invalid { what: "Modbus length", at: length_at });
        }
        let start = reader.at();
        let mut body = Reader::new(reader.take(length, "Modbus frame")?);
        let unit = body.u8("Modbus unit")?;
        let answer = parse_answer(&mut body, start)?;
        Ok(Self { transaction, unit, answer })
    }
}

/// `start` is where the body stands in the input. A body shorter than its own counts is invalid, not truncated: the
/// frame is all there, more bytes would not help.
fn parse_answer<'a>(body: &mut Reader<'a>, start: usize) -> Result<Answer<'a>, Malformed> {
    let invalid = |what| move |_| Malformed::Invalid { what, at: start };
    match body.u8("Modbus function").map_err(invalid("Modbus function"))? {
        EXCEPTION => {
            let at = start + body.at();
            let code = body.u8("Modbus exception").map_err(invalid("Modbus exception"))?;
            Ok(Answer::Exception { code, at })
        }
        FUNCTION => parse_identification(body, start).map_err(|error| match error {
            Malformed::Truncated { what, at } => Malformed::Invalid { what, at },
            other => other,
        }),
        _ => Err(Malformed::Invalid { what: "Modbus function", at: start + 1 }),
    }
}

fn parse_identification<'a>(body: &mut Reader<'a>, start: usize) -> Result<Answer<'a>, Malformed> {
    if body.u8("Modbus MEI type")? != MEI_DEVICE_ID {
        return Err(Malformed::Invalid { what: "Modbus MEI type", at: start + 2 });
    }
    let _category_and_conformity = body.u16("Modbus conformity level")?;
    let more = body.u8("Modbus more follows")?;
    let next_object = body.u8("Modbus next object")?;
    let count_at = start + body.at();
    let count = usize::from(body.u8("Modbus number of objects")?);
    if count > MAX_OBJECTS {
        return Err(Malformed::TooMuch { what: "Modbus number of objects", at: count_at, limit: MAX_OBJECTS });
    }
    let mut objects = Vec::with_capacity(count);
    for _ in 0..count {
        let id = body.u8("Modbus object")?;
        let length = usize::from(body.u8("Modbus object length")?);
        let at = start + body.at();
        objects.push(Object { id, value: body.take(length, "Modbus object value")?, at });
    }
    Ok(Answer::Identification { objects, next: (more == 0xFF).then_some(next_object) })
}

/// The named parts of stored evidence: `modbus.vendor`, `.product-code`, `.revision`, `.vendor-url`, `.product`,
/// `.model`, `.application`, or `.exception` (decimal).
///
/// # Errors
/// When the first frame is no answer to this request; a broken later frame ends the reading.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut found: Vec<Field<'_>> = Vec::new();
    for number in 0..MAX_FRAMES {
        if number > 0 && reader.is_done() {
            break;
        }
        match Frame::parse(&mut reader) {
            Ok(frame) => push_fields(&mut found, bytes, &frame),
            Err(error) if number == 0 => return Err(error),
            Err(error) => {
                found.push(Field::computed("malformed", error.to_string(), reader.at()..bytes.len()));
                break;
            }
        }
    }
    Ok(found)
}

fn push_fields<'a>(found: &mut Vec<Field<'a>>, bytes: &'a [u8], frame: &Frame<'a>) {
    match &frame.answer {
        Answer::Exception { code, at } => {
            found.push(Field::computed("modbus.exception", code.to_string(), *at..at + 1));
        }
        Answer::Identification { objects, .. } => {
            for object in objects {
                let Some(name) = object_field(object.id) else { continue };
                // The regular stream of some devices repeats the basic objects.
                if !found.iter().any(|field| field.name == name) {
                    found.push(Field::borrowed(name, bytes, object.at..object.at + object.value.len()));
                }
            }
        }
    }
}

fn object_field(id: u8) -> Option<&'static str> {
    Some(match id {
        0 => "modbus.vendor",
        1 => "modbus.product-code",
        2 => "modbus.revision",
        3 => "modbus.vendor-url",
        4 => "modbus.product",
        5 => "modbus.model",
        6 => "modbus.application",
        _ => return None,
    })
}

/// Blanks the transaction of each frame; the fields stay the same.
pub fn mask(bytes: &mut [u8]) {
    let mut starts = Vec::new();
    let mut reader = Reader::new(bytes);
    while starts.len() < MAX_FRAMES {
        let start = reader.at();
        if Frame::parse(&mut reader).is_err() {
            break;
        }
        starts.push(start);
    }
    for start in starts {
        if let Some(transaction) = bytes.get_mut(start..start + 2) {
            transaction.fill(0);
        }
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    /// Laid out by hand after the example of section 6.21 of the specification.
    const BASIC: &[u8] = b"\x12\x34\0\0\0\x21\x01\x2B\x0E\x01\x01\0\0\x03\
        \x00\x0ACompany id\x01\x03XYZ\x02\x06V2.11 ";

    #[test]
    fn request_is_the_documented_bytes() {
        let request = read_device_identification(0x1234, 1, Category::Basic, 0);
        assert_eq!(request, *b"\x12\x34\0\0\0\x05\x01\x2B\x0E\x01\0");
    }

    #[test]
    fn basic_identification_is_read() {
        let named: Vec<_> =
            fields(BASIC).expect("fields").iter().map(|f| (f.name.to_string(), f.text().into_owned())).collect();
        let expected = [("modbus.vendor", "Company id"), ("modbus.product-code", "XYZ"), ("modbus.revision", "V2.11 ")];
        assert_eq!(named, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn exception_is_a_field() {
        let found = fields(b"\0\x01\0\0\0\x03\x01\xAB\x01").expect("fields");
        assert_eq!((found[0].name.as_ref(), found[0].text().as_ref()), ("modbus.exception", "1"));
        assert_eq!(found[0].span, 8..9);
    }

    #[test]
    fn frames_after_one_another_are_all_read_and_masked() {
        let regular = b"\x12\x35\0\0\0\x0F\x01\x2B\x0E\x02\x02\0\0\x01\x05\x05M-340";
        let mut both = [BASIC, regular].concat();
        assert_eq!(fields(&both).expect("fields").len(), 4);
        mask(&mut both);
        assert!(both.starts_with(&[0, 0]) && both[BASIC.len()..].starts_with(&[0, 0]));
    }

    #[test]
    fn a_reader_knows_when_to_stop() {
        for end in 0..BASIC.len() {
            assert!(!complete(&BASIC[..end]), "{end} bytes are not all");
        }
        assert!(complete(BASIC));
        assert!(complete(b"HTTP/1.1 400 Bad Request"), "nothing to wait for");
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let lying = b"\0\x01\0\0\0\x0C\x01\x2B\x0E\x01\x01\0\0\x01\0\xFFab";
        assert!(matches!(fields(lying), Err(Malformed::Invalid { .. })));
        assert!(fields(b"\0\x01\0\0\xFF\xFF\x01").is_err());
    }

    #[test]
    fn more_follows_says_where() {
        let frame = b"\0\x01\0\0\0\x0B\x01\x2B\x0E\x01\x01\xFF\x02\x01\0\x01a";
        let parsed = Frame::parse(&mut Reader::new(frame)).expect("a frame");
        assert!(matches!(parsed.answer, Answer::Identification { next: Some(2), .. }));
    }
}
