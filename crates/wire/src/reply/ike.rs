//! IKE (port 500, UDP): what a VPN gateway chooses of everything that is offered, and what it says of itself.
//!
//! Follows RFC 7296 (IKEv2) and RFC 2408, RFC 2409 (IKEv1). The question is IKE_SA_INIT, or, to who wants version 1 only,
//! the first message of Main Mode; the exchange ends with its answer. No identity is shown, nothing is authenticated; the
//! public value is that of nobody. A responder keeps a half-open association for some seconds, as after a lost packet.
//!
//! The question is longer than the answer: it carries a public value and a nonce of full length, and says who asks in
//! a vendor id.

mod names;

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};
use names::{
    AUTHENTICATION_NAMES_1, CIPHER_NAMES, CIPHER_NAMES_1, GROUP_NAMES, HASH_NAMES_1, INTEGRITY_NAMES, NOTIFY_NAMES,
    NOTIFY_NAMES_1, PRF_NAMES, name,
};

/// The longest message that is read.
const MAX_BYTES: usize = 8 * 1024;
/// The most payloads, transforms and attributes of a message.
const MAX_ITEMS: usize = 64;
const HEADER_BYTES: usize = 28;

const VERSION_1: u8 = 0x10;
const VERSION_2: u8 = 0x20;
const MAIN_MODE: u8 = 2;
const INFORMATIONAL: u8 = 5;
const SA_INIT: u8 = 34;
const INITIATOR: u8 = 0x08;
const RESPONSE: u8 = 0x20;

/// Payloads of version 2 (RFC 7296 section 3.2), then of version 1 (RFC 2408 section 3.1).
const SA: u8 = 33;
const KEY_EXCHANGE: u8 = 34;
const NONCE: u8 = 40;
const NOTIFY: u8 = 41;
const VENDOR: u8 = 43;
const SA_1: u8 = 1;
const NOTIFY_1: u8 = 11;
const VENDOR_1: u8 = 13;

/// Kinds of transforms of version 2 with their fields.
const TRANSFORMS: [(u8, &str); 4] = [(1, "ike.encryption"), (2, "ike.prf"), (3, "ike.integrity"), (4, "ike.group")];
/// Attributes of a transform of version 1 with their fields.
const ATTRIBUTES_1: [(u16, &str); 4] =
    [(1, "ike.encryption"), (2, "ike.prf"), (3, "ike.authentication"), (4, "ike.group")];
const KEY_LENGTH: u16 = 14;

/// What is offered, the strongest first: AES-CBC of 256 and 128 bits, 3DES, AES-GCM stands in a proposal of its own.
const CIPHERS: [(u16, Option<u16>); 4] = [(12, Some(256)), (12, Some(128)), (3, None), (2, None)];
const COMBINED: [(u16, Option<u16>); 2] = [(20, Some(256)), (20, Some(128))];
const PRFS: [u16; 5] = [5, 6, 7, 2, 1];
const INTEGRITY: [u16; 5] = [12, 13, 14, 2, 1];
/// Group 14 first, for it is what the public value is of; then x25519, the NIST curves and the older ones.
const GROUPS: [u16; 9] = [14, 31, 19, 20, 21, 15, 16, 5, 2];
const MODP_2048: u16 = 14;
const MODP_2048_BYTES: usize = 256;
/// The longest that is allowed (RFC 7296 section 3.9).
const NONCE_BYTES: usize = 256;
const MAX_CONTACT_BYTES: usize = 120;

/// IKE_SA_INIT. `mark` makes numbers that belong to the target; `contact` says whom to ask about it.
pub fn start(mark: [u8; 8], contact: &str) -> Vec<u8> {
    let filler = |length: usize| mark.iter().copied().cycle().take(length).collect::<Vec<_>>();
    let mut public = filler(MODP_2048_BYTES);
    // Below the prime, which begins with 64 ones.
    public.splice(..1, [1]);
    let parts = [
        (SA, proposals()),
        (KEY_EXCHANGE, [&MODP_2048.to_be_bytes()[..], &[0, 0], &public].concat()),
        (NONCE, filler(NONCE_BYTES)),
        (VENDOR, vendor(contact)),
    ];
    message(number(mark), VERSION_2, SA_INIT, INITIATOR, &parts)
}

