//! A list of targets as text: one a line, `ADDRESS PORT/TRANSPORT`, or `ADDRESS` alone for every port of the scope.
//!
//! ```text
//! # where to look next
//! 192.0.2.7 7547/tcp   # 7547/tcp where 80/tcp speaks RouterOS: 61 of 84 hosts
//! 192.0.2.9
//! 2001:db8::1 161/udp
//! ```
//!
//! What follows `#` is for people; empty lines are passed over. The text comes from outside: a line is at most
//! [`MAX_LINE_BYTES`] long, there are at most [`MAX_LINES`], and an error names its line.

use std::io::{self, BufRead, Read, Write};

use hinomi_model::address::AddressError;
use hinomi_model::{ServiceKey, Transport, parse_address};

use super::{Entry, List, MAX_LISTED};

/// The longest line.
const MAX_LINE_BYTES: usize = 1_024;

/// The most lines, those without a target counted.
const MAX_LINES: u64 = 1 << 27;

/// Why a list of targets cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Too many targets.
    #[error("the list has more than {MAX_LISTED} targets; make it two campaigns, or name ranges in a scope")]
    TooMany,
    /// Too many lines.
    #[error("the list has more than {MAX_LINES} lines")]
    TooManyLines,
    /// A line that is no target.
    #[error("line {line} of the list: {why}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// Why.
        why: LineError,
    },
    /// The text cannot be read or written.
    #[error("the list cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Why a line is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// Not as in the module.
    #[error("a target is ADDRESS PORT/TRANSPORT, as 192.0.2.7 443/tcp, or ADDRESS alone")]
    Form,
    /// Its first word is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Its second word is no port.
    #[error("{text:?} is not a port with its transport, as 443/tcp or 161/udp")]
    Port {
        /// What was given, at most 64 characters of it.
        text: String,
    },
    /// It is too long.
    #[error("it is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// It is not UTF-8.
    #[error("it is not text (UTF-8)")]
    NotText,
}

impl List {
    /// Reads a text. An address alone stands for these ports.
    ///
    /// # Errors
    /// When a line is no target, there are too many, or the text cannot be read.
    pub fn read(mut input: impl BufRead, ports: &[(Transport, u16)]) -> Result<Self, ListError> {
        let mut entries = Vec::new();
        let mut bytes = Vec::with_capacity(MAX_LINE_BYTES);
        for line in 1..=MAX_LINES {
            bytes.clear();
            // One byte more than fits, and the end of the line.
            let most = u64::try_from(MAX_LINE_BYTES + 2).unwrap_or(u64::MAX);
            if input.by_ref().take(most).read_until(b'\n', &mut bytes)? == 0 {
                return Ok(Self::of(entries));
            }
            let target = read_line(&bytes).map_err(|why| ListError::Line { line, why })?;
            let Some((address, port)) = target else { continue };
            let asked = port.as_ref().map_or(ports, std::slice::from_ref);
            if entries.len() + asked.len() > MAX_LISTED {
                return Err(ListError::TooMany);
            }
            entries.extend(
                asked
                    .iter()
                    .map(|(transport, port)| Entry::from(ServiceKey { address, port: *port, transport: *transport })),
            );
        }
        Err(ListError::TooManyLines)
    }

    /// Writes the list as text, every target with its port: [`List::read`] makes the same list of it.
    ///
    /// # Errors
    /// When `out` takes no more.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.iter().try_for_each(|key| writeln!(out, "{} {}/{}", key.address, key.port, key.transport))
    }
}

/// What a line names.
type Named = (std::net::IpAddr, Option<(Transport, u16)>);

fn read_line(bytes: &[u8]) -> Result<Option<Named>, LineError> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if line.len() > MAX_LINE_BYTES {
        return Err(LineError::TooLong);
    }
    let line = std::str::from_utf8(line).map_err(|_| LineError::NotText)?;
    let (target, _) = line.split_once('#').unwrap_or((line, ""));
    let mut words = target.split_ascii_whitespace();
    let Some(address) = words.next() else { return Ok(None) };
    let address = parse_address(address)?;
    let port = words.next().map(read_port).transpose()?;
    match words.next() {
        None => Ok(Some((address, port))),
        Some(_) => Err(LineError::Form),
    }
}

fn read_port(text: &str) -> Result<(Transport, u16), LineError> {
    let wrong = || LineError::Port { text: text.chars().take(64).collect() };
    let (port, transport) = text.split_once('/').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    match (port, transport.parse()) {
        (1.., Ok(transport)) if text.starts_with(|c: char| c.is_ascii_digit()) => Ok((transport, port)),
        _ => Err(wrong()),
    }
}
