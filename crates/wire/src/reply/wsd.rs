//! WS-Discovery (OASIS WS-Discovery 1.1, and the drafts of 2005 that ONVIF cameras and printers speak; port 3702, UDP):
//! a Probe by unicast for everything, and what of the answer names a device.
//!
//! The Probe asks for no type and no scope, so whoever understands it answers; nothing is resolved, fetched or
//! subscribed. Scopes of ONVIF (Core Specification, section 7.3.2.2) say name, hardware and place. The question says who
//! asks in a comment and is filled up with white space, so that it is about as long as an answer.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::Malformed;
use crate::fields::Fields;
use crate::text::{find_ignore_case, get};
use crate::xml;

/// The longest answer that is read.
const MAX_BYTES: usize = 32 * 1024;
/// The length of the question: as long as what wsdd2 answers (1,329 bytes), and within a frame of 1,500.
const QUESTION_BYTES: usize = 1_344;
/// The longest contact that is sent.
const MAX_CONTACT_BYTES: usize = 120;
/// The most scopes of one answer that are read.
const MAX_SCOPES: usize = 64;
/// The longest value of a scope.
const MAX_VALUE_BYTES: usize = 256;

/// Elements of an answer with their fields.
const ELEMENTS: &[(&str, &str)] =
    &[("Types", "wsd.types"), ("XAddrs", "wsd.addresses"), ("Address", "wsd.endpoint"), ("Scopes", "wsd.scopes")];

/// Scopes of ONVIF with their fields.
const SCOPES: &[(&str, &str)] = &[
    ("onvif://www.onvif.org/name/", "onvif.name"),
    ("onvif://www.onvif.org/hardware/", "onvif.hardware"),
    ("onvif://www.onvif.org/location/", "onvif.location"),
];

/// The Probe. `mark` makes a message number that belongs to the target; `contact` says whom to ask about it.
pub fn probe(mark: [u8; 8], contact: &str) -> Vec<u8> {
    let contact = contact.get(..contact.floor_char_boundary(MAX_CONTACT_BYTES)).unwrap_or_default();
    // Two hyphens would end a comment, and so would the end of one.
    let contact: String = contact.chars().filter(|c| c.is_ascii_graphic() && !"<>&-".contains(*c)).collect();
    let digits: String = mark.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    let (second, third) = rest.split_at_checked(4).unwrap_or((rest, ""));
    // Prefixes as Windows writes them: some devices look for the letters and not for what they stand for.
    let head = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><!-- Hinomi survey {contact} -->\
         <soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:wsa=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
         xmlns:wsd=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\"><soap:Header>\
         <wsa:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</wsa:To>\
         <wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</wsa:Action>\
         <wsa:MessageID>urn:uuid:{first}-{second}-4000-8000-{third:0<12}</wsa:MessageID>\
         </soap:Header><soap:Body><wsd:Probe/></soap:Body></soap:Envelope>"
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len().max(QUESTION_BYTES), b' ');
    bytes
}

pub(crate) fn is_answer(input: &[u8]) -> bool {
    input.len() <= MAX_BYTES
        && input.trim_ascii_start().starts_with(b"<")
        && find_ignore_case(input, b"envelope").is_some()
        && find_ignore_case(input, b"probematches").is_some()
}

/// `wsd.types`, `wsd.endpoint`, `wsd.addresses`, `wsd.scopes` of the first match; of ONVIF's scopes `onvif.name`,
/// `onvif.hardware`, `onvif.location`, without their percent encoding.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let (text, _what_is_no_text_is_not_told) = xml::readable(input.get(..MAX_BYTES).unwrap_or(input));
    if let Err(reason) = walk(list, text) {
        list.malformed(&reason);
    }
}

