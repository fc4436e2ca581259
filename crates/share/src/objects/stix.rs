//! One object of STIX 2.1: whether it is one, and what it names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hinomi_model::Timestamp;
use hinomi_model::address::{bounds, to_u128};
use hinomi_state::objects::{MAX_NAMED, Saying};
use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{json, pattern};
use crate::stix::SPEC_VERSION;

/// The longest id, in characters.
const MAX_ID_CHARS: usize = 300;
/// The longest line for people, in characters.
const MAX_TITLE_CHARS: usize = 200;
/// The longest value that is searched, in characters.
const MAX_VALUE_CHARS: usize = 2_048;
/// Types that have no version of their own and need not say which standard they follow (STIX 2.1, part 6).
const OBSERVABLES: [&str; 18] = [
    "artifact",
    "autonomous-system",
    "directory",
    "domain-name",
    "email-addr",
    "email-message",
    "file",
    "ipv4-addr",
    "ipv6-addr",
    "mac-addr",
    "mutex",
    "network-traffic",
    "process",
    "software",
    "url",
    "user-account",
    "windows-registry-key",
    "x509-certificate",
];

/// What an object names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// From address to address; what it says of them.
    pub(super) places: BTreeMap<(u128, u128), Saying>,
    /// Kinds and values that it says something about.
    pub(super) values: BTreeSet<(String, String)>,
}

impl Named {
    /// Takes an address or a prefix; false when the text is none.
    pub(super) fn address(&mut self, text: &str, saying: impl Into<Saying>) -> bool {
        let Some(span) = span(text) else { return false };
        let known = self.places.entry(span).or_default();
        *known = saying.into().max(*known);
        true
    }

    /// Takes a name, page or hash.
    pub(super) fn value(&mut self, kind: &str, text: &str) {
        // In small letters, as it is asked for.
        let text = if kind == "domain" { text.trim_end_matches('.') } else { text };
        let value = text.to_lowercase();
        let plain = !value.is_empty() && value.chars().count() <= MAX_VALUE_CHARS;
        if plain && !value.chars().any(char::is_control) {
            self.values.insert((kind.to_owned(), value));
        }
    }

    /// Takes the address of a page, and the host in it.
    pub(super) fn url(&mut self, text: &str, saying: impl Into<Saying>) {
        let saying = saying.into();
        if saying == Saying::Says {
            self.value("url", text);
        }
        let Some((_, rest)) = text.split_once("://") else { return };
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let bare = match host.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        if bare.parse::<IpAddr>().is_ok() {
            self.address(bare, saying);
        }
    }

    fn is_too_much(&self) -> bool {
        self.places.len() > MAX_NAMED || self.values.len() > MAX_NAMED
    }
}

/// An address or a prefix as numbers.
fn span(text: &str) -> Option<(u128, u128)> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        let number = to_u128(address);
        return Some((number, number));
    }
    text.parse::<IpNet>().ok().map(|net| bounds(net.trunc()))
}

/// An object that can be kept.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) members: Map<String, Value>,
    pub(super) id: String,
    pub(super) kind: String,
    /// When it was modified, else created; none of what has neither.
    pub(super) version: Option<(Timestamp, String)>,
    /// When what it tells was so.
    pub(super) seen: Option<Timestamp>,
    pub(super) valid: (Option<Timestamp>, Option<Timestamp>),
    pub(super) revoked: bool,
    pub(super) title: String,
    pub(super) exercise: bool,
    pub(super) named: Named,
}

impl Object {
    /// Reads one.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let members = json::object(text)?;
        let said = |name: &str| members.get(name).and_then(Value::as_str);
        let id = said("id").ok_or("it has no id")?.to_owned();
        let kind = said("type").ok_or("it has no type")?.to_owned();
        check_id(&id, &kind)?;
        let is_observable = OBSERVABLES.contains(&kind.as_str()) || !members.contains_key("created");
        match members.get("spec_version") {
            Some(Value::String(version)) if version == SPEC_VERSION => {}
            None if is_observable && kind != "bundle" => {}
            _ => return Err(format!("its spec_version is not {SPEC_VERSION}")),
        }
        if kind == "bundle" {
            return Err("a bundle is given as its objects, in an envelope".to_owned());
        }
        let time = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(value) => {
                let text = value.as_str().unwrap_or_default();
                moment(text)
                    .map(|time| Some((time, text.to_owned())))
                    .ok_or_else(|| format!("{name} is no time of STIX"))
            }
        };
        let (created, modified) = (time("created")?, time("modified")?);
        let last = time("last_observed")?.or(time("last_seen")?);
        let (from, until) = (time("valid_from")?, time("valid_until")?);
        let version = modified.or(created);
        let seen = last.or_else(|| version.clone()).map(|(time, _)| time);
        let mut named = Named::default();
        walk(&members, &mut named)?;
        if named.is_too_much() {
            return Err(format!("it names more than {MAX_NAMED} addresses or values"));
        }
        let first = ["name", "value", "pattern", "relationship_type", "description"].iter().find_map(|name| said(name));
        let title = title(first.unwrap_or_default());
        let revoked = members.get("revoked").is_some_and(|revoked| *revoked != Value::Bool(false));
        let valid = (from.map(|(time, _)| time), until.map(|(time, _)| time));
        let exercise = is_exercise(&members);
        Ok(Self { id, kind, version, seen, valid, revoked, title, exercise, named, members })
    }
}

