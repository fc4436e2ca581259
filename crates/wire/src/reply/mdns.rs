//! mDNS asked by unicast (RFC 6762, 6.7) which kinds of services there are (RFC 6763, section 9; port 5353, UDP).
//!
//! The question goes to one address, and the answer comes back to where it came from. Nothing is asked about the
//! services themselves: their names are often those of people.

use std::ops::Range;

use crate::dns::Response;
use crate::fields::Fields;
use crate::text::get;
use crate::{Malformed, Reader};

/// The name under which services are enumerated, in the form on the wire.
const NAME: &[u8] = b"\x09_services\x07_dns-sd\x04_udp\x05local\0";
const TYPE_PTR: u16 = 12;
const CLASS_IN: u16 = 1;
const HEADER_BYTES: usize = 12;

/// The most kinds of services that are told.
const MAX_SERVICES: usize = 64;

/// The request; the answer repeats `id`.
pub fn enumerate(id: u16) -> Vec<u8> {
    let mut message: Vec<u8> = [id, 0, 1, 0, 0, 0].iter().flat_map(|number| number.to_be_bytes()).collect();
    message.extend(NAME);
    message.extend(TYPE_PTR.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message
}

/// The kinds of services of an answer, as `_http._tcp`, each with where it stands.
///
/// # Errors
/// When the bytes are no answer about the enumeration.
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, Range<usize>)>, Malformed> {
    let whole = Response::parse(bytes)?;
    // A name may be led through bytes that differ from answer to answer: then it is no name.
    let mut lasting = bytes.to_vec();
    for part in changing(&whole) {
        lasting.get_mut(part).unwrap_or_default().fill(0);
    }
    let response = Response::parse(&lasting)?;
    if changing(&response) != changing(&whole) {
        return Err(Malformed::Invalid { what: "mDNS name", at: HEADER_BYTES });
    }
    // The question is repeated to who asked from another port than 5353; the first answer has the name else.
    if get(bytes, HEADER_BYTES..HEADER_BYTES + NAME.len()) != NAME {
        return Err(Malformed::Invalid { what: "mDNS name", at: HEADER_BYTES });
    }
    let pointers = response.records.iter().take(response.answers).filter(|record| record.kind == TYPE_PTR);
    let mut services = Vec::new();
    for record in pointers.take(MAX_SERVICES) {
        let mut reader = Reader::new(&lasting);
        reader.take(record.data_at, "mDNS service")?;
        let name = crate::dns::read_name(&lasting, &mut reader)?;
        let service = name.strip_suffix(".local").unwrap_or(&name).to_owned();
        services.push((service, record.data_at..record.data_at + record.data.len()));
    }
    Ok(services)
}

pub(crate) fn is_answer(input: &[u8]) -> bool {
    parse(input).is_ok()
}

/// `mdns.services` (as `_http._tcp,_ipp._tcp`, in order of the alphabet).
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let Ok(mut services) = parse(input) else { return };
    let start = services.iter().map(|(_, span)| span.start).min().unwrap_or(0);
    let end = services.iter().map(|(_, span)| span.end).max().unwrap_or(0);
    services.sort_by(|(one, _), (other, _)| one.cmp(other));
    services.dedup_by(|one, other| one.0 == other.0);
    let names: Vec<String> = services.into_iter().map(|(name, _)| name).collect();
    list.value("mdns.services", names.join(",").into_bytes().into(), start..end);
}

/// The number of the question, and how long each answer lives.
pub(super) fn volatile(input: &[u8]) -> Vec<Range<usize>> {
    if !is_answer(input) {
        return Vec::new();
    }
    Response::parse(input).map(|response| changing(&response)).unwrap_or_default()
}

/// What differs from answer to answer though nothing has changed.
fn changing(response: &Response<'_>) -> Vec<Range<usize>> {
    let lives = response.records.iter().map(|record| record.ttl_at..record.ttl_at + 4);
    std::iter::once(0..2).chain(lives).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with one record whose own name begins at this offset.
    fn answer(name_at: u16) -> Vec<u8> {
        let mut message = enumerate(0x0334);
        message.splice(2..3, [0x84]);
        message.splice(7..8, [1]);
        message.extend((0xc000 | name_at).to_be_bytes());
        message.extend([0, 12, 0, 1, 0, 0, 0, 10, 0, 7, 5]);
        message.extend(b"_http\0");
        message
    }

    #[test]
    fn names_that_lead_through_what_changes_are_the_same_in_every_answer() {
        assert_eq!(parse(&answer(12)).expect("an answer").len(), 1);
        let mut understood = 0;
        for name_at in 0..60 {
            let bytes = answer(name_at);
            let Ok(services) = parse(&bytes) else { continue };
            let mut masked = bytes.clone();
            volatile(&bytes).into_iter().for_each(|part| masked.get_mut(part).unwrap_or_default().fill(0));
            assert_eq!(parse(&masked).as_ref(), Ok(&services), "a name at {name_at}");
            assert_eq!(volatile(&masked), volatile(&bytes), "a name at {name_at}");
            understood += 1;
        }
        assert!(understood > 3, "{understood}");
    }
}
