//! Where addresses are: a table of prefixes with AS number and country, from a file the user supplies.
//!
//! CSV after RFC 4180, `prefix,asn,name,country,prefecture`; trailing cells may be left out, empty cells are not known,
//! lines that begin with `#` and a heading are passed over. Lines that make no sense are counted, with their numbers.
//! At a hundred times the data: a table of all announced prefixes (1.3 million) takes about 150 MB; a look-up is one
//! hash for each prefix length in use.

mod at_hand;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use hinomi_model::address::{bounds, parse_prefix, to_u128};
use ipnet::IpNet;

use crate::error::LakeError;
pub(crate) use at_hand::{Counted, PlacesAtHand};

/// The file in the state folder.
pub(crate) const FILE: &str = "places.csv";

/// The most prefixes taken.
const MAX_PREFIXES: usize = 4_000_000;

/// The most bytes of one line.
const MAX_LINE_BYTES: usize = 4_096;

/// The most faulty lines kept with their reason; all are counted.
const MAX_KEPT_FAULTS: usize = 100;

/// What is known of a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// AS number.
    pub asn: Option<u32>,
    /// Name of the network.
    pub name: Option<String>,
    /// ISO 3166 country code, capital letters.
    pub country: Option<String>,
    /// Prefecture or region.
    pub prefecture: Option<String>,
}

/// A line that made no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Prefixes and what is known of them; the longest that contains an address counts.
#[derive(Clone, Debug, Default)]
pub struct Places {
    lengths: BTreeMap<Reverse<u8>, HashMap<u128, Place>>,
    prefixes: usize,
    faults: Vec<Fault>,
    faulty: u64,
}

impl Places {
    /// The table of a state folder, `places.csv`; empty when there is none.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn of_state(dir: &Path) -> Result<Self, LakeError> {
        let path = dir.join(FILE);
        match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            _ => Self::of_file(&path),
        }
    }

    /// The table of a file that is there.
    pub(crate) fn of_file(path: &Path) -> Result<Self, LakeError> {
        let file = File::open(path).map_err(LakeError::io("opening", path))?;
        let places = Self::read(BufReader::new(file)).map_err(LakeError::io("reading", path))?;
        if places.faulty > 0 {
            let first = places.faults.first().map_or(0, |fault| fault.line);
            tracing::warn!(file = %path.display(), lines = places.faulty, first, "lines that make no sense");
        }
        Ok(places)
    }

    /// Reads a table, to the end or to the bound.
    ///
    /// # Errors
    /// When reading fails; lines that make no sense are no error, see [`Places::faults`].
    pub fn read(mut source: impl BufRead) -> std::io::Result<Self> {
        let mut places = Self::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
            if source.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() == MAX_LINE_BYTES && !line.ends_with(b"\n") {
                source.skip_until(b'\n')?;
                places.fault(number, format!("longer than {MAX_LINE_BYTES} bytes"));
                continue;
            }
            places.take_line(number, &line);
        }
        Ok(places)
    }

    /// The table as text that reads the same, by prefix.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (Reverse(length), map) in &self.lengths {
            let mut known: Vec<_> = map.iter().collect();
            known.sort_unstable_by_key(|(network, _)| **network);
            for (network, place) in known {
                let address = Ipv6Addr::from_bits(*network);
                // IPv4 is mapped.
                match address.to_ipv4_mapped().zip(length.checked_sub(96)) {
                    Some((address, length)) => text.push_str(&format!("{address}/{length}")),
                    None => text.push_str(&format!("{address}/{length}")),
                }
                let asn = place.asn.map(|asn| asn.to_string());
                for cell in [&asn, &place.name, &place.country, &place.prefecture] {
                    let cell = cell.as_deref().unwrap_or_default().replace('"', "\"\"").replace(['\r', '\n'], " ");
                    text.push_str(&format!(",\"{cell}\""));
                }
                text.push('\n');
            }
        }
        text
    }

    fn take_line(&mut self, number: u64, line: &[u8]) {
        let Ok(text) = std::str::from_utf8(line) else { return self.fault(number, "not UTF-8".to_owned()) };
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.starts_with('#') || (number == 1 && text.starts_with("prefix")) {
            return;
        }
        match parse_line(text) {
            Ok(_) if self.prefixes >= MAX_PREFIXES => self.fault(number, format!("more than {MAX_PREFIXES} prefixes")),
            Ok((prefix, place)) => self.insert(prefix, place),
            Err(reason) => self.fault(number, reason),
        }
    }

    fn fault(&mut self, line: u64, reason: String) {
        self.faulty += 1;
        if self.faults.len() < MAX_KEPT_FAULTS {
            self.faults.push(Fault { line, reason });
        }
    }

    /// Sets what is known of a prefix.
    pub fn insert(&mut self, prefix: IpNet, place: Place) {
        let (network, _) = bounds(prefix);
        let map = self.lengths.entry(Reverse(mapped_length(prefix))).or_default();
        if map.insert(network, place).is_none() {
            self.prefixes += 1;
        }
    }

    /// What is known of an address, by the longest prefix that contains it.
    pub fn find(&self, address: IpAddr) -> Option<&Place> {
        let number = to_u128(address);
        self.lengths.iter().find_map(|(Reverse(length), map)| map.get(&(number & mask(*length))))
    }

    /// Whether nothing is known.
    pub const fn is_empty(&self) -> bool {
        self.prefixes == 0
    }

    /// How many prefixes are known.
    pub const fn len(&self) -> usize {
        self.prefixes
    }

    /// How many lines made no sense.
    pub const fn faulty(&self) -> u64 {
        self.faulty
    }

    /// The first of the lines that made no sense.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// Length of the prefix among IPv6 addresses, IPv4 being mapped.