/// An id is the type and a UUID.
fn check_id(id: &str, kind: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let uuid = id.strip_prefix(kind).and_then(|rest| rest.strip_prefix("--"));
    let good = uuid.is_some_and(is_uuid) && kind.len() >= 3 && kind.chars().all(plain) && id.len() <= MAX_ID_CHARS;
    if good { Ok(()) } else { Err("its id is not its type and a UUID".to_owned()) }
}

/// Whether this is written as a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    let fits = |(at, byte): (usize, u8)| if hyphens.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// A time as STIX has it: in UTC, with a Z.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    (text.len() <= 40 && text.contains('T') && text.ends_with('Z')).then(|| text.parse().ok()).flatten()
}

/// A line for people.
pub(super) fn title(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MAX_TITLE_CHARS).map(plain).collect()
}

/// Whether it is of an exercise: a label says so, as MISP's taxonomy does.
fn is_exercise(members: &Map<String, Value>) -> bool {
    let labels = members.get("labels").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    labels.map(str::to_ascii_lowercase).any(|label| label == "exercise" || label.starts_with("exercise:"))
}

/// Takes what this part and what is within it name.
fn walk(members: &Map<String, Value>, named: &mut Named) -> Result<(), String> {
    let said = |name: &str| members.get(name).and_then(Value::as_str);
    let value = said("value").unwrap_or_default();
    match said("type") {
        Some("ipv4-addr" | "ipv6-addr") if !named.address(value, true) => {
            return Err("its value is no address and no prefix".to_owned());
        }
        Some("domain-name") => named.value("domain", value),
        Some("url") => named.url(value, true),
        Some("indicator") if said("pattern_type") == Some("stix") => {
            let text = said("pattern").unwrap_or_default();
            if text.len() > pattern::MAX_BYTES {
                return Err(format!("a pattern has at most {} bytes", pattern::MAX_BYTES));
            }
            pattern::read(text, named);
        }
        _ => {}
    }
    if let Some(Value::Object(hashes)) = members.get("hashes") {
        hashes.values().filter_map(Value::as_str).for_each(|hash| named.value("hash", hash));
    }
    for part in members.values() {
        match part {
            Value::Object(part) => walk(part, named)?,
            Value::Array(parts) => {
                parts.iter().filter_map(Value::as_object).try_for_each(|part| walk(part, named))?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "33fe3b22-0201-47cf-85d0-97c02164528d";

    #[test]
    fn ids_types_versions_and_times_are_looked_at() {
        let time = "2026-11-22T00:00:00.000Z";
        let of = |id: &str, more: &str| Object::read(&format!(r#"{{"type":"indicator","id":"{id}"{more}}}"#));
        let whole = format!(r#","spec_version":"2.1","created":"{time}","modified":"{time}""#);
        let good = of(&format!("indicator--{UUID}"), &whole).unwrap();
        assert_eq!(good.version.unwrap().1, time);
        for bad in ["indicator", &format!("malware--{UUID}"), "indicator--33fe3b22", "indicator--\u{0}", ""] {
            assert!(of(bad, &whole).is_err(), "{bad}");
        }
        for (more, why) in [
            (format!(r#","created":"{time}""#), "spec_version"),
            (format!(r#","spec_version":"2.0","created":"{time}""#), "spec_version"),
            (r#","spec_version":"2.1","created":"2026-11-22""#.to_owned(), "created"),
            (r#","spec_version":"2.1","created":"2026-11-22T00:00:00+09:00""#.to_owned(), "created"),
            (r#","spec_version":"2.1","modified":5"#.to_owned(), "modified"),
        ] {
            let error = of(&format!("indicator--{UUID}"), &more).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
    }

    #[test]
    fn everything_that_is_named_is_found_at_any_depth() {
        let text = format!(
            r#"{{"type":"observed-data","id":"observed-data--{UUID}","spec_version":"2.1","labels":["Exercise"],
                "objects":{{"0":{{"type":"ipv4-addr","value":"198.51.100.3"}},
                "1":{{"type":"url","value":"http://u@[2001:db8::9]:8080/x"}},
                "2":{{"type":"file","hashes":{{"MD5":"{}"}}}},"3":{{"type":"domain-name","value":"A.example"}}}}}}"#,
            "0".repeat(32)
        );
        let object = Object::read(&text).unwrap();
        assert!(object.exercise);
        let places: Vec<_> =
            object.named.places.keys().map(|(low, _)| hinomi_model::address::from_u128(*low)).collect();
        assert_eq!(places.iter().map(ToString::to_string).collect::<Vec<_>>(), ["198.51.100.3", "2001:db8::9"]);
        let kinds: Vec<&str> = object.named.values.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["domain", "hash", "url"]);
        let bad = format!(r#"{{"type":"ipv4-addr","id":"ipv4-addr--{UUID}","value":"198.51.100"}}"#);
        assert!(Object::read(&bad).unwrap_err().contains("no address"));
        let net = format!(r#"{{"type":"ipv4-addr","id":"ipv4-addr--{UUID}","value":"198.51.100.0/24"}}"#);
        let (low, high) = *Object::read(&net).unwrap().named.places.keys().next().unwrap();
        assert_eq!(high - low, 255);
    }

    #[test]
    fn what_names_too_much_is_refused() {
        let each: Vec<String> = (0..=MAX_NAMED).map(|n| format!("'10.0.{}.{}'", n / 256, n % 256)).collect();
        let text = format!(
            r#"{{"type":"indicator","id":"indicator--{UUID}","spec_version":"2.1","pattern_type":"stix",
                "pattern":"[ipv4-addr:value IN ({})]"}}"#,
            each.join(",")
        );
        assert!(Object::read(&text).unwrap_err().contains("names more"));
    }
}
