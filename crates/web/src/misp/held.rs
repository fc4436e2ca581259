//! Events of others as MISP's API answers with them: which are meant, and their attributes.
//!
//! Each has a number of ours, by which it can be asked for again: what it had elsewhere means something else here. Names and
//! hashes are found where their event marks them for detection (`to_ids`), addresses wherever they stand.

use std::net::IpAddr;

use hinomi_model::Timestamp;
use hinomi_model::address::bounds;
use hinomi_share::objects::{EventKey, ObjectsError, Shelf, Sight};
use hinomi_share::{ReadError, Reader};
use hinomi_state::objects::Which;
use ipnet::IpNet;
use serde_json::{Map, Value};

use super::feed::attributes;
use crate::app::App;

/// Events whose bytes are read at once.
const AT_ONCE: usize = 8;
/// Ids that are asked for at once.
const IDS_AT_ONCE: usize = 1_000;
/// The most bytes of events that one answer tells.
const MAX_TOLD: usize = 32 << 20;
/// The most bytes of events that are looked through for one answer.
const MAX_LOOKED_THROUGH: usize = 256 << 20;

/// Which events of others are meant; conditions that are empty ask nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Values of attributes.
    pub(super) values: Vec<String>,
    /// Types of attributes.
    pub(super) kinds: Vec<String>,
    /// Ids of events: UUIDs, or numbers of ours.
    pub(super) ids: Vec<String>,
}

/// What is told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Events, whole.
    Events,
    /// The attributes alone that are meant.
    Attributes,
}

/// The shelf of an installation.
pub(super) fn shelf(app: &App) -> Result<Shelf, ReadError> {
    app.accounts.database().map(Shelf::new).map_err(|error| ReadError::Failed(error.to_string()))
}

pub(super) fn failed(error: ObjectsError) -> ReadError {
    match error {
        ObjectsError::Read(error) => error,
        ObjectsError::TooMuch(why) => ReadError::Unfit(why),
        other => ReadError::Failed(other.to_string()),
    }
}

/// The event in a text, alone or under `Event`.
pub(super) fn event_in(text: &str) -> Value {
    let mut whole = serde_json::from_str::<Value>(text).unwrap_or_default();
    match whole.get_mut("Event") {
        Some(event) => event.take(),
        None => whole,
    }
}

/// Those that the reader sees, the first given first: from one on, so many.
pub(super) fn find(
    app: &App,
    reader: &Reader,
    (wanted, part): (&Wanted, Part),
    (mut skip, limit): (usize, usize),
) -> Result<Vec<Value>, ReadError> {
    let (shelf, sight) = (shelf(app)?, Sight::of(reader));
    let Some(which) = wanted.which(&shelf, &sight)? else { return Ok(Vec::new()) };
    let mut keys = shelf.event_keys(&sight, &which).map_err(failed)?;
    if matches!(which, Which::Naming(..)) {
        keys = newest(&shelf, &sight, &keys)?;
    }
    if wanted.is_any() {
        keys.drain(..skip.min(keys.len()));
        skip = 0;
    }
    let (mut found, mut told, mut looked_through) = (Vec::new(), 0, 0);
    for some in keys.chunks(AT_ONCE) {
        for (key, text) in shelf.event_bodies(some).map_err(failed)? {
            if found.len() >= limit {
                return Ok(found);
            }
            looked_through += text.len();
            if looked_through > MAX_LOOKED_THROUGH {
                let words = "256 MiB of events are the most that are looked through: narrow it with value or eventid";
                return Err(ReadError::Unfit(words.to_owned()));
            }
            let Some(event) = wanted.told(&key, event_in(&text), part) else { continue };
            if let Some(left) = skip.checked_sub(1) {
                skip = left;
                continue;
            }
            told += if part == Part::Events { text.len() } else { event.to_string().len() };
            if told > MAX_TOLD {
                let words = "32 MiB of events are the most of one answer: ask for fewer with limit, or narrow it";
                return Err(ReadError::Unfit(words.to_owned()));
            }
            found.push(event);
        }
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

/// The newest versions of these: what an event said before does not count.
fn newest(shelf: &Shelf, sight: &Sight, keys: &[EventKey]) -> Result<Vec<EventKey>, ReadError> {
    let mut found = Vec::new();
    for some in keys.chunks(IDS_AT_ONCE) {
        let ids = some.iter().flat_map(|key| [key.id.clone(), key.id.to_ascii_uppercase(), key.stored.clone()]);
        found.extend(shelf.event_keys(sight, &Which::Ids(ids.collect())).map_err(failed)?);
    }
    found.sort_by_key(|key| key.added);
    found.dedup();
    Ok(found)
}

impl Wanted {
    /// Whether no attribute need be looked at.
    fn is_any(&self) -> bool {
        self.values.is_empty() && self.kinds.is_empty()
    }

    /// What the state is asked for; nothing where there can be none.
    fn which(&self, shelf: &Shelf, sight: &Sight) -> Result<Option<Which>, ReadError> {
        if !self.ids.is_empty() {
            let mut ids = Vec::new();
            for id in &self.ids {
                match added(id) {
                    Some(added) => ids.extend(shelf.event_of(sight, added).map_err(failed)?),
                    None => ids.extend([id.to_ascii_lowercase(), id.to_ascii_uppercase()]),
                }
            }
            return Ok((!ids.is_empty()).then_some(Which::Ids(ids)));
        }
        if self.values.is_empty() {
            return Ok(Some(Which::All));
        }
        let spans = self.values.iter().filter_map(|value| place(value)).map(|(net, _)| bounds(net.trunc()));
        let whole = self.values.iter().map(|value| value.to_lowercase());
        let parts = self.values.iter().filter_map(|value| value.split_once('|'));
        let parts = parts.flat_map(|(first, second)| [first.to_lowercase(), second.to_lowercase()]);
        Ok(Some(Which::Naming(spans.collect(), whole.chain(parts).collect())))
    }

    /// What is told of an event; nothing where it is not meant.
    fn told(&self, key: &EventKey, mut event: Value, part: Part) -> Option<Value> {
        let meant: Vec<Value> = attributes(&event).filter(|one| self.fits(one)).cloned().collect();
        if !self.is_any() && meant.is_empty() {
            return None;
        }
        let members = event.as_object_mut()?;
        if part == Part::Attributes {
            members.retain(|name, _| name == "uuid");
            members.insert("Attribute".to_owned(), meant.into());
        }
        let id = key.added.as_micros().to_string();
        number(members, &id);
        for object in members.get_mut("Object").and_then(Value::as_array_mut).into_iter().flatten() {
            object.as_object_mut().into_iter().for_each(|object| number_all(object, &id));
        }
        Some(event)
    }

    /// Whether an attribute is meant.
    fn fits(&self, attribute: &Value) -> bool {
        let said = |name: &str| attribute.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == said("type"));
        kind && (self.values.is_empty() || self.values.iter().any(|value| is_of(said("value"), value)))
    }
}

/// The number of ours in an event.
fn number(event: &mut Map<String, Value>, id: &str) {
    event.insert("id".to_owned(), id.into());
    number_all(event, id);
}

/// The same in what is part of it.
fn number_all(part: &mut Map<String, Value>, id: &str) {
    if part.contains_key("event_id") {
        part.insert("event_id".to_owned(), id.into());
    }
    for attribute in part.get_mut("Attribute").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(members) = attribute.as_object_mut() {
            members.insert("event_id".to_owned(), id.into());
        }
    }
}

