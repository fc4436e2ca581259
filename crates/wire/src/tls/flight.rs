//! The server's flight: ServerHello, certificates, key exchange, alert.

use std::ops::Range;

use super::names::{is_dhe, is_ecdhe};
use super::record::Records;
use crate::{Malformed, Reader};

/// The most certificates of a chain that are kept.
pub const MAX_CERTIFICATES: usize = 16;

/// The longest ServerHello that is read: it must fit one record of a summary. The largest real key shares take 1.6 kB.
const MAX_SERVER_HELLO_BYTES: usize = 8 * 1024;

/// The most extensions read from a ServerHello.
const MAX_EXTENSIONS: usize = 64;

const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
pub(super) const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;
/// ECCurveType of RFC 8422 section 5.4.
pub(super) const NAMED_CURVE: u8 = 3;

const EXTENSION_ALPN: u16 = 16;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;
const EXTENSION_KEY_SHARE: u16 = 51;

/// From this version on the server encrypts right after its hello. Drafts of TLS 1.3 are 0x7Fxx.
const TLS_1_3: u16 = 0x0304;

/// SHA-256 of `HelloRetryRequest`: the random that makes a ServerHello one (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2, 0xA2, 0x11,
    0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// An alert in the clear (RFC 8446 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// 1 warning, 2 fatal.
    pub level: u8,
    /// As 40, `handshake_failure`.
    pub description: u8,
}

/// What a server said in the clear so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFlight {
    /// The version agreed, as 0x0303 for TLS 1.2.
    pub version: Option<u16>,
    /// The cipher suite agreed.
    pub cipher: Option<u16>,
    /// The application protocol agreed, if the server says so in the clear.
    pub alpn: Option<Vec<u8>>,
    /// The group of the key exchange.
    pub group: Option<u16>,
    /// The length in bytes of the prime of a Diffie-Hellman exchange of its own, up to TLS 1.2.
    pub dh_prime_bytes: Option<u16>,
    /// The last alert: a refusal if its level is 2.
    pub alert: Option<Alert>,
    /// The server asks for another hello: it speaks TLS 1.3 but not with our key share's group.
    pub hello_retry: bool,
    /// The chain, DER, the server's own first. Up to TLS 1.2 only: later it is encrypted.
    pub certificates: Vec<Vec<u8>>,
    /// Nothing more will come in the clear.
    pub done: bool,
    /// Why not everything could be read, if so.
    pub problem: Option<Malformed>,

    pub(super) record_version: u16,
    /// The ServerHello message as sent, header included.
    pub(super) server_hello: Vec<u8>,
    pub(super) group_from_key_exchange: bool,
    pub(super) spans: Spans,
    /// Places of the input that hold random bytes.
    pub(super) volatile: Vec<usize>,
}

/// Where in the input the parts stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    pub(super) version: Range<usize>,
    pub(super) cipher: Range<usize>,
    pub(super) alpn: Range<usize>,
    pub(super) group: Range<usize>,
    pub(super) dh_prime: Range<usize>,
    pub(super) alert: Range<usize>,
}