/// Reads the first `ProbeMatch`.
fn walk(list: &mut Fields<'_>, text: &str) -> Result<(), Malformed> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().allow_dangling_amp = true;
    let (mut depth, mut inside, mut current) = (0_usize, false, None);
    for _ in 0..xml::MAX_EVENTS {
        let event = reader.read_event();
        let at = usize::try_from(reader.error_position()).unwrap_or(0);
        match event.map_err(|error| Malformed::Invalid { what: xml::what(&error), at })? {
            Event::Eof => return Ok(()),
            Event::DocType(declaration) if xml::declares(&declaration) => {
                return Err(Malformed::Invalid { what: "document type that declares entities", at: 0 });
            }
            Event::Start(tag) => {
                depth += 1;
                if depth > xml::MAX_DEPTH {
                    return Err(Malformed::TooMuch { what: "XML depth", at: 0, limit: xml::MAX_DEPTH });
                }
                let name = tag.local_name();
                inside |= name.as_ref() == "ProbeMatch";
                let known = ELEMENTS.iter().find(|(element, _)| inside && *element == name.as_ref());
                current = known.map(|(_, field)| *field);
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                current = None;
                if tag.local_name().as_ref() == "ProbeMatch" {
                    return Ok(());
                }
            }
            Event::Text(piece) => {
                if let (Some(field), Some(place)) = (current, xml::place(text, &piece)) {
                    push_text(list, text, field, place);
                }
            }
            _ => {}
        }
    }
    Err(Malformed::TooMuch { what: "XML part", at: 0, limit: xml::MAX_EVENTS })
}

/// Adds the text of an element, and of scopes what ONVIF says in them.
fn push_text(list: &mut Fields<'_>, text: &str, field: &'static str, place: Range<usize>) {
    let span = crate::text::trim(text.as_bytes(), place);
    let value = get(text.as_bytes(), span.clone());
    list.value(field, value.to_vec().into(), span.clone());
    if field != "wsd.scopes" {
        return;
    }
    let mut at = span.start;
    for scope in value.split(u8::is_ascii_whitespace).take(MAX_SCOPES) {
        let own = at..at + scope.len();
        at = own.end + 1;
        for (start, field) in SCOPES {
            if let Some(value) = scope.strip_prefix(start.as_bytes()) {
                list.value(*field, decoded(value).into(), own.clone());
            }
        }
    }
}

/// Without percent encoding (RFC 3986 section 2.1); what is no such encoding stays.
fn decoded(value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len().min(MAX_VALUE_BYTES));
    let mut rest = value;
    while let ([first, after @ ..], true) = (rest, bytes.len() < MAX_VALUE_BYTES) {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    bytes
}

/// Elements whose text changes, with any prefix or none.
const VOLATILE_ELEMENTS: [&[u8]; 2] = [b"messageid", b"relatesto"];
/// Attributes whose value changes.
const VOLATILE_ATTRIBUTES: [&[u8]; 3] = [b"messagenumber=", b"instanceid=", b"sequenceid="];

/// The numbers of this message and of the device's start, wherever they stand.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = memchr::memchr_iter(b'<', input).filter_map(|at| changing(input, at)).collect();
    for name in VOLATILE_ATTRIBUTES {
        let mut at = 0;
        while let Some(found) = find_ignore_case(get(input, at..input.len()), name) {
            at += found + name.len();
            places.extend(quoted(input, at));
        }
    }
    places
}

/// The text of the element whose tag begins there, if it is one that changes.
fn changing(input: &[u8], at: usize) -> Option<Range<usize>> {
    let tag = get(input, at + 1..input.len());
    let tag = get(tag, 0..memchr::memchr2(b'<', b'>', tag)?);
    let name = tag.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    if !VOLATILE_ELEMENTS.iter().any(|known| local.eq_ignore_ascii_case(known)) {
        return None;
    }
    let start = at + 1 + tag.len() + 1;
    let length = memchr::memchr(b'<', get(input, start..input.len()))?;
    Some(start..start + length)
}

