//! The record layer: handshake messages put together from records, each byte knowing where it came from.

use std::ops::Range;

use crate::{Malformed, Reader};

/// The longest record: 2^14 bytes and what encryption may add in TLS 1.2 (RFC 5246 section 6.2.3).
pub const MAX_RECORD_BYTES: usize = (1 << 14) + 2048;

/// The most handshake bytes read from one server.
pub const MAX_HANDSHAKE_BYTES: usize = 256 * 1024;

/// The most records read from one server; a server may put one byte in each, but has no reason to.
const MAX_RECORDS: usize = 1024;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
const SERVER_HELLO: u8 = 2;
const FATAL: u8 = 2;
const HEADER_BYTES: usize = 5;

/// Whether the first bytes a server sent can be TLS: an alert, or a record that starts with a ServerHello.
pub fn looks_like_tls(bytes: &[u8]) -> bool {
    let [kind, 3, 0..=4, high, low, body @ ..] = bytes else { return false };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    match (*kind, body) {
        (HANDSHAKE, [first, ..]) => *first == SERVER_HELLO && length <= MAX_RECORD_BYTES,
        (ALERT, [level, _, ..]) => length == 2 && matches!(level, 1 | 2),
        _ => false,
    }
}

/// One record around a short payload.
pub(super) fn encode(kind: u8, version: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let mut bytes = vec![kind];
    bytes.extend(version.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend(payload.iter().take(usize::from(length)));
    bytes
}

/// What a server's records hold in the clear.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The handshake messages, without record headers between them.
    pub(super) handshake: Vec<u8>,
    /// Where each run of handshake bytes starts: in `handshake`, and in the input.
    runs: Vec<(usize, usize)>,
    /// Level and description of the last alert, and where they stand.
    pub(super) alert: Option<([u8; 2], Range<usize>)>,
    /// The version of the first record.
    pub(super) version: u16,
    /// The server has begun to encrypt.
    pub(super) encrypted: bool,
    /// Why reading stopped early, if it did; a cut last record is none.
    pub(super) problem: Option<Malformed>,
}

impl Records {
    /// Reads records up to the first encrypted one, a fatal alert, or the end.
    ///
    /// # Errors
    /// When the input does not start with a record of a TLS server, or is too short to tell.
    pub(super) fn parse(input: &[u8]) -> Result<Self, Malformed> {
        let mut records = Self::default();
        let mut reader = Reader::new(input);
        records.version = first_version(input)?;
        for _ in 0..MAX_RECORDS {
            if reader.is_done() || records.encrypted || records.refused() {
                return Ok(records);
            }
            match records.read(&mut reader) {
                Ok(()) => {}
                Err(Malformed::Truncated { .. }) => return Ok(records),
                Err(problem) => {
                    records.problem = Some(problem);
                    return Ok(records);
                }
            }
        }
        records.problem = Some(Malformed::TooMuch { what: "TLS records", at: reader.at(), limit: MAX_RECORDS });
        Ok(records)
    }

    /// Whether the server has ended the handshake.
    pub(super) fn refused(&self) -> bool {
        matches!(self.alert, Some(([FATAL, _], _)))
    }

    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let at = reader.at();
        let kind = reader.u8("TLS record type")?;
        let [major, _minor] = reader.array("TLS record version")?;
        let length = usize::from(reader.u16("TLS record length")?);
        if major != 3 || length > MAX_RECORD_BYTES {
            return Err(Malformed::Invalid { what: "TLS record", at });
        }
        if kind == HANDSHAKE {
            // A record that is not all there yet still tells what has come of it.
            let payload = reader.rest();
            let payload = payload.get(..length.min(payload.len())).unwrap_or_default();
            self.push_handshake(payload, reader.at())?;
        }
        let start = reader.at();
        let payload = reader.take(length, "TLS record")?;
        match (kind, payload) {
            (HANDSHAKE, _) => Ok(()),
            (ALERT, [level, description]) => {
                // A warning (as: name not known) goes before the hello; the last word counts.
                self.alert = Some(([*level, *description], start..start + 2));
                Ok(())
            }
            // A longer alert is an encrypted one.
            (ALERT | CHANGE_CIPHER_SPEC | APPLICATION_DATA, _) => {
                self.encrypted = true;
                Ok(())
            }
            _ => Err(Malformed::Invalid { what: "TLS record type", at }),
        }
    }

    fn push_handshake(&mut self, payload: &[u8], at: usize) -> Result<(), Malformed> {
        if self.handshake.len() + payload.len() > MAX_HANDSHAKE_BYTES {
            return Err(Malformed::TooMuch { what: "TLS handshake", at, limit: MAX_HANDSHAKE_BYTES });
        }
        self.runs.push((self.handshake.len(), at));
        self.handshake.extend(payload);
        Ok(())
    }

    /// Where a byte of the handshake stands in the input.
    pub(super) fn input_at(&self, offset: usize) -> usize {
        let after = self.runs.partition_point(|(start, _)| *start <= offset);
        let run = after.checked_sub(1).and_then(|index| self.runs.get(index));
        run.map_or(0, |(start, at)| at + (offset - start))
    }

    /// The part of the input from the first to the last of these bytes of the handshake.
    pub(super) fn input_span(&self, range: Range<usize>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        self.input_at(range.start)..self.input_at(range.end - 1) + 1
    }
}

/// The version of the first record, if that is one a server may start with.
fn first_version(input: &[u8]) -> Result<u16, Malformed> {
    let mut reader = Reader::new(input);
    if !matches!(reader.u8("TLS record type")?, ALERT | HANDSHAKE) {
        // An SSL 2 answer lands here too: nothing newer is spoken there.
        return Err(Malformed::Invalid { what: "TLS record type", at: 0 });
    }
    let version = reader.u16("TLS record version")?;
    if version >> 8 != 3 || version & 0xFF > 4 {
        return Err(Malformed::Invalid { what: "TLS record version", at: 1 });
    }
    let length = reader.u16("TLS record length")?;
    if usize::from(length) > MAX_RECORD_BYTES {
        return Err(Malformed::Invalid { what: "TLS record length", at: HEADER_BYTES - 2 });
    }
    if let Some(first) = reader.rest().first()
        && input.first() == Some(&HANDSHAKE)
        && *first != SERVER_HELLO
    {
        return Err(Malformed::Invalid { what: "TLS ServerHello", at: HEADER_BYTES });
    }
    Ok(version)
}
