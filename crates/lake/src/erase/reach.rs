//! What else speaks of rows that are deleted: events of saved queries, files set aside, positions of campaigns, roll-ups,
//! and older versions in a bucket.
//!
//! - An event goes with its sighting, and with the last sighting of its service. Which sightings went is kept until the
//!   deletion is done, as salted names of service and time (`lake/erasing.moments`).
//! - A file that was set aside cannot be read: it goes when it may hold a row that is deleted, unless it may hold one
//!   that is held. Retention takes it when everything that was seen before it was set aside is over.
//! - A campaign's position may name hosts that are no ordinary ones; the campaign forgets that of those erased.
//!
//! At a hundred times the data: 16 bytes a deleted row and 20 a distinct address in memory; the journal of events is
//! read and written once, the roll-ups are made once.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hinomi_model::address::to_u128;
use hinomi_model::{ServiceKey, Sighting, Timestamp};
use ipnet::IpNet;
use serde_json::Value;

use super::Order;
use super::list::List;
use crate::check::QUARANTINE;
use crate::durable;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::ledger::{self, Event, Kind, Reached};
use crate::pass::gather;
use crate::retain::{Holds, Policy};
use crate::table::{Change, Note};
use crate::watch;

/// Which sightings go, while a deletion is under way.
pub(crate) const MOMENTS: &str = "lake/erasing.moments";

/// Services whose presence in the index is remembered at once.
const REMEMBERED: usize = 100_000;

/// Where and when what goes was seen.
#[derive(Debug)]
pub(super) struct Moments {
    list: List,
    addresses: BTreeSet<IpAddr>,
}

fn moment(service: &ServiceKey, time: Timestamp) -> Vec<u8> {
    format!("{service} {}", time.as_micros()).into_bytes()
}

impl Moments {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { list: List::new(now), addresses: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, seen: &Sighting) {
        self.list.add_name(&moment(&seen.subject, seen.time));
        self.addresses.insert(seen.subject.address);
    }

    pub(super) fn write(&self, state: &Path) -> Result<(), LakeError> {
        self.list.write_to(&state.join(MOMENTS))
    }

    fn remove(state: &Path) -> Result<(), LakeError> {
        let path = state.join(MOMENTS);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LakeError::io("removing", &path)(error)),
            _ => Ok(()),
        }
    }
}

/// What of the files set aside goes with a deletion, inside the state folder; how many stay because they may be held.
pub(super) fn set_aside(
    state: &Path,
    order: &Order,
    within: Option<&[IpNet]>,
    holds: &Holds,
    now: Timestamp,
) -> Result<(Vec<String>, u64), LakeError> {
    let (mut chosen, mut held) = (Vec::new(), 0);
    if order.kind == Kind::Restore || !state.join(QUARANTINE).exists() {
        return Ok((chosen, held));
    }
    let entries = ledger::verify(&ledger::path_of(state), None)?.entries;
    let longest = Policy::of_state(state)?.longest();
    for path in files_of(&state.join(QUARANTINE))? {
        let Ok(inside) = path.strip_prefix(state) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let entry = entries.iter().rev().find_map(|entry| match &entry.event {
            Event::Quarantined { file, addresses, .. } if file.ends_with(name.as_ref()) => {
                Some((entry.time, addresses))
            }
            _ => None,
        });
        let span = entry.and_then(|(_, addresses)| span_of(addresses.as_ref()?));
        let goes = match order.kind {
            Kind::Retain => entry.zip(longest).is_some_and(|((set_aside, _), days)| set_aside < now.minus(days)),
            // Of what nothing is known it may hold anything.
            _ => within.is_none_or(|nets| nets.iter().any(|net| may_hold(span, net))),
        };
        let is_held = holds.0.iter().any(|hold| hold.prefix.is_none_or(|net| may_hold(span, &net)));
        match (goes, is_held) {
            (true, true) => held += 1,
            (true, false) => chosen.push(inside.to_string_lossy().into_owned()),
            (false, _) => {}
        }
    }
    Ok((chosen, held))
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let mut files = Vec::new();
    for shelf in durable::entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        files.extend(durable::entries(&shelf)?);
    }
    files.sort();
    Ok(files)
}

fn span_of((from, until): &(String, String)) -> Option<(u128, u128)> {
    Some((to_u128(from.parse().ok()?), to_u128(until.parse().ok()?)))
}

fn may_hold(span: Option<(u128, u128)>, net: &IpNet) -> bool {
    let ends = (to_u128(net.network()), to_u128(net.broadcast()));
    span.is_none_or(|(from, until)| from <= ends.1 && ends.0 <= until)
}

