//! Taking objects: each is judged by itself, kept with its bytes or refused with the reason.

use std::collections::BTreeSet;
use std::net::IpAddr;

use hinomi_model::address::from_u128;
use hinomi_model::{ContentHash, Timestamp};
use hinomi_state::objects::{
    Keeping, MAX_NAMED_IN_ALL, NewObject, ObjectFacts, ObjectPlace, ObjectQuery, ObjectSight, Saying, Which,
};
use serde::Serialize;

use super::collection::{EXERCISE, key_of};
use super::misp::Event;
use super::stix::{Named, Object};
use super::terms::{Giver, Terms};
use super::{MAX_EVENT_BYTES, MAX_OBJECT_BYTES, MISP, ObjectsError, STIX, Shelf, json, marking};

/// What became of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Given {
    /// Its id, as far as it has one.
    pub id: String,
    /// Its version: when it was modified, created or added.
    pub version: String,
    /// Why it was not taken; or that it was there already.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What became of what was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many objects there were.
    pub total: usize,
    /// Of those that were taken, how many were there already.
    pub known: usize,
    /// Those that were taken.
    pub successes: Vec<Given>,
    /// Those that were not.
    pub failures: Vec<Given>,
}

impl Shelf {
    /// Takes the objects of an envelope or a bundle.
    ///
    /// # Errors
    /// When it cannot be read as a whole, or the state cannot be written.
    pub fn give(&self, terms: &Terms<'_>, envelope: &[u8], now: Timestamp) -> Result<Report, ObjectsError> {
        self.give_each(terms, &json::envelope(envelope)?, now)
    }

    /// Takes objects, each as its text.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn give_each(&self, terms: &Terms<'_>, objects: &[&str], now: Timestamp) -> Result<Report, ObjectsError> {
        let read = |text: &&str| match text.len() <= MAX_OBJECT_BYTES {
            true => Object::read(text),
            false => Err(format!("an object has at most {MAX_OBJECT_BYTES} bytes")),
        };
        let read: Vec<Result<Object, String>> = objects.iter().map(read).collect();
        let plain = self.plain(terms, &read)?;
        let prepared = read.into_iter().zip(objects).map(|(object, text)| match object {
            Ok(object) => Ok(prepare(object, text, terms, &plain, now)),
            Err(why) => Err((id_of(text), why)),
        });
        self.keep(prepared.collect(), now)
    }

    /// Takes an event of MISP, with its bytes as they came.
    ///
    /// # Errors
    /// When it is none, or the state cannot be written.
    pub fn give_event(&self, terms: &Terms<'_>, text: &str, now: Timestamp) -> Result<Report, ObjectsError> {
        if text.len() > MAX_EVENT_BYTES {
            return Err(ObjectsError::TooMuch(format!("an event has at most {MAX_EVENT_BYTES} bytes")));
        }
        let event = Event::read(text, terms.unmarked).map_err(ObjectsError::Unreadable)?;
        let marking = marking::decided(event.label, terms, event.exercise);
        let facts = ObjectFacts {
            collection: if event.exercise { EXERCISE.to_owned() } else { key_of(terms.audience) },
            id: event.uuid.clone(),
            version: event.time.as_micros(),
            version_text: event.time.to_string(),
            kind: "misp-event".to_owned(),
            form: MISP.to_owned(),
            label: event.label.label().to_owned(),
            seen: event.time,
            title: event.title.clone(),
            ..common(terms, &marking)
        };
        self.keep(vec![Ok(object(facts, text, &event.named, terms.asn))], now)
    }

    /// Keeps what became of a gift, for its giver; `write` is handed the id by which he asks for it.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn keep_status(
        &self,
        giver: &Giver,
        now: Timestamp,
        write: impl Fn(&str) -> String,
    ) -> Result<String, ObjectsError> {
        Ok(self.database.keep_status((&giver.organisation, &giver.name), now, write)?)
    }

    /// What became of a gift, for its giver and nobody else.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn status(&self, giver: &Giver, id: &str) -> Result<Option<String>, ObjectsError> {
        Ok(self.database.status_of((&giver.organisation, &giver.name), id)?)
    }

    /// Marking definitions that are statements, among what is given and what the same source gave before.
    fn plain(&self, terms: &Terms<'_>, read: &[Result<Object, String>]) -> Result<BTreeSet<String>, ObjectsError> {
        let objects = || read.iter().flatten();
        let here = objects().filter(|object| marking::is_plain(&object.members)).map(|object| object.id.clone());
        let mut plain: BTreeSet<String> = here.collect();
        let wanted = objects().flat_map(|object| marking::references(&object.members)).flatten();
        let wanted: BTreeSet<String> =
            wanted.filter(|id| !plain.contains(*id)).take(1_000).map(str::to_owned).collect();
        if wanted.is_empty() {
            return Ok(plain);
        }
        let asked = ObjectQuery {
            which: Which::Ids(wanted.into_iter().collect()),
            kinds: vec!["marking-definition".to_owned()],
            limit: 1_000,
            ..ObjectQuery::default()
        };
        let all = ObjectSight { all: true, ..ObjectSight::default() };
        let source = terms.source();
        let mut rows = self.database.object_rows(&asked, &all)?;
        rows.retain(|row| row.facts.source == source);
        let bodies = self.database.object_bodies(&rows.iter().map(|row| row.added).collect::<Vec<_>>())?;
        for row in rows {
            let body = bodies.get(&row.added).and_then(|body| std::str::from_utf8(body).ok());
            let members = body.and_then(|body| json::object(body).ok());
            if members.is_some_and(|members| marking::is_plain(&members)) {
                plain.insert(row.facts.id);
            }
        }
        Ok(plain)
    }

    fn keep(&self, prepared: Vec<Result<NewObject, (String, String)>>, now: Timestamp) -> Result<Report, ObjectsError> {
        let mut report = Report { total: prepared.len(), ..Report::default() };
        let mut new = Vec::new();
        for one in prepared {
            match one {
                Ok(object) => new.push(object),
                Err((id, message)) => report.failures.push(Given { id, version: String::new(), message }),
            }
        }
        let kept = self.database.keep_objects(&new, now)?;
        for (object, kept) in new.into_iter().zip(kept) {
            let facts = object.facts;
            let version = |added: Timestamp| match facts.version_text.is_empty() {
                true => added.to_string(),
                false => facts.version_text.clone(),
            };
            let told = |version, message: &str| Given { id: facts.id.clone(), version, message: message.to_owned() };
            match kept {
                Keeping::Added(added) => report.successes.push(told(version(added), "")),
                Keeping::Known(added) => {
                    report.known += 1;
                    report.successes.push(told(version(added), "these very bytes were here already"));
                }
                Keeping::Clash => {
                    let why = "other bytes are here under this id and version; a new version has a later \"modified\"";
                    report.failures.push(told(facts.version_text.clone(), why));
                }
                Keeping::Full => {
                    let why = "there is no room for another version of it, or another object of its giver";
                    report.failures.push(told(facts.version_text.clone(), why));
                }
                Keeping::Crowded { named } => {
                    let why = format!(
                        "the objects of its giver name {named} addresses and values already; {MAX_NAMED_IN_ALL} are the most"
                    );
                    report.failures.push(told(facts.version_text.clone(), &why));
                }
            }
        }
        Ok(report)
    }
}