/// The first message of Main Mode, for who speaks version 1 only: proposals and our vendor id.
pub fn start_version_1(mark: [u8; 8], contact: &str) -> Vec<u8> {
    let mut transforms = Vec::new();
    // Encryption, its key, hash, group: what gateways of the last twenty years have.
    let offers: [(u16, u16, u16, u16); 6] =
        [(7, 256, 4, 14), (7, 128, 2, 14), (7, 128, 2, 2), (5, 0, 2, 2), (5, 0, 1, 2), (7, 256, 2, 5)];
    for (number, (cipher, bits, hash, group)) in (1_u8..).zip(offers) {
        let mut body = vec![number, 1, 0, 0];
        let mut attributes = vec![(1, cipher), (2, hash), (3, 1), (4, group), (11, 1), (12, 28_800)];
        attributes.extend((bits > 0).then_some((KEY_LENGTH, bits)));
        attributes.iter().for_each(|(kind, value): &(u16, u16)| {
            body.extend((0x8000 | kind).to_be_bytes());
            body.extend(value.to_be_bytes());
        });
        let more = if usize::from(number) < offers.len() { 3 } else { 0 };
        transforms.extend(substructure(more, &body));
    }
    let proposal = [&[1, 1, 0, 6][..], &transforms].concat();
    let body = [&[0, 0, 0, 1, 0, 0, 0, 1][..], &substructure(0, &proposal)].concat();
    message(number(mark), VERSION_1, MAIN_MODE, 0, &[(SA_1, body), (VENDOR_1, vendor(contact))])
}

/// Our number of the association. An answer begins with it: it must not look like another language.
fn number(mark: [u8; 8]) -> [u8; 8] {
    let [first, second, third, fourth, ..] = mark;
    let [h, n, m, i] = *b"hnmi";
    [h, n, m, i, first, second, third, fourth]
}

fn vendor(contact: &str) -> Vec<u8> {
    let contact = contact.get(..contact.floor_char_boundary(MAX_CONTACT_BYTES)).unwrap_or_default();
    format!("Hinomi survey {contact}").into_bytes()
}

/// One proposal with separate integrity, one with combined ciphers (RFC 5282).
fn proposals() -> Vec<u8> {
    let combined = proposal(0, 2, &COMBINED, &[]);
    let separate = proposal(2, 1, &CIPHERS, &INTEGRITY);
    [separate, combined].concat()
}

fn proposal(more: u8, number: u8, ciphers: &[(u16, Option<u16>)], integrity: &[u16]) -> Vec<u8> {
    let ciphers = ciphers.iter().map(|(id, bits)| (1, *id, *bits));
    let rest = [(2, &PRFS[..]), (3, integrity), (4, &GROUPS[..])];
    let rest = rest.into_iter().flat_map(|(kind, ids)| ids.iter().map(move |id| (kind, *id, None)));
    let all: Vec<(u8, u16, Option<u16>)> = ciphers.chain(rest).collect();
    let mut body = vec![number, 1, 0, u8::try_from(all.len()).unwrap_or(u8::MAX)];
    for (at, (kind, id, bits)) in all.iter().enumerate() {
        let mut transform = vec![*kind, 0];
        transform.extend(id.to_be_bytes());
        if let Some(bits) = bits {
            transform.extend((0x8000 | KEY_LENGTH).to_be_bytes());
            transform.extend(bits.to_be_bytes());
        }
        body.extend(substructure(if at + 1 < all.len() { 3 } else { 0 }, &transform));
    }
    substructure(more, &body)
}

/// A proposal or transform: whether another follows, nothing, its length, itself.
fn substructure(more: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 4).unwrap_or(u16::MAX).to_be_bytes();
    [&[more, 0][..], &length, body].concat()
}

fn message(spi: [u8; 8], version: u8, exchange: u8, flags: u8, payloads: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (at, (_, content)) in payloads.iter().enumerate() {
        let next = payloads.get(at + 1).map_or(0, |(kind, _)| *kind);
        body.extend(substructure(next, content));
    }
    let first = payloads.first().map_or(0, |(kind, _)| *kind);
    let length = u32::try_from(body.len() + HEADER_BYTES).unwrap_or(u32::MAX).to_be_bytes();
    [&spi[..], &[0; 8], &[first, version, exchange, flags], &[0; 4], &length, &body].concat()
}

