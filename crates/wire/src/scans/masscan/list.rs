//! masscan's plain lists (`-oL`): a line a port, `open tcp 80 192.0.2.1 1700000000`, and a line a banner, with the
//! protocol and the text behind the time.
//!
//! The format is what masscan's `out-text.c` writes (1.3.2). Its banners keep what is printable but quotes, angle
//! brackets, `&` and the backslash, and have every other byte as `\xNN`, so the bytes of a banner can be had again.

use std::collections::VecDeque;
use std::io::BufRead;
use std::net::IpAddr;

use hinomi_model::address::parse_address;
use hinomi_model::evidence::{Evidence, EvidenceKind};
use hinomi_model::time::Timestamp;

use super::Service;
use crate::scans::error::ScanError;
use crate::scans::lines::{Got, Item, Lines, Step, Steps};
use crate::scans::{Record, State, epoch};

/// What begins a file of this format.
pub(in crate::scans) const MARK: &[u8] = b"#masscan";

/// Reads records from a file; see [`super::super`].
#[derive(Debug)]
pub struct Records<R>(Steps<Reader<R>>);

#[derive(Debug)]
struct Reader<R>(Lines<R>);

impl<R: BufRead> Records<R> {
    /// Starts reading.
    pub const fn new(source: R) -> Self {
        Self(Steps::new(Reader(Lines::new(source))))
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
        match self.0.next()? {
            Got::End => return Ok(false),
            Got::TooLong => ready.push_back(Err(self.0.too_long())),
            // `#masscan` and `# end`.
            Got::Line if self.0.bytes().is_empty() || self.0.bytes().starts_with(b"#") => {}
            Got::Line => ready.push_back(record(self.0.bytes()).map_err(|reason| self.0.refuse(reason))),
        }
        Ok(true)
    }
}

/// Whether a line is one of this format.
pub(in crate::scans) fn is_line(line: &[u8]) -> bool {
    record(line.trim_ascii()).is_ok()
}

/// The parts of a line.
pub(super) struct Line<'a> {
    pub(super) status: &'a str,
    pub(super) protocol: &'a str,
    pub(super) port: u16,
    pub(super) address: IpAddr,
    pub(super) time: Option<Timestamp>,
    /// Empty, or a blank, what was extracted, a blank, and the text.
    pub(super) rest: &'a str,
}

fn record(line: &[u8]) -> Result<Record, String> {
    let line = str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut words = line.splitn(6, ' ');
    let mut word =
        |name: &str| words.next().filter(|word| !word.is_empty()).ok_or(format!("it ends before its {name}"));
    let (status, protocol, port) = (word("status")?, word("protocol")?, word("port")?);
    let (address, time) = (word("address")?, word("time")?);
    let port = port.parse().map_err(|_| format!("{:?} is no port number", port.get(..40).unwrap_or(port)))?;
    let address = parse_address(address).map_err(|error| error.to_string())?;
    let rest = words.next().map_or_else(String::new, |rest| format!(" {rest}"));
    Line { status, protocol, port, address, time: epoch(time), rest: &rest }.record()
}

impl Line<'_> {
    pub(super) fn record(&self) -> Result<Record, String> {
        let state = match self.status {
            "open" | "banner" => State::Open,
            "closed" => State::Closed,
            _ => return Err("it says neither open nor closed nor banner".to_owned()),
        };
        let transport = self.protocol.parse().map_err(|error| format!("{error}"))?;
        let kept = format!("{} {} {}{}", self.status, self.protocol, self.port, self.rest);
        let seen = service(kept.as_bytes()).as_ref().and_then(Service::seen);
        let mut evidence = vec![Evidence::new(EvidenceKind::MasscanRecord, kept)];
        evidence.extend(seen);
        Ok(Record { address: self.address, port: self.port, transport, state, time: self.time, evidence })
    }
}

/// What a line without address and time says of the service.
pub(super) fn service(kept: &[u8]) -> Option<Service> {
    let text = str::from_utf8(kept).ok()?;
    let (name, banner) = text.strip_prefix("banner ")?.splitn(3, ' ').nth(2)?.split_once(' ')?;
    Some(Service { name: name.to_owned(), banner: plain(banner) })
}

