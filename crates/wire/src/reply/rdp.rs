//! RDP: the connection request of X.224 with an RDP negotiation request (\[MS-RDPBCGR\] 2.2.1.1 and 2.2.1.2).
//!
//! It is the first message of every session and carries no name: what the server says is which security it wants.
//! Nothing of RDP follows it; where the server wants TLS, a handshake shows its certificate.

use std::ops::Range;

use crate::fields::Fields;
use crate::text::get;

/// Offers TLS and CredSSP: what the server chooses, or refuses, tells. Offered more, xrdp 0.9 hangs up.
pub const CONNECT: &[u8; 19] = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0";

/// Where the server's reference stands, which some choose anew each time.
const REFERENCE: Range<usize> = 6 + 2..6 + 4;
/// The negotiation response or failure behind the X.224 confirmation.
const NEGOTIATION: Range<usize> = 11..19;

/// Securities by number (2.2.1.2.1).
const SECURITIES: &[(u32, &str)] =
    &[(0, "standard"), (1, "tls"), (2, "credssp"), (4, "rdstls"), (8, "credssp-early"), (16, "aad")];

/// Whether the confirmation is there, or it is none.
pub fn complete(seen: &[u8]) -> bool {
    match seen {
        [3, 0, high, low, ..] => seen.len() >= usize::from(u16::from_be_bytes([*high, *low])),
        _ => seen.len() >= 4,
    }
}

/// What a server answered to the negotiation.
enum Negotiation {
    Chosen(u32),
    Refused(u32),
    /// A server from before 2003: its confirmation is whole and ends before it.
    None,
}

/// None where the confirmation is cut, or says something that the specification does not have.
fn negotiation(input: &[u8]) -> Option<Negotiation> {
    match (get(input, 2..4), get(input, NEGOTIATION)) {
        ([0, 11], _) if input.len() >= NEGOTIATION.start => Some(Negotiation::None),
        ([0, 19], [2, _, 8, 0, a, b, c, d]) => Some(Negotiation::Chosen(u32::from_le_bytes([*a, *b, *c, *d]))),
        ([0, 19], [3, _, 8, 0, a, b, c, d]) => Some(Negotiation::Refused(u32::from_le_bytes([*a, *b, *c, *d]))),
        _ => None,
    }
}

/// Whether the server waits for a TLS handshake now.
pub fn wants_tls(answer: &[u8]) -> bool {
    matches!(negotiation(answer), Some(Negotiation::Chosen(1..)))
}

/// `rdp.security` (`standard`, `tls`, `credssp`, ...) or `rdp.failure` (decimal, 2.2.1.2.2); neither where it is cut.
pub(super) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8]) {
    let number = NEGOTIATION.start + 4..NEGOTIATION.end;
    match negotiation(input) {
        Some(Negotiation::Chosen(chosen)) => {
            let name = SECURITIES.iter().find(|(of, _)| *of == chosen).map_or("other", |(_, name)| name);
            list.value("rdp.security", name.as_bytes().into(), number);
        }
        Some(Negotiation::Refused(code)) => list.value("rdp.failure", code.to_string().into_bytes().into(), number),
        Some(Negotiation::None) => {
            list.value("rdp.security", b"standard".as_slice().into(), 0..NEGOTIATION.start);
        }
        None => {}
    }
}

/// The server's reference.
pub(super) fn volatile(_input: &[u8]) -> Vec<Range<usize>> {
    vec![REFERENCE]
}