/// An answer: its version, exchange, and payloads with the places of their content.
struct Answer {
    version: u8,
    payloads: Vec<(u8, Range<usize>)>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let invalid = |at| Malformed::Invalid { what: "IKE header", at };
        reader.take(16, "IKE numbers")?;
        let [mut next, version, exchange, flags] = reader.array("IKE header")?;
        let answers = match (version, exchange) {
            (VERSION_2, SA_INIT) => flags & RESPONSE != 0,
            (VERSION_2, INFORMATIONAL) | (VERSION_1, INFORMATIONAL) => true,
            // The answer has a number of the responder's own, an echo of our question has none.
            (VERSION_1, MAIN_MODE) => get(bytes, 8..16) != [0; 8],
            _ => false,
        };
        if !answers {
            return Err(invalid(17));
        }
        reader.u32("IKE message id")?;
        let length = usize::try_from(reader.u32("IKE length")?).unwrap_or(usize::MAX);
        if length != bytes.len() || length > MAX_BYTES {
            return Err(invalid(24));
        }
        let mut payloads = Vec::new();
        while next != 0 && !reader.is_done() {
            if payloads.len() == MAX_ITEMS {
                return Err(Malformed::TooMuch { what: "IKE payloads", at: reader.at(), limit: MAX_ITEMS });
            }
            let kind = next;
            let content;
            (next, content) = substructure_at(&mut reader, "IKE payload")?;
            payloads.push((kind, content));
        }
        Ok(Self { version, payloads })
    }

    fn contents(&self, kinds: [u8; 2]) -> impl Iterator<Item = Range<usize>> {
        self.payloads.iter().filter(move |(kind, _)| kinds.contains(kind)).map(|(_, content)| content.clone())
    }

    /// Kinds of notifications, and where they stand.
    fn notifications(&self, bytes: &[u8]) -> Vec<(u16, Range<usize>)> {
        let before = if self.version == VERSION_1 { 6 } else { 2 };
        let kind = |content: Range<usize>| match get(bytes, content.start + before..content.end) {
            [high, low, ..] => Some((u16::from_be_bytes([*high, *low]), content)),
            _ => None,
        };
        self.contents([NOTIFY, NOTIFY_1]).filter_map(kind).collect()
    }
}

/// What follows, and the content, of a structure with a length of its own.
fn substructure_at(reader: &mut Reader<'_>, what: &'static str) -> Result<(u8, Range<usize>), Malformed> {
    let at = reader.at();
    let [more, _] = reader.array(what)?;
    let length = usize::from(reader.u16(what)?);
    let length = length.checked_sub(4).ok_or(Malformed::Invalid { what, at })?;
    let start = reader.at();
    reader.take(length, what)?;
    Ok((more, start..start + length))
}

pub(crate) fn is_answer(input: &[u8]) -> bool {
    Answer::parse(input).is_ok_and(|answer| !answer.payloads.is_empty())
}

/// Whether this answer to version 2 says that only version 1 is spoken (INVALID_MAJOR_VERSION, in either version).
pub fn wants_version_1(answer: &[u8]) -> bool {
    let Ok(parsed) = Answer::parse(answer) else { return false };
    parsed.version == VERSION_1 || parsed.notifications(answer).iter().any(|(kind, _)| *kind == 5)
}

/// `ike.version` (`1.0`, `2.0`), what was chosen (`ike.encryption` `ike.prf` `ike.integrity` `ike.group`
/// `ike.authentication`, by their names or numbers), `ike.notify` (as `NO_PROPOSAL_CHOSEN`; of INVALID_KE_PAYLOAD the
/// group that is wanted is `ike.group`), `ike.vendor` (text as it is, else hexadecimal).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok(answer) = Answer::parse(input) else { return };
    let version = if answer.version == VERSION_1 { "1.0" } else { "2.0" };
    list.value("ike.version", version.as_bytes().into(), 17..18);
    let mut chosen = Vec::new();
    for content in answer.contents([SA, SA_1]) {
        let _what_is_cut_off_is_not_told = match answer.version {
            VERSION_1 => choice_1(input, content, &mut chosen),
            _ => choice_2(input, content, &mut chosen),
        };
    }
    for (kind, span) in answer.notifications(input) {
        // The group that is wanted stands behind protocol, SPI size and kind.
        if let (17, [high, low]) = (kind, get(input, span.start + 4..span.end)) {
            let group = name(&GROUP_NAMES, u16::from_be_bytes([*high, *low]));
            chosen.push(("ike.group", group, span.start + 4..span.end));
        }
        let names = if answer.version == VERSION_1 { &NOTIFY_NAMES_1[..] } else { &NOTIFY_NAMES[..] };
        list.value("ike.notify", name(names, kind).into_bytes().into(), span);
    }
    chosen.into_iter().for_each(|(field, value, span)| list.value(field, value.into_bytes().into(), span));
    for content in answer.contents([VENDOR, VENDOR_1]) {
        let value = get(input, content.clone());
        let text = !value.is_empty() && value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        let hexadecimal = || value.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes();
        list.value("ike.vendor", if text { value.into() } else { hexadecimal().into() }, content);
    }
}

