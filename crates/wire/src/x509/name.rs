//! Distinguished names as text (RFC 4514).

use std::borrow::Cow;

use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The most relative names of one distinguished name that are written.
const MAX_PARTS: usize = 64;

/// The longest value that is written.
const MAX_VALUE_CHARS: usize = 1024;

/// The name as text, most specific part first: `CN=router,O=Example,C=JP`.
pub(super) fn to_text(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name.iter_rdn().take(MAX_PARTS).map(relative_text).collect();
    parts.reverse();
    parts.join(",")
}

fn relative_text<'a>(relative: &x509_parser::x509::RelativeDistinguishedName<'a>) -> String {
    let attributes: Vec<String> = relative.iter().take(MAX_PARTS).map(attribute_text).collect();
    attributes.join("+")
}

/// Types without a name known here are written with their number and the encoded value (RFC 4514 section 2.4).
fn attribute_text(attribute: &AttributeTypeAndValue<'_>) -> String {
    let number = attribute.attr_type().to_id_string();
    let value = attribute.attr_value();
    match type_name(&number) {
        Some(name) => format!("{name}={}", escape(&value_text(value))),
        None => format!("{number}=#{}", encoded_text(value)),
    }
}

/// The table of RFC 4514 section 3, and further types that certificates use, as OpenSSL names them.
fn type_name(number: &str) -> Option<&'static str> {
    Some(match number {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.17" => "postalCode",
        "2.5.4.41" => "name",
        "2.5.4.42" => "GN",
        "2.5.4.46" => "dnQualifier",
        "2.5.4.97" => "organizationIdentifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.2.840.113549.1.9.2" => "unstructuredName",
        _ => return None,
    })
}

/// The value as text, whatever sort of string it is; invalid parts are replaced.
pub(super) fn value_text(value: &Any<'_>) -> String {
    let bytes = value.data;
    let text: Cow<'_, str> = match value.tag() {
        Tag::BmpString => {
            let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(u16::from_be_bytes));
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        Tag::UniversalString => {
            let units = bytes.chunks_exact(4).filter_map(|four| four.try_into().ok().map(u32::from_be_bytes));
            units.map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        // In practice Latin-1, unless it is UTF-8 under a wrong name.
        Tag::T61String => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        },
        _ => String::from_utf8_lossy(bytes),
    };
    match text.char_indices().nth(MAX_VALUE_CHARS) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text.into_owned(),
    }
}

/// RFC 4514 section 2.4.
fn escape(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        let at_edge = (c == ' ' && (index == 0 || index == last)) || (c == '#' && index == 0);
        match c {
            '\0' => escaped.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', c]),
            _ if at_edge => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Tag, length and content in hexadecimal.
fn encoded_text(value: &Any<'_>) -> String {
    let content = value.data.get(..MAX_VALUE_CHARS.min(value.data.len())).unwrap_or_default();
    let tag = u8::try_from(value.tag().0).unwrap_or(0);
    let length: Vec<u8> = match u16::try_from(value.data.len()).unwrap_or(u16::MAX).to_be_bytes() {
        [0, low] if low < 0x80 => vec![low],
        [0, low] => vec![0x81, low],
        [high, low] => vec![0x82, high, low],
    };
    let bytes = std::iter::once(tag).chain(length).chain(content.iter().copied());
    bytes.map(|byte| format!("{byte:02x}")).collect()
}
