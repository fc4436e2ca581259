//! Lists of known C&C endpoints, one entry a line, as maltrail's static trails write them.
//!
//! ```text
//!   # Reference: https://example.net/2018/07/a-botnet/    entries below it were told then, not before
//!   203.0.113.9:1337                                      an endpoint
//!   203.0.113.9                                           a host, no port told
//!   bad.example  /payload.sh  http://bad.example/x        names and paths: counted, flows do not carry them
//! ```
//!
//! A list is somebody else's text: lines are bounded ([`MAX_LINE_BYTES`]), a line that cannot be read is an error with its
//! number and reading goes on. Format: <https://github.com/stamparm/maltrail>, folder `trails/static`.

use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv6Addr};

/// The longest line that is read; what is longer is refused, the next line is read.
pub const MAX_LINE_BYTES: usize = 4096;

/// What one line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A port of a host was a C&C server.
    Endpoint {
        /// The host.
        address: IpAddr,
        /// Its port, never 0.
        port: u16,
    },
    /// A host was bad, no port told.
    Host(IpAddr),
    /// A name, a path or an URL by name: nothing that a flow could match.
    Name,
    /// A source that was published in that month: what follows it, up to the next source, was known then.
    Source(Option<Month>),
    /// Blank, or a comment.
    Nothing,
}

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// 2000 to 2099.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

/// Why a line, or the rest of the list, was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The system could not read on; nothing follows.
    #[error("could not read on at line {line}: {source}")]
    Read {
        /// Line, from 1.
        line: u64,
        /// The system's words.
        source: io::Error,
    },
    /// Longer than [`MAX_LINE_BYTES`].
    #[error("line {line} is longer than {MAX_LINE_BYTES} bytes and was left out")]
    TooLong {
        /// Line, from 1.
        line: u64,
    },
    /// Looks like an address and is none, or one that no server has.
    #[error("line {line} was left out: {reason}")]
    Line {
        /// Line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: Refusal,
    },
}

/// What is wrong with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Bytes that are no text of a list.
    #[error("it is not UTF-8 text")]
    NotText,
    /// A port that does not exist.
    #[error("its port is not 1 to 65535")]
    Port,
    /// Private, loopback, multicast or unspecified: no C&C server of the Internet has it.
    #[error("its address is not one of the public Internet")]
    NotPublic,
}

/// Reads a list line by line; memory is bounded by the longest line allowed.
#[derive(Debug)]
pub struct Lines<R> {
    source: R,
    line: u64,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// A reader at the first line.
    pub const fn new(source: R) -> Self {
        Self { source, line: 0, ended: false }
    }

    /// One whole line without its end; `Ok(None)` is one that was too long.
    fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut kept = Vec::new();
        let mut too_long = false;
        loop {
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                self.ended = true;
                return Ok((!too_long).then_some(kept));
            }
            let end = memchr::memchr(b'\n', available);
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            too_long |= kept.len() + part.len() > MAX_LINE_BYTES;
            if !too_long {
                kept.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.source.consume(used);
            if end.is_some() {
                return Ok((!too_long).then_some(kept));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Entry, SeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.line = self.line.saturating_add(1);
        let line = self.line;
        match self.take() {
            Err(source) => {
                self.ended = true;
                Some(Err(SeedError::Read { line, source }))
            }
            Ok(None) => Some(Err(SeedError::TooLong { line })),
            Ok(Some(bytes)) if bytes.is_empty() && self.ended => None,
            Ok(Some(bytes)) => Some(entry(&bytes).map_err(|reason| SeedError::Line { line, reason })),
        }
    }
}

/// Reads one line, without its end.
pub fn entry(line: &[u8]) -> Result<Entry, Refusal> {
    let text = std::str::from_utf8(line).map_err(|_| Refusal::NotText)?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if let Some(comment) = text.strip_prefix('#') {
        return Ok(source(comment));
    }
    // What stands behind an entry is a remark.
    let text = text.split(['#', ' ', '\t']).next().unwrap_or_default();
    if text.is_empty() {
        return Ok(Entry::Nothing);
    }
    let text = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).unwrap_or(text);
    let host = text.split('/').next().unwrap_or_default();
    match split(host) {
        None => Ok(Entry::Name),
        Some((address, _)) if !public(address) => Err(Refusal::NotPublic),
        Some((address, None)) => Ok(Entry::Host(address)),
        Some((address, Some(port))) => match port.parse::<u16>() {
            Ok(port) if port != 0 => Ok(Entry::Endpoint { address, port }),
            _ => Err(Refusal::Port),
        },
    }
}

/// `1.2.3.4`, `1.2.3.4:5`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:5`.
fn split(host: &str) -> Option<(IpAddr, Option<&str>)> {
    if let Some(rest) = host.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        return Some((IpAddr::V6(address), port.strip_prefix(':')));
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some((address, None));
    }
    let (address, port) = host.split_once(':')?;
    Some((IpAddr::V4(address.parse().ok()?), Some(port)))
}

fn public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            !(four.is_private()
                || four.is_loopback()
                || four.is_multicast()
                || four.is_unspecified()
                || four.is_link_local()
                || four.is_broadcast())
        }
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => public(IpAddr::V4(four)),
            None => {
                !(six.is_loopback()
                    || six.is_multicast()
                    || six.is_unspecified()
                    || six.is_unique_local()
                    || six.is_unicast_link_local())
            }
        },
    }
}

/// A comment that names a source starts a new block; many sources carry year and month in their address.
fn source(comment: &str) -> Entry {
    match comment.trim_start().strip_prefix("Reference") {
        Some(rest) => Entry::Source(month(rest)),
        None => Entry::Nothing,
    }
}

/// The first `/YYYY/MM` or `/YYYY-MM` of an address.
fn month(text: &str) -> Option<Month> {
    let parts = text.split('/').skip(1);
    let following = text.split('/').skip(2).map(Some).chain([None]);
    parts.zip(following).find_map(|(part, next)| {
        let (year, rest) = part.split_at_checked(4)?;
        let month = match rest.strip_prefix('-') {
            Some(rest) => rest.get(..2)?,
            None if rest.is_empty() => next?.get(..2)?,
            None => return None,
        };
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        ((2000..2100).contains(&year) && (1..=12).contains(&month)).then_some(Month { year, month })
    })
}

#[cfg(test)]
mod tests;
