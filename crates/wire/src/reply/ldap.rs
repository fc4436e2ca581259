//! LDAP (RFC 4511): the root entry, which tells anybody what a server is (RFC 4512 section 5.1).
//!
//! The search is anonymous and made without a bind, as section 4.2 of RFC 4511 allows. Asked for are the attributes
//! that name a server, and no others.

use crate::ber::{Element, Elements, OCTETS, SEQUENCE, constructed, element, integer};
use crate::fields::Fields;
use crate::text::get;

const ENUMERATED: u8 = 0x0A;
const BOOLEAN: u8 = 0x01;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
/// The filter `(objectClass=*)`: the attribute is there.
const PRESENT: u8 = 0x87;

/// Attributes of the root entry, and the fields that their first values become. `vendorName` and `vendorVersion` are
/// RFC 3045; `dnsHostName` is Active Directory's.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("objectClass", "ldap.object-class"),
    ("vendorName", "ldap.vendor-name"),
    ("vendorVersion", "ldap.vendor-version"),
    ("namingContexts", "ldap.naming-context"),
    ("dnsHostName", "ldap.host-name"),
];

/// The most messages, and attributes of an entry, that are read.
const MAX_ITEMS: usize = 64;

/// Asks for the attributes of the root entry, one entry at most, five seconds at most.
pub fn root_search() -> Vec<u8> {
    let wanted: Vec<_> = ATTRIBUTES.iter().map(|(name, _)| element(OCTETS, name.as_bytes())).collect();
    let search = [
        element(OCTETS, b""),
        element(ENUMERATED, &[0]), // the base object alone
        element(ENUMERATED, &[0]), // no alias is followed
        integer(1),
        integer(5),
        element(BOOLEAN, &[0]), // values too
        element(PRESENT, b"objectClass"),
        constructed(SEQUENCE, &wanted),
    ];
    constructed(SEQUENCE, &[integer(1), constructed(SEARCH_REQUEST, &search)])
}

/// Whether bytes are a message with an answer to a bind or a search, or a notice.
pub(crate) fn is_reply(input: &[u8]) -> bool {
    let after_length = match input {
        [SEQUENCE, 0..=0x7f, rest @ ..] => rest,
        [SEQUENCE, 0x81, _, rest @ ..] => rest,
        [SEQUENCE, 0x82, _, _, rest @ ..] => rest,
        [SEQUENCE, 0x83, _, _, _, rest @ ..] => rest,
        [SEQUENCE, 0x84, _, _, _, _, rest @ ..] => rest,
        _ => return false,
    };
    matches!(after_length, [2, 1, _, 0x61 | SEARCH_ENTRY | SEARCH_DONE | 0x73 | 0x78, ..])
}

/// Whether the end of the search is there, or something that is no answer to it.
pub fn complete(seen: &[u8]) -> bool {
    let mut messages = Elements::new(seen);
    for _ in 0..MAX_ITEMS {
        match operation(&mut messages) {
            Some(found) if found.tag == SEARCH_ENTRY => {}
            Some(_) => return true,
            None => return !seen.is_empty() && seen.first() != Some(&SEQUENCE),
        }
    }
    true
}

/// What the next message says, once it is all there.
fn operation(messages: &mut Elements<'_>) -> Option<Element> {
    let message = messages.expect(SEQUENCE, "LDAP message").ok()?;
    let mut parts = messages.inside(&message);
    parts.integer("LDAP message id").ok()?;
    parts.next("LDAP operation").ok()
}

pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    list.span("ldap.reply", 0..input.len());
    let mut messages = Elements::new(input);
    if let Some(entry) = operation(&mut messages).filter(|entry| entry.tag == SEARCH_ENTRY) {
        let _what_is_cut_off_is_not_told = push_entry(list, input, messages.inside(&entry));
    }
}

/// A name, and attributes of a type and a set of values each.
fn push_entry<'a>(list: &mut Fields<'a>, input: &'a [u8], mut entry: Elements<'a>) -> Result<(), crate::Malformed> {
    entry.expect(OCTETS, "LDAP name")?;
    let attributes = entry.expect(SEQUENCE, "LDAP attributes")?;
    let mut attributes = entry.inside(&attributes);
    for _ in 0..MAX_ITEMS {
        let attribute = attributes.expect(SEQUENCE, "LDAP attribute")?;
        let mut parts = attributes.inside(&attribute);
        let name = parts.expect(OCTETS, "LDAP attribute name")?;
        let values = parts.next("LDAP values")?;
        let name = get(input, name.content);
        let known = ATTRIBUTES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        if let Some((_, field)) = known {
            let mut values = parts.inside(&values);
            for _ in 0..MAX_ITEMS {
                let Ok(value) = values.expect(OCTETS, "LDAP value") else { break };
                list.span(field, value.content);
            }
        }
    }
    Ok(())
}
