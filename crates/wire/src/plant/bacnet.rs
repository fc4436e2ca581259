//! BACnet/IP: what the device object says of itself (port 47808, UDP).
//!
//! Follows ANSI/ASHRAE 135: BACnet/IP (annex J), network layer (clause 6), ReadProperty and ReadPropertyMultiple
//! (15.5, 15.7), encoding of tags (20.2), error codes (21). Checked against the public sources of the BACnet stack for
//! C and of bacpypes. The device is asked under the instance 4194303, which stands for whoever is asked. Nothing is
//! broadcast, subscribed or written. An answer is three to six times as long as its request: the specification has no
//! padding.

use std::ops::Range;

use crate::fields::Fields;
use crate::{Malformed, Reader};

/// The longest BACnet/IP message.
pub const MAX_MESSAGE_BYTES: usize = 1497;

/// The most messages read from one piece of evidence: the answers to one question each, one after another.
pub const MAX_MESSAGES: usize = 8;

/// The most properties read from one message.
const MAX_PROPERTIES: usize = 16;

const BACNET_IP: u8 = 0x81;
const UNICAST: u8 = 0x0A;
/// Who forwards for a device behind a router puts its address before the message.
const FORWARDED: u8 = 0x04;
const VERSION: u8 = 1;
const EXPECTS_REPLY: u8 = 4;

const READ_PROPERTY: u8 = 12;
const READ_MULTIPLE: u8 = 14;
/// One segment, up to 1,476 bytes: what fits one datagram.
const MAX_ANSWER: u8 = 5;
/// The device object under the instance that stands for any.
const ANY_DEVICE: [u8; 5] = [0x0C, 0x02, 0x3F, 0xFF, 0xFF];

/// A property of the device object that says what the device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// The maker.
    VendorName,
    /// The model.
    ModelName,
    /// The firmware's revision.
    Firmware,
    /// The revision of the application that runs on it.
    Software,
    /// The name that whoever installed it gave it.
    ObjectName,
    /// The maker's number at ASHRAE.
    VendorIdentifier,
}

/// Every property that is asked for, with its number (clause 21) and its field.
const PROPERTIES: &[(Property, u8, &str)] = &[
    (Property::VendorName, 121, "bacnet.vendor"),
    (Property::ModelName, 70, "bacnet.model"),
    (Property::Firmware, 44, "bacnet.firmware"),
    (Property::Software, 12, "bacnet.software"),
    (Property::ObjectName, 77, "bacnet.name"),
    (Property::VendorIdentifier, 120, "bacnet.vendor-id"),
];

impl Property {
    /// Every property that is worth asking for one by one, the most telling first.
    pub fn telling() -> impl Iterator<Item = Self> {
        [Self::VendorName, Self::ModelName, Self::Firmware, Self::Software, Self::ObjectName].into_iter()
    }

    fn number(self) -> u8 {
        PROPERTIES.iter().find(|(property, ..)| *property == self).map_or(0, |(_, number, _)| *number)
    }
}

/// Asks for all of them at once. Small devices do not know how; they refuse, and take [`read_property`].
pub fn read_all(invoke: u8) -> Vec<u8> {
    let mut service = ANY_DEVICE.to_vec();
    service.push(0x1E);
    for (_, number, _) in PROPERTIES {
        service.extend([0x09, *number]);
    }
    service.push(0x1F);
    request(invoke, READ_MULTIPLE, &service)
}

/// Asks for one, which every device can.
pub fn read_property(invoke: u8, property: Property) -> Vec<u8> {
    let service = [&ANY_DEVICE[..], &[0x19, property.number()]].concat();
    request(invoke, READ_PROPERTY, &service)
}

fn request(invoke: u8, choice: u8, service: &[u8]) -> Vec<u8> {
    let length = u16::try_from(service.len() + 10).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let head = [BACNET_IP, UNICAST, high, low, VERSION, EXPECTS_REPLY, 0, MAX_ANSWER, invoke, choice];
    [&head[..], service].concat()
}

/// A value that a device told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Which property.
    pub property: Property,
    /// Its text or number.
    pub text: String,
    /// Where the value's content stands in the input.
    pub span: Range<usize>,
}

/// What a device answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These values. A property that it does not have is left out.
    Values(Vec<Value>),
    /// It refused: an error, a rejection or an abort.
    Refusal,
}

/// One message of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The number of the request that it answers.
    pub invoke: u8,
    /// Where that number stands in the input.
    pub invoke_at: usize,
    /// What it says.
    pub answer: Answer,
}