/// Takes what goes out of the positions of campaigns, before the deletion is a fact: that a host is no ordinary one is
/// found again. How many positions were changed.
pub(super) fn positions(lake: &Lake, moments: &Moments) -> Result<u64, LakeError> {
    let mut changed = 0;
    for (application, ..) in lake.sightings.notes() {
        if !crate::lake::is_campaign(&application) {
            continue;
        }
        let Some(text) = lake.sightings.note(&application)? else { continue };
        let Ok(mut position) = serde_json::from_str::<Value>(&text) else { continue };
        if without(&mut position, &moments.addresses) {
            let note = Note { application, text: position.to_string() };
            lake.sightings
                .commit(Change { note: Some(note), marks: lake.marks(), ..Change::default() }, lake.clock.now())?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// Takes elements out of lists that are such an address or name one; tells whether there was any.
fn without(value: &mut Value, gone: &BTreeSet<IpAddr>) -> bool {
    let is_gone =
        |text: &Value| text.as_str().and_then(|text| text.parse().ok()).is_some_and(|one| gone.contains(&one));
    match value {
        Value::Array(all) => {
            let before = all.len();
            all.retain(|one| !is_gone(one) && !one.as_object().is_some_and(|one| one.values().any(is_gone)));
            let left_out = all.len() < before;
            all.iter_mut().filter_map(|one| without(one, gone).then_some(())).count() > 0 || left_out
        }
        Value::Object(members) => members.values_mut().filter_map(|one| without(one, gone).then_some(())).count() > 0,
        _ => false,
    }
}

/// Everything elsewhere, after the rows are gone and the index is new; may be done again.
pub(super) fn finish(lake: &Lake, set_aside: &[String]) -> Result<Reached, LakeError> {
    gather::sweep(&lake.dir)?;
    let mut reached = Reached { events: events(lake)?, rollups: lake.roll_up_again()?, ..Reached::default() };
    for inside in set_aside {
        let path = lake.dir.join(inside);
        match fs::remove_file(&path) {
            Ok(()) => reached.quarantined += 1,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(LakeError::io("removing", &path)(error)),
        }
    }
    for table in [&lake.sightings, &lake.pieces.keyed.table, &lake.knowledge.keyed.table] {
        reached.log += table.forget_past()?;
    }
    for folder in lake.table_names() {
        match lake.root.forget_versions(folder, false) {
            Ok(count) => reached.versions += count,
            Err(error) => {
                tracing::error!(%error, folder, "older versions of what was deleted still stand in the bucket");
                reached.versions_refused = true;
            }
        }
    }
    Ok(reached)
}

/// The deletion is done, or has not happened.
pub(super) fn done(state: &Path) -> Result<(), LakeError> {
    Moments::remove(state)
}

fn events(lake: &Lake) -> Result<u64, LakeError> {
    let list = List::read_nameless(&lake.dir.join(MOMENTS))?;
    let known = std::cell::RefCell::new(HashMap::<ServiceKey, bool>::new());
    let stands = |service: &ServiceKey| {
        if let Some(stands) = known.borrow().get(service) {
            return *stands;
        }
        // What cannot be looked up is taken to stand: its sighting decides.
        let stands = lake
            .index
            .services_of(service.address, None)
            .is_ok_and(|found| found.iter().any(|one| one.key == *service));
        let mut known = known.borrow_mut();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(*service, stands);
        stands
    };
    lake.watching.take_out(&|event: &watch::Event| {
        let deleted = list.as_ref().is_some_and(|list| list.holds_name(&moment(&event.service, event.seen)));
        deleted || !stands(&event.service)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_forgets_hosts_and_nothing_else() {
        let gone: BTreeSet<IpAddr> = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()].into();
        let text = r#"{"beyond":[[3,4]],"host":"192.0.2.1","suspects":[{"address":"192.0.2.1","judged":true},
            {"address":"192.0.2.11","judged":true}],"inner":{"list":["2001:db8:0::1","2001:db8::2"]}}"#;
        let mut position: Value = serde_json::from_str(text).unwrap();
        assert!(without(&mut position, &gone));
        let expected = serde_json::json!({"beyond": [[3, 4]], "host": "192.0.2.1",
            "suspects": [{"address": "192.0.2.11", "judged": true}], "inner": {"list": ["2001:db8::2"]}});
        assert_eq!(position, expected);
        assert!(!without(&mut position, &gone));
    }

    #[test]
    fn a_file_of_which_nothing_is_known_may_hold_anything() {
        let span = span_of(&("192.0.2.0".to_owned(), "192.0.2.255".to_owned()));
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        assert!(may_hold(span, &net("192.0.2.7/32")) && may_hold(span, &net("192.0.0.0/16")));
        assert!(!may_hold(span, &net("192.0.3.0/24")) && !may_hold(span, &net("2001:db8::/32")));
        assert!(may_hold(None, &net("192.0.3.0/24")));
    }
}