type Chosen = Vec<(&'static str, String, Range<usize>)>;

/// The transforms of the one proposal that an answer has.
fn choice_2(input: &[u8], content: Range<usize>, chosen: &mut Chosen) -> Result<(), Malformed> {
    let start = content.start;
    let mut reader = Reader::new(get(input, content));
    let (_, proposal) = substructure_at(&mut reader, "IKE proposal")?;
    let body = start + proposal.start..start + proposal.end;
    let mut reader = Reader::new(get(input, body.clone()));
    let [_, _, spi, _] = reader.array("IKE proposal")?;
    reader.take(usize::from(spi), "IKE SPI")?;
    for _ in 0..MAX_ITEMS {
        if reader.is_done() {
            return Ok(());
        }
        let (_, transform) = substructure_at(&mut reader, "IKE transform")?;
        let span = body.start + transform.start..body.start + transform.end;
        let [kind, _, high, low, rest @ ..] = get(input, span.clone()) else { return Ok(()) };
        let Some((_, field)) = TRANSFORMS.iter().find(|(of, _)| of == kind) else { continue };
        let id = u16::from_be_bytes([*high, *low]);
        let bits = match rest {
            [0x80, 14, high, low] => format!("-{}", u16::from_be_bytes([*high, *low])),
            _ => String::new(),
        };
        let names = match kind {
            1 => &CIPHER_NAMES[..],
            2 => &PRF_NAMES[..],
            3 => &INTEGRITY_NAMES[..],
            _ => &GROUP_NAMES[..],
        };
        chosen.push((field, name(names, id) + &bits, span));
    }
    Ok(())
}

/// The attributes of the one transform that an answer of version 1 has (RFC 2409 appendix A).
fn choice_1(input: &[u8], content: Range<usize>, chosen: &mut Chosen) -> Result<(), Malformed> {
    // Interpretation and situation, the head of the proposal, the head of the transform.
    let mut reader = Reader::new(get(input, content.clone()));
    reader.take(8, "IKE interpretation")?;
    let [_, _, _, _, _, _, spi, _] = reader.array("IKE proposal")?;
    reader.take(usize::from(spi), "IKE SPI")?;
    reader.take(8, "IKE transform")?;
    let mut bits = String::new();
    let first = chosen.len();
    for _ in 0..MAX_ITEMS {
        if reader.is_done() {
            break;
        }
        let at = content.start + reader.at();
        let kind = reader.u16("IKE attribute")?;
        let value = reader.u16("IKE attribute")?;
        if kind & 0x8000 == 0 {
            reader.take(usize::from(value), "IKE attribute value")?;
            continue;
        }
        let kind = kind & 0x7FFF;
        if kind == KEY_LENGTH {
            bits = format!("-{value}");
        }
        let Some((_, field)) = ATTRIBUTES_1.iter().find(|(of, _)| *of == kind) else { continue };
        let names = match kind {
            1 => &CIPHER_NAMES_1[..],
            2 => &HASH_NAMES_1[..],
            3 => &AUTHENTICATION_NAMES_1[..],
            _ => &GROUP_NAMES[..],
        };
        chosen.push((field, name(names, value), at..at + 4));
    }
    let cipher = chosen.iter_mut().skip(first).find(|(field, ..)| *field == "ike.encryption");
    cipher.into_iter().for_each(|(_, value, _)| value.push_str(&bits));
    Ok(())
}

/// What stands for everything random: not zero, for an answer of version 1 is told from a question by its number.
pub(super) const MASK: u8 = 1;

/// The responder's number, public value, nonce; cookies and hashes of addresses; of version 1 the number of a message that
/// informs (RFC 2408 section 4.8 has it random) and the numbers that a notification repeats.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    let Ok(answer) = Answer::parse(input) else { return Vec::new() };
    let mut places: Vec<Range<usize>> = std::iter::once(8..16).collect();
    if answer.version == VERSION_1 {
        places.push(20..24);
        places.extend(answer.contents([NOTIFY_1; 2]).filter_map(|content| spi_1(input, &content)));
    }
    for (kind, content) in &answer.payloads {
        match *kind {
            // The group stays.
            KEY_EXCHANGE if answer.version == VERSION_2 => {
                places.push(content.start + 4..content.end.max(content.start + 4))
            }
            NONCE => places.push(content.clone()),
            _ => {}
        }
    }
    for (kind, content) in answer.notifications(input) {
        // COOKIE, and the two of NAT detection.
        if matches!(kind, 16388..=16390) {
            places.push(content.start + 4..content.end);
        }
    }
    places
}

/// The numbers in a notification of version 1 (RFC 2408 section 3.14), behind interpretation, protocol, their length, kind.
fn spi_1(input: &[u8], content: &Range<usize>) -> Option<Range<usize>> {
    let length = usize::from(*get(input, content.clone()).get(5)?);
    let start = content.start + 8;
    (length > 0 && start + length <= content.end).then(|| start..start + length)
}

#[cfg(test)]
mod tests;