/// Reads one message and leaves the reader behind it.
///
/// # Errors
/// When the bytes are cut, are no answer to a request of this module, or contradict their own lengths.
pub fn parse(reader: &mut Reader<'_>) -> Result<Message, Malformed> {
    let start = reader.at();
    let invalid = |what, at| Malformed::Invalid { what, at };
    if reader.u8("BACnet/IP type")? != BACNET_IP {
        return Err(invalid("BACnet/IP type", start));
    }
    let function = reader.u8("BACnet/IP function")?;
    let length = usize::from(reader.u16("BACnet/IP length")?);
    let after_head = match function {
        UNICAST => 0,
        FORWARDED => 6,
        _ => return Err(invalid("BACnet/IP function", start + 1)),
    };
    if !(4 + after_head..=MAX_MESSAGE_BYTES).contains(&length) {
        return Err(invalid("BACnet/IP length", start + 2));
    }
    let body_at = reader.at();
    let body = reader.take(length - 4, "BACnet/IP message")?;
    let mut body = Cursor { reader: Reader::new(body), start: body_at };
    // The message is all there: where its parts are longer than it is, more bytes would not help.
    parse_body(&mut body, after_head).map_err(|error| match error {
        Malformed::Truncated { what, at } => invalid(what, body_at + at),
        other => other,
    })
}

/// A reader that knows where in the input it began.
struct Cursor<'a> {
    reader: Reader<'a>,
    start: usize,
}

impl Cursor<'_> {
    const fn at(&self) -> usize {
        self.start + self.reader.at()
    }
}

fn parse_body(body: &mut Cursor<'_>, forwarded: usize) -> Result<Message, Malformed> {
    body.reader.take(forwarded, "BACnet/IP origin")?;
    skip_network_layer(body)?;
    let kind_at = body.at();
    let kind = body.reader.u8("BACnet message")?;
    let invoke_at = body.at();
    let invoke = body.reader.u8("BACnet invoke number")?;
    let answer = match kind {
        // ComplexACK in one segment.
        0x30 => read_values(body)?,
        // Error, Reject, Abort by server or client.
        0x50 | 0x60 | 0x70 | 0x71 => Answer::Refusal,
        _ => return Err(Malformed::Invalid { what: "BACnet message", at: kind_at }),
    };
    Ok(Message { invoke, invoke_at, answer })
}

/// Clause 6.2: version, control, and addresses where the control says so.
fn skip_network_layer(body: &mut Cursor<'_>) -> Result<(), Malformed> {
    let at = body.at();
    if body.reader.u8("BACnet version")? != VERSION {
        return Err(Malformed::Invalid { what: "BACnet version", at });
    }
    let control = body.reader.u8("BACnet control")?;
    if control & 0x80 != 0 {
        return Err(Malformed::Invalid { what: "BACnet control", at: at + 1 });
    }
    for flag in [0x20, 0x08] {
        if control & flag != 0 {
            let _network = body.reader.u16("BACnet network")?;
            let length = usize::from(body.reader.u8("BACnet address length")?);
            body.reader.take(length, "BACnet address")?;
        }
    }
    if control & 0x20 != 0 {
        let _hops = body.reader.u8("BACnet hop count")?;
    }
    Ok(())
}

fn read_values(body: &mut Cursor<'_>) -> Result<Answer, Malformed> {
    let at = body.at();
    let choice = body.reader.u8("BACnet service")?;
    read_device(body)?;
    let mut values = Vec::new();
    match choice {
        READ_PROPERTY => values.extend(read_one(body, 1, 3)?),
        READ_MULTIPLE => {
            open(body, 1)?;
            for _ in 0..MAX_PROPERTIES {
                if body.reader.rest().first() == Some(&0x1F) {
                    break;
                }
                values.extend(read_one(body, 2, 4)?);
            }
        }
        _ => return Err(Malformed::Invalid { what: "BACnet service", at }),
    }
    Ok(Answer::Values(values))
}

/// The object that speaks: a device of whatever instance.
fn read_device(body: &mut Cursor<'_>) -> Result<(), Malformed> {
    let at = body.at();
    let [tag, high, low, ..]: [u8; 5] = body.reader.array("BACnet object")?;
    // Type 8 in the upper ten bits.
    if tag != 0x0C || high != 0x02 || low & 0xC0 != 0 {
        return Err(Malformed::Invalid { what: "BACnet object", at });
    }
    Ok(())
}

/// A property's number under the context tag `named`, then its value between tags `held`, or an error behind the next.
fn read_one(body: &mut Cursor<'_>, named: u8, held: u8) -> Result<Option<Value>, Malformed> {
    let at = body.at();
    let number = match body.reader.u8("BACnet property")? {
        tag if tag == named << 4 | 0x09 => u16::from(body.reader.u8("BACnet property")?),
        tag if tag == named << 4 | 0x0A => body.reader.u16("BACnet property")?,
        _ => return Err(Malformed::Invalid { what: "BACnet property", at }),
    };
    if body.reader.rest().first() == Some(&((held + 1) << 4 | 0x0E)) {
        skip_error(body, held + 1)?;
        return Ok(None);
    }
    open(body, held)?;
    let (tag, span) = read_tag(body)?;
    let content = body.reader.take(span.len(), "BACnet value")?;
    let text = content_text(tag, content);
    close(body, held)?;
    let known = PROPERTIES.iter().find(|(_, of, _)| u16::from(*of) == number).map(|(property, ..)| *property);
    let value = known.zip(text).map(|(property, text)| {
        let (text, prefix) = text;
        Value { property, text, span: span.start + prefix..span.end }
    });
    Ok(value)
}

