//! Files that other scanners wrote: nmap XML, masscan JSON and XML, ZGrab2 JSON lines.
//!
//! ```text
//!   a file of any size --- BufRead ---> Records --- one Result<Record, ScanError> a service ---> the import
//! ```
//!
//! Readers stream: memory is bounded by the longest record ([`MAX_RECORD_BYTES`]), not by the file. A record that cannot
//! be read is an error with line and offset, and reading goes on where the format allows; an error that ends the file
//! ([`ScanError::ends_the_file`]) is the last thing that the iterator gives. The same file always gives the same records.

use std::io::BufRead;
use std::net::IpAddr;

use hinomi_model::address::Transport;
use hinomi_model::evidence::Evidence;
use hinomi_model::time::Timestamp;

mod bounded;
mod error;
mod json;
pub mod masscan;
pub mod nmap;
pub mod zgrab;

pub use error::ScanError;

/// The longest record that is read; what is longer is refused by that record's error.
pub const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

/// What a scanner says of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Something answered.
    Open,
    /// The host said that nothing is there.
    Closed,
    /// No answer came, or a firewall's.
    Filtered,
}

/// One service of somebody else's scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where.
    pub address: IpAddr,
    /// Which port.
    pub port: u16,
    /// Over what.
    pub transport: Transport,
    /// What was found.
    pub state: State,
    /// When it was seen, where the file says.
    pub time: Option<Timestamp>,
    /// The scanner's own words first, then what it saw, where it carries that.
    pub evidence: Vec<Evidence>,
}

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `nmap -oX`, and masscan's imitation of it.
    Xml,
    /// `masscan -oJ`.
    MasscanJson,
    /// `zgrab2`, one JSON object a line.
    Zgrab,
}

/// Which format a file has, by its first bytes (a few hundred are enough); none when it is none of them.
pub fn detect(start: &[u8]) -> Option<Format> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let says = |word: &[u8]| memchr::memmem::find(start, word).is_some();
    match start.first()? {
        b'<' => Some(Format::Xml),
        b'{' if says(b"\"data\"") => Some(Format::Zgrab),
        b'[' | b'{' | b',' if says(b"\"ports\"") || says(b"finished") || start.first() == Some(&b'[') => {
            Some(Format::MasscanJson)
        }
        _ => None,
    }
}

/// Reads a file of that format.
pub fn read<'a, R: BufRead + Send + 'a>(
    format: Format,
    source: R,
) -> Box<dyn Iterator<Item = Result<Record, ScanError>> + Send + 'a> {
    match format {
        Format::Xml => Box::new(nmap::Records::new(source)),
        Format::MasscanJson => Box::new(masscan::Records::new(source)),
        Format::Zgrab => Box::new(zgrab::Records::new(source, None)),
    }
}

/// A time in whole seconds since the epoch, as scanners write it.
fn epoch(seconds: &str) -> Option<Timestamp> {
    let seconds: i64 = seconds.trim().parse().ok()?;
    seconds.checked_mul(1_000_000).map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests;