/// Whether a value, or a part of it, is the one that was asked for, or in the range.
fn is_of(said: &str, asked: &str) -> bool {
    if said.eq_ignore_ascii_case(asked) || said.split('|').any(|part| part.eq_ignore_ascii_case(asked)) {
        return true;
    }
    let Some((net, port)) = place(asked) else { return false };
    let mut parts = said.split('|');
    let within = |part: &str| part.trim().parse::<IpAddr>().is_ok_and(|address| net.contains(&address));
    match port {
        Some(port) => parts.next().is_some_and(within) && parts.next() == Some(port),
        None => parts.any(within),
    }
}

/// An address or a range, and a port where one is named.
fn place(value: &str) -> Option<(IpNet, Option<&str>)> {
    let (place, port) = value.split_once('|').map_or((value, None), |(place, port)| (place, Some(port)));
    let net = place.parse().ok().or_else(|| place.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some((net, port))
}

/// The moment that is the number of an event of others: it is longer than that of an IPv4 address, and shorter than that of
/// an IPv6 address.
fn added(id: &str) -> Option<Timestamp> {
    let number = id.parse::<i64>().ok()?;
    let micros = (i64::from(u32::MAX) + 1..1 << 61).contains(&number).then_some(number);
    // A number of others' is none of ours, and no UUID either.
    Some(Timestamp::from_micros(micros.unwrap_or(i64::MIN + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_meant_whole_in_part_and_by_range() {
        for (said, asked, meant) in [
            ("198.51.100.3|6667", "198.51.100.3", true),
            ("198.51.100.3|6667", "198.51.100.0/24", true),
            ("198.51.100.3|6667", "198.51.100.0/24|6667", true),
            ("198.51.100.3|6667", "198.51.100.0/24|6668", false),
            ("198.51.100.3|6667", "6667", true),
            ("Evil.example", "evil.EXAMPLE", true),
            ("evil.example.jp", "evil.example", false),
            ("2001:db8::1", "2001:db8::/32", true),
            ("2001:db8::1", "0.0.0.0/0", false),
            ("", "x", false),
        ] {
            assert_eq!(is_of(said, asked), meant, "{said} {asked}");
        }
    }

    #[test]
    fn numbers_of_ours_are_moments_and_others_lead_nowhere() {
        assert_eq!(added("1790000000000001"), Some(Timestamp::from_micros(1_790_000_000_000_001)));
        assert_eq!(added("12"), added("3405803785"));
        assert_eq!(added("5a0c2f3e-0000-4000-8000-000000000001"), None);
    }
}
