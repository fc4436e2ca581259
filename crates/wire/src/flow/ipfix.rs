//! IPFIX (RFC 7011): messages of a header of 16 bytes and sets, in datagrams or as a stream.
//!
//! The number in the header counts data records. [`Framing`] finds the messages in a TCP stream, where nothing but
//! their own length parts them. Withdrawals of templates are honoured over UDP too, where no exporter should send them:
//! one that does means it.

use zeroize::Zeroizing;

use super::books::{Message, Seat};
use super::counts::{Part, Reason};
use super::exporter::DomainKey;
use super::record::FlowRecord;
use super::sequence::Unit;
use super::sets;
use super::times::Clock;
use crate::Malformed;

const HEADER_BYTES: usize = 16;
/// What the length in a header can say.
const MAX_MESSAGE_BYTES: usize = 65_535;
const VERSION: [u8; 2] = [0, 10];

/// Reads a datagram: one message, or several.
pub(super) fn read(seat: &mut Seat<'_>, datagram: &[u8], each: &mut impl FnMut(FlowRecord)) {
    let mut rest = datagram;
    loop {
        let (message, after) = match split(rest) {
            Ok(found) => found,
            Err(reason) => return seat.books.counts.refuse(reason, rest.len()),
        };
        let Some((header, body)) = message.split_first_chunk() else {
            return seat.books.counts.refuse(Reason::LengthMismatch, rest.len());
        };
        read_message(seat, header, body, each);
        rest = after;
        if !rest.starts_with(&VERSION) {
            return seat.books.counts.rest(rest, Reason::Leftover);
        }
    }
}

/// The next message, and what follows it.
fn split(rest: &[u8]) -> Result<(&[u8], &[u8]), Reason> {
    let header = rest.first_chunk::<HEADER_BYTES>().ok_or(Reason::TruncatedHeader)?;
    rest.split_at_checked(declared(header)).ok_or(Reason::LengthMismatch)
}

fn declared(header: &[u8; HEADER_BYTES]) -> usize {
    let [_, _, high, low, ..] = *header;
    usize::from(u16::from_be_bytes([high, low]))
}

fn read_message(seat: &mut Seat<'_>, header: &[u8; HEADER_BYTES], body: &[u8], each: &mut impl FnMut(FlowRecord)) {
    let [_, _, _, _, s0, s1, s2, s3, n0, n1, n2, n3, d0, d1, d2, d3] = *header;
    let key = DomainKey::Ipfix(u32::from_be_bytes([d0, d1, d2, d3]));
    let export_us = i64::from(u32::from_be_bytes([s0, s1, s2, s3])) * 1_000_000;
    let Seat { exporter, books, received } = seat;
    if exporter.domain(books, key).is_none() {
        return books.counts.refuse(Reason::TooManyDomains, HEADER_BYTES + body.len());
    }
    books.counts.understood(Part::Header, HEADER_BYTES);
    let clock = Clock::new(&books.limits, *received, export_us, None, &mut books.counts.clamped);
    let records = sets::read(seat, &mut Message { key, clock, body }, each);
    seat.exporter.see_number(key, Unit::Records, u32::from_be_bytes([n0, n1, n2, n3]), records);
}

/// Finds messages in a stream. Keeps at most one message that is not whole yet: 65,535 bytes. What it kept is wiped once
/// it was handed out, and at the end: subscribers' addresses stand in it.
///
/// After an error the stream has lost its place and must be closed (RFC 7011 section 10.4.3).
#[derive(Clone, Debug, Default)]
pub struct Framing {
    begun: Zeroizing<Vec<u8>>,
}

impl Framing {
    /// At the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of a message that is not whole yet.
    pub fn pending(&self) -> usize {
        self.begun.len()
    }

    /// Takes what the stream brought next, and hands out each message that is now whole.
    ///
    /// # Errors
    /// When the stream is not IPFIX or a length is impossible.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            let needed = needed(&self.begun)?;
            let (taken, after) = bytes.split_at_checked(needed).unwrap_or((bytes, &[]));
            if self.begun.capacity() == 0 {
                // At once: a list that grows leaves copies behind.
                self.begun.reserve_exact(MAX_MESSAGE_BYTES);
            }
            self.begun.extend_from_slice(taken);
            bytes = after;
            if !self.begun.is_empty() && needed_for_header(&self.begun) == 0 && needed_for_body(&self.begun)? == 0 {
                each(&self.begun);
                self.begun.fill(0);
                self.begun.clear();
            }
        }
        Ok(())
    }
}

/// How many bytes to take next.
fn needed(begun: &[u8]) -> Result<usize, Malformed> {
    match needed_for_header(begun) {
        0 => needed_for_body(begun),
        more => Ok(more),
    }
}

const fn needed_for_header(begun: &[u8]) -> usize {
    HEADER_BYTES.saturating_sub(begun.len())
}

fn needed_for_body(begun: &[u8]) -> Result<usize, Malformed> {
    let header = begun.first_chunk::<HEADER_BYTES>().ok_or(Malformed::Truncated { what: "IPFIX header", at: 0 })?;
    if !header.starts_with(&VERSION) {
        return Err(Malformed::Invalid { what: "IPFIX version", at: 0 });
    }
    match declared(header) {
        length if length >= HEADER_BYTES => Ok(length - begun.len()),
        _ => Err(Malformed::Invalid { what: "IPFIX message length", at: 2 }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(HEADER_BYTES + body.len()).expect("short");
        [&VERSION[..], &length.to_be_bytes(), &[0; 12], body].concat()
    }

    #[test]
    fn a_stream_of_something_else_is_refused() {
        let mut framing = Framing::new();
        let error = framing.push(b"GET / HTTP/1.1\r\n\r\n", |_| panic!("a message")).expect_err("not IPFIX");
        assert_eq!(error, Malformed::Invalid { what: "IPFIX version", at: 0 });
        let mut framing = Framing::new();
        let error = framing.push(&[0, 10, 0, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], |_| panic!("a message"));
        assert_eq!(error, Err(Malformed::Invalid { what: "IPFIX message length", at: 2 }));
    }

    proptest! {
        /// However a stream is cut into pieces, the same messages come out.
        #[test]
        fn cuts_do_not_matter(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
            cut in 1_usize..40,
        ) {
            let sent: Vec<_> = bodies.iter().map(|body| message(body)).collect();
            let mut seen = Vec::new();
            let mut framing = Framing::new();
            for piece in sent.concat().chunks(cut) {
                framing.push(piece, |message| seen.push(message.to_vec())).expect("a stream of IPFIX");
            }
            prop_assert_eq!(framing.pending(), 0);
            prop_assert_eq!(seen, sent);
        }
    }
}