/// Bytes in place of their escapes, each as the character of that number.
fn plain(banner: &str) -> String {
    let mut text = String::with_capacity(banner.len());
    let mut rest = banner;
    while let Some((before, after)) = rest.split_once("\\x") {
        text.push_str(before);
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => text.push(char::from(byte)),
            None => text.push_str("\\x"),
        }
        rest = digits.map_or(after, |digits| after.get(digits.len()..).unwrap_or_default());
    }
    text + rest
}

/// The text of a banner, as masscan writes it.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'<' | b'>' | b'&' | b'\\' | b'"' | b'\'' => text.push_str(&format!("\\x{byte:02x}")),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use hinomi_model::address::Transport;
    use proptest::prelude::*;

    use super::*;
    use crate::scans::{Format, detect};

    fn read(text: &str) -> (Vec<Record>, Vec<String>) {
        let (good, bad): (Vec<_>, Vec<_>) = Records::new(Cursor::new(text)).partition(Result::is_ok);
        let errors = bad.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        (good.into_iter().filter_map(Result::ok).collect(), errors)
    }

    fn claim(record: &Record, name: &str) -> Option<String> {
        let first = record.evidence.first()?;
        let list = crate::fields(first.kind, &first.bytes);
        list.iter().find(|field| field.name == name).map(|field| field.text().into_owned())
    }

    #[test]
    fn ports_and_banners() {
        let text = "#masscan\nopen tcp 80 192.0.2.1 1700000000\nclosed udp 53 2001:db8::1 1700000001\n\
            banner tcp 22 192.0.2.1 1700000002 ssh SSH-2.0-x\\x0d\\x0a\nbanner tcp 80 192.0.2.1 1700000003 title a \\x3cb\\x3e\n# end\n";
        assert_eq!(detect(text.as_bytes()), Some(Format::MasscanList));
        assert_eq!(detect(text.split_once('\n').map_or(&[], |(_, rest)| rest.as_bytes())), Some(Format::MasscanList));
        let (records, errors) = read(text);
        assert_eq!(errors, Vec::<String>::new());
        let [open, closed, ssh, title] = &*records else { panic!("four records: {records:?}") };
        assert_eq!((open.port, open.transport, open.state), (80, Transport::Tcp, State::Open));
        assert_eq!((closed.port, closed.transport, closed.state), (53, Transport::Udp, State::Closed));
        assert_eq!(open.time, epoch("1700000000"));
        let seen: Vec<_> = ssh.evidence.iter().map(|evidence| (evidence.kind, &*evidence.bytes)).collect();
        let words = &b"banner tcp 22 ssh SSH-2.0-x\\x0d\\x0a"[..];
        assert_eq!(seen, [(EvidenceKind::MasscanRecord, words), (EvidenceKind::Banner, &b"SSH-2.0-x\r\n"[..])]);
        assert_eq!(claim(ssh, "claim.protocol").as_deref(), Some("ssh"));
        assert_eq!(claim(title, "claim.banner").as_deref(), Some("a <b>"));
        assert_eq!(claim(open, "claim.protocol"), None);
    }

    #[test]
    fn bad_lines_are_told_apart() {
        let text = "open icmp 0 192.0.2.1 1\nopen tcp 80\nopen tcp 99999 192.0.2.1 1\nhello\nup tcp 1 192.0.2.1 1\n\
            open tcp 1 x 1\nopen tcp 80 192.0.2.1 1\n";
        let (records, errors) = read(text);
        assert_eq!((records.len(), errors.len()), (1, 6), "{errors:?}");
        for part in
            ["icmp", "ends before its address", "\"99999\" is no port", "ends before its protocol", "neither open"]
        {
            assert!(errors.iter().any(|error| error.contains(part)), "{part}: {errors:?}");
        }
    }

    proptest! {
        #[test]
        fn a_banner_of_any_bytes_reads_back(bytes in prop::collection::vec(any::<u8>(), 1..60)) {
            let escaped = escaped(&bytes);
            let read = service(format!("banner tcp 1 ssh {escaped}").as_bytes()).expect("a service");
            let back: Vec<u8> = read.banner.chars().filter_map(|one| u8::try_from(u32::from(one)).ok()).collect();
            prop_assert_eq!(back, bytes);
        }
    }
}
