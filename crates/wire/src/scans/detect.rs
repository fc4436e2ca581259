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
    let Some(begin) = memchr(b'{', start) else {
        // A list that has ended with nothing in it; any JSON may follow one that has only begun.
        let empty = start.iter().all(|byte| byte.is_ascii_whitespace() || b"[],".contains(byte));
        return (empty && start.starts_with(b"[") && start.contains(&b']')).then_some(Format::MasscanJson);
    };
    let object = start.get(begin..).unwrap_or_default();
    let first = First::of(object);
    if first.has("_shodan") || first.has("ip_str") || ["transport", "port", "data"].iter().all(|name| first.has(name)) {
        return Some(Format::Shodan);
    }
    if first.has("services") || WRAPPERS.iter().any(|name| first.has(name)) {
        return Some(Format::Censys);
    }
    // Shodan has a text or a list there.
    if start.starts_with(b"{") && first.begins("data", b"{") {
        return Some(Format::Zgrab);
    }
    let ended = object.get(1..).unwrap_or_default().trim_ascii_start().starts_with(b"finished");
    // Names that would say more may stand behind what was cut off, and a host can make what stands before them long.
    let listed = first.begins("ports", b"[{");
    let whole = first.closed && (start.starts_with(b"[") || first.has("ports"));
    (ended || listed || whole).then_some(Format::MasscanJson)
}

/// The first object's own members, as far as they are there.
#[derive(Default)]
struct First<'a> {
    /// Their names, and everything from their value on.
    members: Vec<(&'a [u8], &'a [u8])>,
    /// Whether the object's end was seen.
    closed: bool,
}

impl<'a> First<'a> {
    /// Reads an object from its brace on.
    fn of(object: &'a [u8]) -> Self {
        let mut first = Self::default();
        let (mut depth, mut at) = (0_usize, 0);
        while let Some(byte) = object.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        first.closed = true;
                        break;
                    }
                }
                b'"' => {
                    let Some(end) = string_end(object, at) else { break };
                    let after = object.get(end + 1..).unwrap_or_default().trim_ascii_start();
                    if let Some(value) = after.strip_prefix(b":").filter(|_| depth == 1) {
                        first.members.push((object.get(at..end).unwrap_or_default(), value.trim_ascii_start()));
                    }
                    at = end + 1;
                }
                _ => {}
            }
            if first.members.len() == MAX_NAMES {
                break;
            }
        }
        first
    }

    fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.members.iter().find(|(own, _)| *own == name.as_bytes()).map(|(_, value)| *value)
    }

    fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Whether that member's value begins with these marks, whatever blanks stand between.
    fn begins(&self, name: &str, marks: &[u8]) -> bool {
        let value = self.value(name).unwrap_or_default();
        value.iter().filter(|byte| !byte.is_ascii_whitespace()).take(marks.len()).eq(marks)
    }
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
            ("[\n{   \"ip\": \"192.0.2.1\", \"ports\": [ {\"port\"", Some(Format::MasscanJson)),
            ("{   \"ip\": \"192.0.2.1\", \"ports\": [ {\"port\"", Some(Format::MasscanJson)),
            ("[\n]\n", Some(Format::MasscanJson)),
            ("[\n", None),
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
            ("{\"a\": \"{finished", None),
            ("{\"hash\": 1, \"data\": \"220 x", None),
            ("[{\"hash\": 1, \"ports\": [80], \"data\": [{\"data\": \"x", None),
            ("[{\"dns\": {\"names\": [\"x", None),
            ("{\"ip\": \"192.0.2.1\", \"data\": {\"http\": {\"result\": \"x", Some(Format::Zgrab)),
            (",\n{finished: 1}", Some(Format::MasscanJson)),
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
        fn no_length_of_what_a_host_says_changes_the_format(
            said in prop::sample::select(vec!["finished", "{finished: 1}", "\", \"services\": [", "{\"ports\": [{"]),
            count in 0_usize..400,
            window in 1_usize..4_000,
        ) {
            let said = said.repeat(count);
            let port = serde_json::json!({"port": 1, "data": said, "transport": "tcp"});
            for (line, format) in [
                (serde_json::json!({"a": said, "data": said, "html": said, "ip_str": "192.0.2.1"}), Format::Shodan),
                (serde_json::json!({"data": [port], "ip_str": "192.0.2.1", "ports": [1]}), Format::Shodan),
                (serde_json::json!({"a": said, "ip": "192.0.2.1", "services": [said]}), Format::Censys),
                (serde_json::json!({"data": {"x": said}, "ip": "192.0.2.1"}), Format::Zgrab),
            ] {
                for text in [line.to_string(), format!("[{line}]")] {
                    let start = text.as_bytes().get(..window.min(text.len())).expect("a part");
                    let found = detect(start);
                    let bracketed = text.starts_with('[') && format == Format::Zgrab;
                    prop_assert!(found.is_none() || found == Some(format) || bracketed, "{found:?}: {text}");
                }
            }
        }

        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let start = [b"{\"", bytes.as_slice()].concat();
            prop_assert!(First::of(&start).members.len() <= bytes.len());
        }
    }
}