/// Error class and code, enumerated, between tags.
fn skip_error(body: &mut Cursor<'_>, tag: u8) -> Result<(), Malformed> {
    open(body, tag)?;
    for _ in 0..2 {
        let (_, span) = read_tag(body)?;
        body.reader.take(span.len(), "BACnet error")?;
    }
    close(body, tag)
}

fn open(body: &mut Cursor<'_>, tag: u8) -> Result<(), Malformed> {
    expect(body, tag << 4 | 0x0E, "BACnet opening tag")
}

fn close(body: &mut Cursor<'_>, tag: u8) -> Result<(), Malformed> {
    expect(body, tag << 4 | 0x0F, "BACnet closing tag")
}

fn expect(body: &mut Cursor<'_>, byte: u8, what: &'static str) -> Result<(), Malformed> {
    let at = body.at();
    if body.reader.u8(what)? == byte {
        return Ok(());
    }
    Err(Malformed::Invalid { what, at })
}

const UNSIGNED: u8 = 2;
const CHARACTER_STRING: u8 = 7;

/// The number of an application tag, and where its content stands (20.2.1): the content itself is left unread.
fn read_tag(body: &mut Cursor<'_>) -> Result<(u8, Range<usize>), Malformed> {
    let at = body.at();
    let byte = body.reader.u8("BACnet tag")?;
    if byte & 0x08 != 0 {
        return Err(Malformed::Invalid { what: "BACnet tag", at });
    }
    let length = match byte & 0x07 {
        5 => match body.reader.u8("BACnet length")? {
            254 => usize::from(body.reader.u16("BACnet length")?),
            255 => return Err(Malformed::TooMuch { what: "BACnet length", at, limit: MAX_MESSAGE_BYTES }),
            short => usize::from(short),
        },
        short => usize::from(short),
    };
    Ok((byte >> 4, body.at()..body.at() + length))
}

/// The text of a value, and how many bytes before it say in which characters it is written (20.2.9).
fn content_text(tag: u8, content: &[u8]) -> Option<(String, usize)> {
    match (tag, content) {
        (CHARACTER_STRING, [0, text @ ..]) => Some((String::from_utf8_lossy(text).into_owned(), 1)),
        (CHARACTER_STRING, [4, text @ ..]) => {
            let units = text.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
            Some((String::from_utf16_lossy(&units.collect::<Vec<_>>()), 1))
        }
        (CHARACTER_STRING, [5, text @ ..]) => Some((text.iter().map(|byte| char::from(*byte)).collect(), 1)),
        (UNSIGNED, number @ ([_] | [_, _])) => {
            Some((number.iter().fold(0, |all, byte| all << 8 | u16::from(*byte)).to_string(), 0))
        }
        _ => None,
    }
}

/// Whether it begins with a message of a device.
pub(super) fn is_answer(input: &[u8]) -> bool {
    parse(&mut Reader::new(input)).is_ok()
}

fn messages(input: &[u8]) -> impl Iterator<Item = Result<Message, Malformed>> {
    let mut reader = Reader::new(input);
    let mut broken = false;
    std::iter::from_fn(move || {
        if broken || reader.is_done() {
            return None;
        }
        let message = parse(&mut reader);
        broken = message.is_err();
        Some(message)
    })
    .take(MAX_MESSAGES)
}

/// `bacnet.vendor`, `.model`, `.firmware`, `.software`, `.name`, `.vendor-id` (decimal); `bacnet.refusal` where nothing
/// but a refusal came.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let mut told = Vec::new();
    let (mut refused, mut other) = (false, false);
    for message in messages(input) {
        other |= !matches!(message, Ok(Message { answer: Answer::Refusal, .. }));
        match message {
            Ok(Message { answer: Answer::Values(values), .. }) => told.extend(values),
            Ok(Message { answer: Answer::Refusal, .. }) => refused = true,
            Err(error) => list.malformed(&error),
        }
    }
    if refused && !other {
        list.span("bacnet.refusal", 0..input.len());
    }
    for (property, _, name) in PROPERTIES {
        if let Some(value) = told.iter().find(|value| value.property == *property) {
            list.value(*name, value.text.clone().into_bytes().into(), value.span.clone());
        }
    }
}

/// The numbers of the requests.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    messages(input).filter_map(Result::ok).map(|message| message.invoke_at..message.invoke_at + 1).collect()
}