impl ServerFlight {
    /// Reads what a server sent, from its first byte, as far as it has come.
    ///
    /// # Errors
    /// When the bytes are not TLS of a server, or too few to tell. What is wrong later is [`ServerFlight::problem`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let records = Records::parse(bytes)?;
        let mut flight = Self { record_version: records.version, ..Self::default() };
        match flight.read_messages(&records) {
            Ok(()) | Err(Malformed::Truncated { .. }) => {}
            Err(problem) => flight.problem = Some(problem),
        }
        let refused = records.refused();
        if let Some(([level, description], span)) = records.alert {
            flight.alert = Some(Alert { level, description });
            flight.spans.alert = span;
        }
        flight.problem = flight.problem.or(records.problem);
        let stopped = flight.problem.is_some() || refused || records.encrypted;
        flight.done = flight.done || stopped;
        Ok(flight)
    }

    fn read_messages(&mut self, records: &Records) -> Result<(), Malformed> {
        let mut reader = Reader::new(&records.handshake);
        while !reader.is_done() && !self.done {
            let start = reader.at();
            let kind = reader.u8("TLS handshake type")?;
            let length = usize::try_from(reader.u24("TLS handshake length")?).unwrap_or(usize::MAX);
            let at = reader.at();
            let Ok(body) = reader.take(length, "TLS handshake message") else {
                // Not all there: the hello's message may still tell something later, nothing is guessed now.
                return Ok(());
            };
            let mut message = Message { records, reader: Reader::new(body), at };
            let whole = records.handshake.get(start..reader.at()).unwrap_or_default();
            self.read_message(kind, &mut message, whole).map_err(|error| within(&error, records, at))?;
        }
        Ok(())
    }

    fn read_message(&mut self, kind: u8, message: &mut Message<'_>, whole: &[u8]) -> Result<(), Malformed> {
        match kind {
            SERVER_HELLO if whole.len() > MAX_SERVER_HELLO_BYTES => {
                return Err(Malformed::TooMuch { what: "TLS ServerHello", at: 0, limit: MAX_SERVER_HELLO_BYTES });
            }
            // What came between two would belong to the first and be stored with the second.
            SERVER_HELLO if !self.server_hello.is_empty() => {
                return Err(Malformed::Invalid { what: "TLS ServerHello, a second one", at: 0 });
            }
            SERVER_HELLO => {
                self.server_hello = whole.to_vec();
                self.read_server_hello(message)?;
                self.done = self.hello_retry || self.version.is_some_and(encrypts_certificates);
            }
            CERTIFICATE => self.read_certificates(message)?,
            SERVER_KEY_EXCHANGE => self.read_key_exchange(message),
            SERVER_HELLO_DONE => self.done = true,
            // Certificate status, certificate request and the like.
            _ => {}
        }
        Ok(())
    }

    fn read_server_hello(&mut self, message: &mut Message<'_>) -> Result<(), Malformed> {
        let span = message.span(2);
        self.version = Some(message.reader.u16("TLS version")?);
        self.spans.version = span;
        let random_at = message.offset();
        let random: [u8; 32] = message.reader.array("TLS random")?;
        self.hello_retry = random == RETRY_RANDOM;
        if !self.hello_retry {
            self.volatile.extend(message.places(random_at, 32));
        }
        let session_bytes = usize::from(message.reader.u8("TLS session id length")?);
        self.volatile.extend(message.places(message.offset(), session_bytes));
        message.reader.take(session_bytes, "TLS session id")?;
        let span = message.span(2);
        self.cipher = Some(message.reader.u16("TLS cipher suite")?);
        self.spans.cipher = span;
        message.reader.u8("TLS compression")?;
        // A hello of TLS 1.0 may end here.
        if message.reader.is_done() {
            return Ok(());
        }
        message.reader.u16("TLS extensions length")?;
        for _ in 0..MAX_EXTENSIONS {
            if message.reader.is_done() {
                return Ok(());
            }
            self.read_extension(message)?;
        }
        Err(Malformed::TooMuch { what: "TLS extensions", at: message.reader.at(), limit: MAX_EXTENSIONS })
    }

    fn read_extension(&mut self, message: &mut Message<'_>) -> Result<(), Malformed> {
        let kind = message.reader.u16("TLS extension")?;
        let length = usize::from(message.reader.u16("TLS extension length")?);
        let at = message.offset();
        let data = message.reader.take(length, "TLS extension data")?;
        match (kind, data) {
            (EXTENSION_SUPPORTED_VERSIONS, [high, low]) => {
                self.version = Some(u16::from_be_bytes([*high, *low]));
                self.spans.version = message.records.input_span(at..at + 2);
            }
            (EXTENSION_KEY_SHARE, [high, low, share @ ..]) => {
                self.group = Some(u16::from_be_bytes([*high, *low]));
                self.spans.group = message.records.input_span(at..at + 2);
                // Two bytes of length, then the share.
                self.volatile.extend(message.places(at + 4, share.len().saturating_sub(2)));
            }
            (EXTENSION_ALPN, [_, _, length, name @ ..]) if usize::from(*length) == name.len() => {
                self.alpn = Some(name.to_vec());
                self.spans.alpn = message.records.input_span(at + 3..at + 3 + name.len());
            }
            _ => {}
        }
        Ok(())
    }

    /// RFC 5246 section 7.4.2: a list of certificates, each behind its length.
    fn read_certificates(&mut self, message: &mut Message<'_>) -> Result<(), Malformed> {
        message.reader.u24("TLS certificate list")?;
        while !message.reader.is_done() {
            let length = usize::try_from(message.reader.u24("TLS certificate length")?).unwrap_or(usize::MAX);
            let certificate = message.reader.take(length, "TLS certificate")?;
            if self.certificates.len() == MAX_CERTIFICATES {
                let at = message.reader.at();
                return Err(Malformed::TooMuch { what: "TLS certificates", at, limit: MAX_CERTIFICATES });
            }
            self.certificates.push(certificate.to_vec());
        }
        Ok(())
    }

    /// Elliptic curves name a group, other groups tell their size; everything else in the message is random.
    fn read_key_exchange(&mut self, message: &mut Message<'_>) {
        let body = message.reader.rest();
        let at = message.offset();
        let named = match body {
            [NAMED_CURVE, high, low, ..] if self.cipher.is_some_and(is_ecdhe) => {
                Some(u16::from_be_bytes([*high, *low]))
            }
            _ => None,
        };
        let mut stable = 0;
        if let Some(group) = named {
            self.group = Some(group);
            self.group_from_key_exchange = true;
            self.spans.group = message.records.input_span(at + 1..at + 3);
            stable = 3;
        }
        if let ([high, low, _, ..], true) = (body, self.cipher.is_some_and(is_dhe)) {
            self.dh_prime_bytes = Some(u16::from_be_bytes([*high, *low]));
            self.spans.dh_prime = message.records.input_span(at..at + 2);
            stable = 2;
        }
        self.volatile.extend(message.places(at + stable, body.len() - stable));
    }
}

fn encrypts_certificates(version: u16) -> bool {
    version >= TLS_1_3
}

/// A message is all there: bytes missing inside it will not come.
fn within(error: &Malformed, records: &Records, at: usize) -> Malformed {
    match *error {
        Malformed::Truncated { what, at: inside } | Malformed::Invalid { what, at: inside } => {
            Malformed::Invalid { what, at: records.input_at(at + inside) }
        }
        Malformed::TooMuch { what, at: inside, limit } => {
            Malformed::TooMuch { what, at: records.input_at(at + inside), limit }
        }
    }
}

/// The body of one handshake message and where it stands in the handshake.
struct Message<'a> {
    records: &'a Records,
    reader: Reader<'a>,
    at: usize,
}

impl Message<'_> {
    /// The next byte's offset in the handshake.
    fn offset(&self) -> usize {
        self.at + self.reader.at()
    }

    /// Where the next bytes stand in the input.
    fn span(&self, count: usize) -> Range<usize> {
        self.records.input_span(self.offset()..self.offset() + count)
    }

    /// Where these bytes of the handshake stand in the input, one by one: records may lie between them.
    fn places(&self, offset: usize, count: usize) -> Vec<usize> {
        let end = offset.saturating_add(count).min(self.records.handshake.len());
        (offset..end).map(|offset| self.records.input_at(offset)).collect()
    }
}
