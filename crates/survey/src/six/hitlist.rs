//! Reads hitlists: text, an IPv6 address or a small prefix a line.
//!
//! What stands behind the first blank, comma or `#` is passed over, so that lists with remarks, CSV with the address in
//! front, and what `hinomi candidates` itself prints are read. Lines that cannot be read are counted and never end the
//! reading: others' lists are long and imperfect. Memory is one line, whatever the file.

use std::io::{self, BufRead, Read};
use std::net::IpAddr;

use hinomi_model::address::{bounds, from_u128, parse_address, parse_prefix};
use serde::Serialize;

/// Longest line that is read.
const MAX_LINE_BYTES: u64 = 4 * 1024;

/// The most addresses that a prefix is written out to: /120, or /24 of IPv4.
const MAX_OF_PREFIX: u128 = 256;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Lines in all.
    pub lines: u64,
    /// Addresses, those of prefixes included.
    pub addresses: u64,
    /// Prefixes too wide to be written out.
    pub too_wide: u64,
    /// Lines that are no address.
    pub unreadable: u64,
    /// The first line that was not taken, counted from 1, and why.
    pub first_problem: Option<(u64, String)>,
}

/// Reads a list; `each` is called with every address in turn.
///
/// # Errors
/// When the file cannot be read on.
pub fn read(mut list: impl BufRead, mut each: impl FnMut(IpAddr)) -> io::Result<Listing> {
    let (mut read, mut line) = (Listing::default(), Vec::new());
    while next_line(&mut list, &mut line)? {
        read.lines += 1;
        let text = String::from_utf8_lossy(&line);
        let text = if read.lines == 1 { text.trim_start_matches('\u{feff}') } else { &text };
        let first = text.split(['#', ',', ';']).next().unwrap_or_default();
        let Some(word) = first.split_whitespace().next() else { continue };
        match addresses_of(word) {
            Ok(addresses) => {
                for address in addresses {
                    read.addresses += 1;
                    each(address);
                }
            }
            Err(problem) => read.problem(problem),
        }
    }
    Ok(read)
}

/// Reads a line without its end, cut at [`MAX_LINE_BYTES`]; false at the end of the file.
pub(super) fn next_line(list: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if list.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.ends_with(b"\n") {
        line.pop();
    } else if u64::try_from(line.len()).is_ok_and(|len| len >= MAX_LINE_BYTES) {
        list.skip_until(b'\n')?;
    }
    Ok(true)
}

enum Problem {
    TooWide(String),
    Unreadable(String),
}

impl Listing {
    fn problem(&mut self, problem: Problem) {
        let why = match problem {
            Problem::TooWide(why) => {
                self.too_wide += 1;
                why
            }
            Problem::Unreadable(why) => {
                self.unreadable += 1;
                why
            }
        };
        self.first_problem.get_or_insert((self.lines, why));
    }
}

fn addresses_of(word: &str) -> Result<impl Iterator<Item = IpAddr> + use<>, Problem> {
    let unreadable = |error: hinomi_model::address::AddressError| Problem::Unreadable(error.to_string());
    let word = word.trim_matches('"');
    let bare = word.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(word, |(inside, _)| inside);
    let (first, last) = match bare.contains('/') {
        true => bounds(parse_prefix(bare).map_err(unreadable)?),
        false => bounds(parse_address(bare).map_err(unreadable)?.into()),
    };
    if last - first >= MAX_OF_PREFIX {
        return Err(Problem::TooWide(format!("{bare} has more than {MAX_OF_PREFIX} addresses")));
    }
    Ok((first..=last).map(from_u128))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(text: &[u8]) -> (Vec<String>, Listing) {
        let mut taken = Vec::new();
        let read = read(text, |address| taken.push(address.to_string())).expect("readable");
        (taken, read)
    }

    #[test]
    fn what_people_write_is_read() {
        let text = "\u{feff}fd00::1\n# a remark\n\n  FD00:0:0::2\t# its remark\r\nfd00::3,2026-11-01,seen\n\
                    [fd00::4]:80\n\
                    fd00::a:0/127\n::ffff:192.0.2.7\n192.0.2.8 hitlist\n\"fd00::9\",\"x\"";
        let (addresses, read) = taken(text.as_bytes());
        let wanted =
            ["fd00::1", "fd00::2", "fd00::3", "fd00::4", "fd00::a:0", "fd00::a:1", "192.0.2.7", "192.0.2.8", "fd00::9"];
        assert_eq!(addresses, wanted);
        assert_eq!((read.lines, read.addresses, read.unreadable), (10, 9, 0));
    }

    #[test]
    fn what_is_no_address_is_counted_and_passed_over() {
        let long = [b"fd00::1 ".as_slice(), &[b'x'; 100_000], b"\nfd00::2\n"].concat();
        assert_eq!(taken(&long).0, ["fd00::1", "fd00::2"], "an endless line is one line");
        let (addresses, read) = taken(b"fe80::1%eth0\nfd00::/64\nfd00::/119\nnonsense\n\xff\xfe\xfd\nfd00::5\n");
        assert_eq!(addresses, ["fd00::5"]);
        assert_eq!((read.too_wide, read.unreadable), (2, 3));
        let (line, why) = read.first_problem.expect("the first");
        assert_eq!(line, 1);
        assert!(why.contains("zone"), "{why}");
        assert_eq!(taken(b"fd00::/120").0.len(), 256);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let (addresses, read) = taken(&bytes);
            prop_assert_eq!(u64::try_from(addresses.len()).expect("few"), read.addresses);
            prop_assert!(read.too_wide + read.unreadable <= read.lines);
        }

        #[test]
        fn every_address_comes_back(numbers in proptest::collection::vec(any::<u128>(), 0..50)) {
            let text: String = numbers.iter().map(|number| format!("{}\n", from_u128(*number))).collect();
            let canonical = |number: &u128| from_u128(*number).to_canonical().to_string();
            let wanted: Vec<String> = numbers.iter().map(canonical).collect();
            prop_assert_eq!(taken(text.as_bytes()).0, wanted);
        }
    }
}