/// The value between quotes that begins there.
fn quoted(input: &[u8], at: usize) -> Option<Range<usize>> {
    let quote = *input.get(at).filter(|quote| matches!(quote, b'"' | b'\''))?;
    let length = memchr::memchr(quote, get(input, at + 1..input.len()))?;
    Some(at + 1..at + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Laid out as the example of ONVIF's Application Programmer's Guide, the device invented.
    const ANSWER: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://www.w3.org/2003/05/soap-envelope\" \
        xmlns:wsa=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
        xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\"><SOAP-ENV:Header>\
        <wsa:MessageID>uuid:1419d68a-1dd2-11b2-a105-000000000001</wsa:MessageID>\
        <wsa:RelatesTo>urn:uuid:68696e6f</wsa:RelatesTo>\
        <d:AppSequence MessageNumber=\"7\" InstanceId=\"1700000000\"/></SOAP-ENV:Header><SOAP-ENV:Body>\
        <d:ProbeMatches><d:ProbeMatch><wsa:EndpointReference><wsa:Address>urn:uuid:cam-7</wsa:Address>\
        </wsa:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>\n\
        onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/name/Hoshimi%20NC-2 \
        onvif://www.onvif.org/hardware/NC-2100 onvif://www.onvif.org/location/city/Nara</d:Scopes>\
        <d:XAddrs>http://192.0.2.7/onvif/device_service</d:XAddrs></d:ProbeMatch></d:ProbeMatches>\
        </SOAP-ENV:Body></SOAP-ENV:Envelope>";

    fn value(bytes: &[u8], name: &str) -> Option<String> {
        let list = crate::reply::fields(bytes);
        list.iter().find(|field| field.name == name).map(|field| field.text().into_owned())
    }

    #[test]
    fn a_camera_names_itself() {
        assert_eq!(crate::recognise(ANSWER), Some("ws-discovery"));
        for (name, told) in [
            ("wsd.types", "dn:NetworkVideoTransmitter"),
            ("wsd.endpoint", "urn:uuid:cam-7"),
            ("wsd.addresses", "http://192.0.2.7/onvif/device_service"),
            ("onvif.name", "Hoshimi NC-2"),
            ("onvif.hardware", "NC-2100"),
            ("onvif.location", "city/Nara"),
        ] {
            assert_eq!(value(ANSWER, name).as_deref(), Some(told), "{name}");
        }
        let mut masked = ANSWER.to_vec();
        crate::reply::mask(&mut masked);
        let masked = String::from_utf8(masked).expect("text");
        for gone in ["1419d68a", "68696e6f", "\"7\"", "1700000000"] {
            assert!(!masked.contains(gone), "{gone}: {masked}");
        }
        assert!(masked.contains("Hoshimi%20NC-2") && masked.contains("cam-7"));
    }

    #[test]
    fn numbers_are_found_without_prefix_and_wherever_they_stand() {
        let plain = String::from_utf8(ANSWER.to_vec()).expect("text").replace("wsa:", "").replace("d:AppS", "AppS");
        let plain = plain.replace("<MessageID>", "<MessageID xmlns=\"urn:a\">urn:uuid:5e5e</MessageID>\n<MessageID>");
        let plain = plain.replace("</d:ProbeMatches>", "<AppSequence InstanceId='4747'/></d:ProbeMatches>");
        let mut masked = plain.clone().into_bytes();
        crate::reply::mask(&mut masked);
        let masked = String::from_utf8(masked).expect("text");
        for gone in ["5e5e", "1419d68a", "68696e6f", "\"7\"", "1700000000", "4747"] {
            assert!(plain.contains(gone) && !masked.contains(gone), "{gone}: {masked}");
        }
        assert!(masked.contains("urn:a") && masked.contains("cam-7") && masked.len() == plain.len());
    }

    #[test]
    fn the_question_is_one_document_and_no_answer() {
        for contact in ["https://example.org/survey", "--><evil/>", &"long".repeat(99)] {
            let question = probe(*b"hinomi-1", contact);
            assert!(!is_answer(&question) && (QUESTION_BYTES..1_400).contains(&question.len()));
            let text = String::from_utf8(question).expect("text");
            assert_eq!(text.matches("-->").count(), 1, "{contact}");
            let mut reader = Reader::from_str(text.trim_end());
            while !matches!(reader.read_event().expect("well formed"), Event::Eof) {}
        }
    }

    #[test]
    fn encodings_that_are_none_stay() {
        assert_eq!(decoded(b"a%20b%zz%4"), b"a b%zz%4");
        assert_eq!(decoded(&[b'x'; 999]).len(), MAX_VALUE_BYTES);
    }
}