const fn mapped_length(prefix: IpNet) -> u8 {
    match prefix {
        IpNet::V4(v4) => v4.prefix_len() + 96,
        IpNet::V6(v6) => v6.prefix_len(),
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(128 - length.min(128))).unwrap_or(0)
}

fn parse_line(text: &str) -> Result<(IpNet, Place), String> {
    let mut cells = cells(text)?.into_iter();
    let mut next = || cells.next().map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty());
    let prefix = next().ok_or("no prefix")?;
    let prefix = parse_prefix(&prefix).map_err(|error| error.to_string())?;
    let asn = next().map(|cell| parse_asn(&cell)).transpose()?;
    let name = next();
    let country = next().map(|cell| parse_country(&cell)).transpose()?;
    Ok((prefix, Place { asn, name, country, prefecture: next() }))
}

fn parse_asn(cell: &str) -> Result<u32, String> {
    let digits = cell.trim_start_matches(['A', 'S', 'a', 's']);
    digits.parse().map_err(|_| format!("{cell:?} is not an AS number"))
}

fn parse_country(cell: &str) -> Result<String, String> {
    if cell.len() != 2 || !cell.chars().all(|c| c.is_ascii_alphabetic()) {
        return Err(format!("{cell:?} is not a country code of two letters"));
    }
    Ok(cell.to_ascii_uppercase())
}

/// The cells of one CSV line. Cells do not span lines here.
fn cells(text: &str) -> Result<Vec<String>, String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let Some(cell) = cells.last_mut() else { break };
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            _ => cell.push(c),
        }
    }
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok(cells) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_counts_and_faults_are_counted() {
        let text = "prefix,asn,name,country,prefecture\n\
            192.0.2.0/24,64500,\"Example, Inc. \"\"A\"\"\",jp,Tokyo\n\
            # a remark\n\
            192.0.2.128/25,AS64501\n\
            2001:db8::/32,64502,,JP\n\
            0.0.0.0/0,,everywhere\n\
            300.0.0.0/8,1\n\
            10.0.0.0/8,many\n\
            10.0.0.0/8,1,x,Japan\n\
            10.0.0.0/8,\"1\n";
        let places = Places::read(text.as_bytes()).unwrap();
        let find = |text: &str| places.find(text.parse().unwrap());
        assert_eq!(find("192.0.2.1").unwrap().name.as_deref(), Some("Example, Inc. \"A\""));
        assert_eq!(find("192.0.2.1").unwrap().country.as_deref(), Some("JP"));
        assert_eq!(find("192.0.2.200").unwrap().asn, Some(64501));
        assert_eq!(find("2001:db8::1").unwrap().asn, Some(64502));
        assert_eq!(find("8.8.8.8").unwrap().name.as_deref(), Some("everywhere"));
        assert_eq!(find("2001:db9::1"), None);
        let lines: Vec<_> = places.faults().iter().map(|fault| fault.line).collect();
        assert_eq!((places.faulty(), lines), (4, vec![7, 8, 9, 10]));
        let again = Places::read(places.text().as_bytes()).unwrap();
        assert_eq!((again.faulty(), &again.lengths), (0, &places.lengths));
    }

    #[test]
    fn a_line_without_end_is_one_fault() {
        let mut text = vec![b'x'; 3 * MAX_LINE_BYTES];
        text.extend_from_slice(b"\n192.0.2.0/24,1\n");
        let places = Places::read(text.as_slice()).unwrap();
        assert_eq!((places.faulty(), places.len()), (1, 1));
    }
}
