//! masscan's binary files (`-oB`), as its own `--readscan` reads them (`in-binary.c`, compared with what version 1.3.2
//! says of the same bytes).
//!
//! A file begins with a header of 99 bytes, `masscan/1.1` and zeroes. Records follow: a type, a length, both in groups
//! of seven bits, and so many bytes. The evidence is the words that masscan's plain list ([`super::list`]) has for the
//! same record, so both forms of a scan give the same evidence, up to what banners are extracts of: from number 16 on,
//! versions of masscan number that differently and files do not tell them apart, so such a banner is kept under its
//! number, `(28)`, and claims no protocol. Records of types that old versions wrote do not say which protocol they saw;
//! masscan guesses it from the port, we leave them out.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::net::{IpAddr, Ipv6Addr};

use hinomi_model::time::Timestamp;

use super::list::{self, Line};
use crate::malformed::Malformed;
use crate::read::Reader as Bytes;
use crate::scans::Record;
use crate::scans::bounded::Bounded;
use crate::scans::error::ScanError;
use crate::scans::lines::{Item, Step, Steps};

/// What begins a file of this format.
pub(in crate::scans) const MARK: &[u8] = b"masscan/1.1";

/// Bytes of the header, which also ends a file, as a record whose type and length are its first letters.
const HEADER_BYTES: usize = 99;

/// The longest record that masscan reads.
const MAX_BYTES: usize = 1024 * 1024;

/// The most bytes of a type or a length.
const MAX_GROUPS: usize = 3;

/// masscan's numbers of what it extracted, from 0, as far as all its versions agree: newer ones have a certificate
/// authority's certificate as number 16 and everything behind it one further, and their files do not say so.
const NAMES: &[&str] = &[
    "unknown",
    "unknown",
    "ssh",
    "ssh",
    "http",
    "ftp",
    "dns-ver",
    "snmp",
    "nbtstat",
    "ssl",
    "smb",
    "smtp",
    "pop",
    "imap",
    "zeroaccess",
    "X509",
];

/// Reads records from a file; see [`super::super`].
#[derive(Debug)]
pub struct Records<R>(Steps<Reader<R>>);

#[derive(Debug)]
struct Reader<R> {
    source: Bounded<R>,
    begun: bool,
    body: Vec<u8>,
}

impl<R: BufRead> Records<R> {
    /// Starts reading.
    pub const fn new(source: R) -> Self {
        Self(Steps::new(Reader { source: Bounded::new(source), begun: false, body: Vec::new() }))
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        self.0.next()
    }
}

impl<R: BufRead> Step for Reader<R> {
    fn step(&mut self, ready: &mut VecDeque<Item>) -> Result<bool, ScanError> {
        if !self.begun {
            self.read_header()?;
        }
        let position = self.source.position();
        let Some(kind) = self.read_number(true)? else { return Ok(false) };
        let length = self.read_number(false)?.unwrap_or_default();
        self.read_body(length)?;
        let refuse = |reason: String| Bounded::<R>::record_error(position, reason);
        match Kind::of(kind) {
            Some(Kind::Header) => {}
            Some(kind) => ready.push_back(record(kind, &self.body).map_err(refuse)),
            None => {
                let reason = format!("it has the type {kind}, which is none of those that we know of masscan");
                ready.push_back(Err(refuse(reason)));
            }
        }
        Ok(true)
    }
}

impl<R: BufRead> Reader<R> {
    fn read_header(&mut self) -> Result<(), ScanError> {
        self.begun = true;
        self.read_body(HEADER_BYTES)?;
        if self.body.starts_with(MARK) {
            return Ok(());
        }
        Err(self.source.file_error("it does not begin as masscan's binary files do"))
    }

    /// A number in groups of seven bits; none at the end of the file, where a record may begin.
    fn read_number(&mut self, begins: bool) -> Result<Option<usize>, ScanError> {
        let mut number = 0_usize;
        for group in 0..MAX_GROUPS {
            let Some(byte) = self.read_byte().map_err(|error| self.source.read_error(error))? else {
                return if begins && group == 0 { Ok(None) } else { Err(self.cut_off()) };
            };
            number = number << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(Some(number));
            }
        }
        Err(self.source.file_error("a type or length is longer than any of masscan's"))
    }

    fn read_byte(&mut self) -> io::Result<Option<u8>> {
        self.source.allow(1);
        let byte = self.source.fill_buf()?.first().copied();
        self.source.consume(usize::from(byte.is_some()));
        Ok(byte)
    }

    fn read_body(&mut self, length: usize) -> Result<(), ScanError> {
        if length > MAX_BYTES {
            return Err(self
                .source
                .file_error(format!("a record is longer than the {MAX_BYTES} bytes that masscan reads")));
        }
        self.body.clear();
        self.source.allow(usize::MAX);
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        let read = self.source.by_ref().take(limit).read_to_end(&mut self.body);
        let count = read.map_err(|error| self.source.read_error(error))?;
        if count < length { Err(self.cut_off()) } else { Ok(()) }
    }

    fn cut_off(&self) -> ScanError {
        self.source.file_error("it ends in the middle of a record: it was cut off")
    }
}

