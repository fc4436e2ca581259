//! Which format a file has, by its beginning.
//!
//! JSON is told apart by the names of the first object's own members, never by words somewhere in a text: what a
//! scanned host says stands in these files too.

use memchr::memchr;

use super::Format;
use super::censys::WRAPPERS;
use super::masscan::{binary, list};

/// The most names that are looked at.
const MAX_NAMES: usize = 256;

/// Which format a file has, by its first bytes; none when it is none of them. A few hundred bytes are enough for most,
/// but members of JSON objects may stand in any order: give what is at hand, up to 64 KiB.
pub fn detect(start: &[u8]) -> Option<Format> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    match start.first()? {
        b'<' => Some(Format::Xml),
        b'[' | b'{' | b',' => json(start),
        _ => lines(start),
    }
}

fn json(start: &[u8]) -> Option<Format> {
    let names = names(start);
    let has = |name: &str| names.contains(&name.as_bytes());
    if has("_shodan") || has("ip_str") || has("transport") && has("port") && has("data") {
        return Some(Format::Shodan);
    }
    if has("services") || WRAPPERS.iter().any(|name| has(name)) {
        return Some(Format::Censys);
    }
    match start.first() {
        Some(b'{') if has("data") => Some(Format::Zgrab),
        Some(b'[') => Some(Format::MasscanJson),
        // An end mark of masscan is no JSON.
        _ if has("ports") || memchr::memmem::find(start, b"finished").is_some() => Some(Format::MasscanJson),
        _ => None,
    }
}

/// The names of the first object's own members, as far as it is there.
fn names(start: &[u8]) -> Vec<&[u8]> {
    let mut names = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = start.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' if depth > 0 || *byte == b'{' => depth += 1,
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            b'"' => {
                let Some(end) = string_end(start, at) else { break };
                let after = start.get(end + 1..).unwrap_or_default().trim_ascii_start();
                if depth == 1 && after.first() == Some(&b':') {
                    names.push(start.get(at..end).unwrap_or_default());
                }
                at = end + 1;
            }
            _ => {}
        }
        if names.len() == MAX_NAMES {
            break;
        }
    }
    names
}

/// The quote that ends the string that begins there.
fn string_end(start: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin;
    loop {
        match start.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Formats that are neither XML nor JSON: lists and binary files of masscan, and reports with their first row.
fn lines(start: &[u8]) -> Option<Format> {
    if start.starts_with(list::MARK) {
        return Some(Format::MasscanList);
    }
    if start.starts_with(binary::MARK) {
        return Some(Format::MasscanBinary);
    }
    let end = memchr(b'\n', start).unwrap_or(start.len());
    let line = start.get(..end).unwrap_or_default();
    let mut columns = line.split(|byte| *byte == b',').map(unquoted);
    // Every report begins with the time, and says where what it tells of stands in the net.
    let first = columns.next().is_some_and(|column| column.eq_ignore_ascii_case(b"timestamp"));
    let placed = [&b"severity"[..], b"asn", b"geo", b"src_asn", b"src_ip"];
    if first && columns.any(|column| placed.iter().any(|name| column.eq_ignore_ascii_case(name))) {
        return Some(Format::Shadowserver(None));
    }
    list::is_line(line).then_some(Format::MasscanList)
}

/// A value without the quotes around it.
fn unquoted(column: &[u8]) -> &[u8] {
    let column = column.trim_ascii();
    column.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(column)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formats_are_known_by_their_own_names() {
        let shadowserver = Some(Format::Shadowserver(None));
        for (start, format) in [
            ("<?xml version=\"1.0\"?>", Some(Format::Xml)),
            ("[\n{   \"ip\": \"192.0.2.1\", \"ports\": [", Some(Format::MasscanJson)),
            ("{   \"ip\": \"192.0.2.1\", \"ports\": [", Some(Format::MasscanJson)),
            ("[\n]\n", Some(Format::MasscanJson)),
            ("{finished: 1}", Some(Format::MasscanJson)),
            ("#masscan\n# end\n", Some(Format::MasscanList)),
            ("open tcp 80 192.0.2.1 1\n", Some(Format::MasscanList)),
            ("{\"ip\":\"192.0.2.1\",\"data\":{\"http\":{\"services\":[]}}}", Some(Format::Zgrab)),
            (
                "{\"ip\":\"192.0.2.1\",\"data\":{\"x\":{\"result\":{\"banner\":\"\\\",\\\"_shodan\\\":1\"}}}}",
                Some(Format::Zgrab),
            ),
            ("{\"hash\": 1, \"data\": \"x\", \"ip_str\": \"192.0.2.1\"}", Some(Format::Shodan)),
            ("{\"port\": 1, \"transport\": \"tcp\", \"data\": \"\\\"services\\\": [\", \"x", Some(Format::Shodan)),
            ("{\"ip\": \"192.0.2.1\", \"services\": [{\"data\": 1}]}", Some(Format::Censys)),
            ("{\n  \"result\": {\"hits\": [", Some(Format::Censys)),
            ("\u{feff}\"timestamp\",\"severity\",\"ip\"\r\n", shadowserver),
            ("timestamp,protocol,src_ip,src_port\n", shadowserver),
            ("timestamp,ip,what\n", None),
            ("{\"a\": 1}", None),
            ("hello", None),
            ("", None),
        ] {
            assert_eq!(detect(start.as_bytes()), format, "{start}");
        }
    }

    proptest! {
        #[test]
        fn what_a_host_says_does_not_change_the_format(said in any::<String>()) {
            let line = serde_json::json!({"ip_str": "192.0.2.1", "a": said, "data": [said]}).to_string();
            prop_assert_eq!(detect(line.as_bytes()), Some(Format::Shodan));
            let line = serde_json::json!({"data": {"x": said}}).to_string();
            prop_assert_eq!(detect(line.as_bytes()), Some(Format::Zgrab));
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let start = [b"{\"", bytes.as_slice()].concat();
            prop_assert!(names(&start).len() <= bytes.len());
        }
    }
}
