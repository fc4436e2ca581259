//! Files that other scanners wrote: nmap XML, masscan JSON, XML, lists and binary files, ZGrab2 JSON lines, exports of
//! Shodan and Censys, reports of Shadowserver.
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
pub mod censys;
mod detect;
mod error;
mod json;
mod lines;
pub mod masscan;
pub mod nmap;
mod seen;
pub mod shadowserver;
pub mod shodan;
mod words;
pub mod zgrab;

pub use detect::detect;
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
    /// `masscan -oL`.
    MasscanList,
    /// `masscan -oB`.
    MasscanBinary,
    /// `zgrab2`, one JSON object a line.
    Zgrab,
    /// `shodan download`, one JSON object a line.
    Shodan,
    /// Hosts of Censys's APIs.
    Censys,
    /// A report of Shadowserver in CSV, and which one, where that is known beforehand.
    Shadowserver(Option<&'static shadowserver::Report>),
}

/// Reads a file of that format.
pub fn read<'a, R: BufRead + Send + 'a>(
    format: Format,
    source: R,
) -> Box<dyn Iterator<Item = Result<Record, ScanError>> + Send + 'a> {
    match format {
        Format::Xml => Box::new(nmap::Records::new(source)),
        Format::MasscanJson => Box::new(masscan::Records::new(source)),
        Format::MasscanList => Box::new(masscan::list::Records::new(source)),
        Format::MasscanBinary => Box::new(masscan::binary::Records::new(source)),
        Format::Zgrab => Box::new(zgrab::Records::new(source, None)),
        Format::Shodan => Box::new(shodan::Records::new(source)),
        Format::Censys => Box::new(censys::Records::new(source)),
        Format::Shadowserver(report) => Box::new(shadowserver::Records::new(source, report)),
    }
}

/// A time in whole seconds since the epoch, as scanners write it.
fn epoch(seconds: &str) -> Option<Timestamp> {
    let seconds: i64 = seconds.trim().parse().ok()?;
    seconds.checked_mul(1_000_000).map(Timestamp::from_micros)
}

/// As [`utc`]; none where nothing is said. What is said and cannot be read is no reason to take another time.
fn told_time(text: &str) -> Result<Option<Timestamp>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let start = text.get(..text.floor_char_boundary(40)).unwrap_or_default();
    utc(text).map(Some).ok_or_else(|| format!("{start:?} is no time that we can read"))
}

/// A time as RFC 3339 has it, or one without a zone, which is in UTC, with a `T` or a blank before the hour.
fn utc(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let joined = text.replacen(' ', "T", 1);
    joined.parse().ok().or_else(|| format!("{joined}Z").parse().ok())
}

#[cfg(test)]
mod tests;