/// Types of records.
#[derive(Clone, Copy)]
enum Kind {
    /// The header again, at the end.
    Header,
    /// Without the protocol below.
    Old,
    /// A port of an IPv4 or IPv6 address, and its status.
    Port(&'static str, bool),
    /// A banner of an IPv4 address; whether the time to live stands before it.
    Banner(bool),
    /// A banner of an IPv6 address.
    Banner6,
}

impl Kind {
    fn of(number: usize) -> Option<Self> {
        match number {
            1..=4 => Some(Self::Old),
            5 => Some(Self::Banner(false)),
            6 => Some(Self::Port("open", false)),
            7 => Some(Self::Port("closed", false)),
            9 => Some(Self::Banner(true)),
            10 => Some(Self::Port("open", true)),
            11 => Some(Self::Port("closed", true)),
            13 => Some(Self::Banner6),
            0x6d => Some(Self::Header),
            _ => None,
        }
    }
}

fn record(kind: Kind, body: &[u8]) -> Result<Record, String> {
    let told = |error: Malformed| error.to_string();
    match kind {
        Kind::Old | Kind::Header => Err("an old version of masscan wrote it, which did not say tcp or udp".to_owned()),
        Kind::Port(status, false) => port(status, body).map_err(told)?,
        Kind::Port(status, true) => port6(status, body).map_err(told)?,
        Kind::Banner(timed) => banner(timed, body).map_err(told)?,
        Kind::Banner6 => banner6(body).map_err(told)?,
    }
}

/// A record, or what cannot be read of it as such.
type Told = Result<Result<Record, String>, Malformed>;

fn port(status: &str, body: &[u8]) -> Told {
    let mut bytes = Bytes::new(body);
    let (time, address) = (time(&mut bytes)?, IpAddr::from(bytes.array::<4>("address")?));
    let (protocol, port) = (bytes.u8("protocol")?, bytes.u16("port")?);
    Ok(line(status, protocol, port, address, time, None))
}

fn port6(status: &str, body: &[u8]) -> Told {
    let mut bytes = Bytes::new(body);
    let (time, protocol, port) = (time(&mut bytes)?, bytes.u8("protocol")?, bytes.u16("port")?);
    bytes.take(2, "reason and time to live")?;
    let address = address6(&mut bytes)?;
    Ok(line(status, protocol, port, address, time, None))
}

fn banner(timed: bool, body: &[u8]) -> Told {
    let mut bytes = Bytes::new(body);
    let (time, address) = (time(&mut bytes)?, IpAddr::from(bytes.array::<4>("address")?));
    let (protocol, port, name) = (bytes.u8("protocol")?, bytes.u16("port")?, bytes.u16("name")?);
    bytes.take(usize::from(timed), "time to live")?;
    Ok(line("banner", protocol, port, address, time, Some((name, bytes.rest()))))
}

fn banner6(body: &[u8]) -> Told {
    let mut bytes = Bytes::new(body);
    let (time, protocol, port) = (time(&mut bytes)?, bytes.u8("protocol")?, bytes.u16("port")?);
    let name = bytes.u16("name")?;
    bytes.take(1, "time to live")?;
    let address = address6(&mut bytes)?;
    Ok(line("banner", protocol, port, address, time, Some((name, bytes.rest()))))
}

fn time(bytes: &mut Bytes<'_>) -> Result<Option<Timestamp>, Malformed> {
    let seconds = i64::from(bytes.u32("time")?);
    Ok(seconds.checked_mul(1_000_000).map(Timestamp::from_micros))
}

fn address6(bytes: &mut Bytes<'_>) -> Result<IpAddr, Malformed> {
    let at = bytes.at();
    if bytes.u8("version of the address")? != 6 {
        return Err(Malformed::Invalid { what: "version of the address", at });
    }
    Ok(IpAddr::from(Ipv6Addr::from(bytes.array::<16>("address")?)).to_canonical())
}

fn line(
    status: &str,
    protocol: u8,
    port: u16,
    address: IpAddr,
    time: Option<Timestamp>,
    banner: Option<(u16, &[u8])>,
) -> Result<Record, String> {
    let protocol = match protocol {
        6 => "tcp",
        17 => "udp",
        other => return Err(format!("its protocol is number {other}, which is neither tcp nor udp")),
    };
    let rest = banner.map_or_else(String::new, |(name, bytes)| format!(" {} {}", named(name), list::escaped(bytes)));
    Line { status, protocol, port, address, time, rest: &rest }.record()
}

/// As masscan names it; a number of more than one meaning as masscan shows one that it does not know.
fn named(number: u16) -> String {
    NAMES.get(usize::from(number)).map_or_else(|| format!("({number})"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests;
