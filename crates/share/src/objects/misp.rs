//! An event of MISP (its core format): whether it is one, how it is marked, and what it names.

use hinomi_model::{Timestamp, Tlp};
use hinomi_state::objects::{MAX_NAMED, Saying};
use serde_json::{Map, Value};

use super::json;
use super::stix::{Named, is_uuid, title};

/// An event that can be kept.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// In small letters, however it was written.
    pub(super) uuid: String,
    pub(super) time: Timestamp,
    pub(super) label: Tlp,
    pub(super) exercise: bool,
    pub(super) title: String,
    pub(super) named: Named,
}

/// Whether a text looks like an event of MISP, alone or in an answer of its API.
pub fn is_event(text: &str) -> bool {
    json::object(text).is_ok_and(|members| event_of(&members).is_some())
}

/// The event within what is written: itself, or under `Event`.
fn event_of(members: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let event = members.get("Event").and_then(Value::as_object).unwrap_or(members);
    (event.contains_key("info") && event.contains_key("uuid")).then_some(event)
}

impl Event {
    pub(super) fn read(text: &str, unmarked: Tlp) -> Result<Self, String> {
        let whole = json::object(text)?;
        let event = event_of(&whole).ok_or("this is no event of MISP: it has no uuid or no info")?;
        let uuid = said(event, "uuid").unwrap_or_default().to_ascii_lowercase();
        if !is_uuid(&uuid) {
            return Err("its uuid is none".to_owned());
        }
        let time = seconds(event).ok_or("its timestamp is no number of seconds")?;
        let mut read =
            Reading { named: Named::default(), label: None, floor: floor(event, Inherits::No), exercise: false };
        read.tags(event);
        read.attributes(event);
        read.proposals(event);
        for object in objects(event, "Object") {
            read.limit(object);
            read.tags(object);
            read.attributes(object);
        }
        for named in ["EventReport", "Galaxy"] {
            objects(event, named).for_each(|part| read.tags(part));
        }
        if read.named.places.len().max(read.named.values.len()) > MAX_NAMED {
            return Err("it names too many addresses or values".to_owned());
        }
        let label = read.label.unwrap_or(unmarked).max(read.floor);
        let info = title(&said(event, "info").unwrap_or_default());
        Ok(Self { uuid, time, label, exercise: read.exercise, title: info, named: read.named })
    }
}

/// Whether a part may say that it is shared as what it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inherits {
    Yes,
    No,
}

/// What is found while an event is read.
struct Reading {
    named: Named,
    label: Option<Tlp>,
    floor: Tlp,
    exercise: bool,
}

impl Reading {
    fn tags(&mut self, part: &Map<String, Value>) {
        for tag in objects(part, "Tag") {
            let name = said(tag, "name").unwrap_or_default().trim().to_ascii_lowercase();
            if name.starts_with("tlp:") || name == "tlp" {
                let label = Tlp::read(&name);
                self.label = Some(self.label.map_or(label, |known| known.max(label)));
            }
            self.exercise |= name == "exercise" || name.starts_with("exercise:");
        }
    }

    /// What is shared with fewer closes the whole.
    fn limit(&mut self, part: &Map<String, Value>) {
        self.floor = self.floor.max(floor(part, Inherits::Yes));
    }

    fn attributes(&mut self, part: &Map<String, Value>) {
        for attribute in objects(part, "Attribute") {
            // What was deleted is still in the bytes: it counts.
            self.limit(attribute);
            self.tags(attribute);
            self.attribute(attribute, is_on(attribute, "to_ids").into());
            self.proposals(attribute);
        }
    }

    /// What others propose to whoever gave the event: it is no word of his, but names what it names.
    fn proposals(&mut self, part: &Map<String, Value>) {
        for proposal in objects(part, "ShadowAttribute") {
            self.limit(proposal);
            self.tags(proposal);
            let told = is_on(proposal, "to_ids") && !is_on(proposal, "proposal_to_delete");
            self.attribute(proposal, if told { Saying::Proposes } else { Saying::Names });
        }
    }

    fn attribute(&mut self, attribute: &Map<String, Value>, saying: Saying) {
        let kind = said(attribute, "type").unwrap_or_default();
        let (kind, value) = (kind.as_str(), said(attribute, "value").unwrap_or_default());
        let value = value.trim();
        let (first, second) = value.split_once('|').unwrap_or((value, ""));
        match kind {
            "ip-src" | "ip-dst" | "ip-src|port" | "ip-dst|port" => drop(self.named.address(first, saying)),
            "domain|ip" => {
                self.named.address(second, saying);
                self.of(saying, "domain", first);
            }
            "domain" | "hostname" | "hostname|port" => self.of(saying, "domain", first),
            "url" => self.named.url(value, saying),
            "link" => self.named.url(value, false),
            "md5" | "sha1" | "sha256" => self.of(saying, "hash", value),
            "filename|md5" | "filename|sha1" | "filename|sha256" => self.of(saying, "hash", second),
            // Whatever else is an address names it.
            _ => drop(self.named.address(value, false)),
        }
    }

    fn of(&mut self, saying: Saying, kind: &str, value: &str) {
        if saying == Saying::Says {
            self.named.value(kind, value);
        }
    }
}

/// How closed something is by how far it may be distributed: 0 your organisation only, 1 this community, 2 connected
/// ones, 3 all, 4 a sharing group, 5 as what it is part of. Where an audience is named RED is for that audience.
fn floor(part: &Map<String, Value>, inherits: Inherits) -> Tlp {
    let Some(said) = part.get("distribution").filter(|said| !said.is_null()) else {
        return if inherits == Inherits::Yes { Tlp::Clear } else { Tlp::Red };
    };
    match number(said) {
        Some(5) if inherits == Inherits::Yes => Tlp::Clear,
        Some(3) => Tlp::Clear,
        Some(2) => Tlp::Green,
        Some(1) => Tlp::Amber,
        _ => Tlp::Red,
    }
}

fn objects<'a>(part: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    part.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// Whether a switch is on: true, 1 or "1".
fn is_on(part: &Map<String, Value>, name: &str) -> bool {
    part.get(name).is_some_and(|told| *told == Value::Bool(true) || number(told) == Some(1))
}

/// A text, or a number as one.
fn said(part: &Map<String, Value>, name: &str) -> Option<String> {
    match part.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number, or a text that is one.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// When it was changed.
fn seconds(event: &Map<String, Value>) -> Option<Timestamp> {
    const MICROS: i64 = 1_000_000;
    let seconds = event.get("timestamp").and_then(number).filter(|seconds| *seconds > 0);
    seconds.and_then(|seconds| seconds.checked_mul(MICROS)).map(Timestamp::from_micros)
}