fn prepare(read: Object, text: &str, terms: &Terms<'_>, plain: &BTreeSet<String>, now: Timestamp) -> NewObject {
    let label = marking::label(&read.members, plain, terms.unmarked);
    let marking = marking::decided(label, terms, read.exercise);
    let (version, version_text) = read.version.unwrap_or_default();
    let facts = ObjectFacts {
        collection: if read.exercise { EXERCISE.to_owned() } else { key_of(terms.audience) },
        id: read.id,
        version: version.as_micros(),
        version_text,
        kind: read.kind,
        form: STIX.to_owned(),
        label: label.label().to_owned(),
        seen: read.seen.unwrap_or(now),
        revoked: read.revoked,
        valid_from: read.valid.0,
        valid_until: read.valid.1,
        title: read.title,
        ..common(terms, &marking)
    };
    object(facts, text, &read.named, terms.asn)
}

/// What objects of one gift have in common.
fn common(terms: &Terms<'_>, marking: &hinomi_model::Marking) -> ObjectFacts {
    ObjectFacts {
        source: terms.source(),
        marking: serde_json::to_string(marking).unwrap_or_default(),
        giver: terms.giver.organisation.clone(),
        given_by: terms.giver.name.clone(),
        origin: terms.origin.to_owned(),
        ..ObjectFacts::default()
    }
}

fn object(facts: ObjectFacts, text: &str, named: &Named, asn: &dyn Fn(IpAddr, Timestamp) -> Option<u32>) -> NewObject {
    let seen = facts.seen;
    let place = |(span, saying): (&(u128, u128), &Saying)| {
        let (low, high) = *span;
        // Whose it was when that was so of which the object tells.
        let asn = (low == high).then(|| asn(from_u128(low), seen)).flatten();
        ObjectPlace { low, high, asn, saying: *saying }
    };
    NewObject {
        facts,
        body: text.as_bytes().to_vec(),
        digest: ContentHash::of(text.as_bytes()).to_string(),
        places: named.places.iter().map(place).collect(),
        values: named.values.iter().cloned().collect(),
    }
}

/// The id of what could not be taken, as far as it has one.
fn id_of(text: &str) -> String {
    let id = json::object(text).ok().and_then(|members| members.get("id")?.as_str().map(super::stix::title));
    id.unwrap_or_default()
}
