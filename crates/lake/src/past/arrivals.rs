//! What happened, as it becomes known: the log of the sightings table is the journal.
//!
//! ```text
//!   commits after a version -> their files -> services in them -> whole history of these -> events of the new looks
//! ```
//!
//! - A step is some commits in a row, and an event of it names the step and its place in it ([`Arrived::id`]): who was
//!   away goes on behind the last id it has, exactly, as long as the files of those commits stand (a week after they
//!   were merged); then it is told so, and asks by time.
//! - What a merge or a deletion wrote is no arrival.
//! - What is seen late arrives late, with its own time.
//!
//! At a hundred times the data: a step is [`MAX_STEP_LOOKS`] observations at most, or one commit, of which a page reads
//! [`MAX_PAGE_LOOKS`]; its cost follows the addresses in it, so who follows everything at the pace of a survey pays a pass
//! over what it touches.

use std::collections::HashSet;
use std::sync::Arc;

use hinomi_model::address::to_u128;
use hinomi_model::{ServiceKey, Timestamp, Transport};
use serde::Serialize;

use super::changes::{ChangeEvent, addresses, trails};
use super::trail::Trail;
use super::{each_service, reach};
use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::looks::{Looks, OneLook};
use crate::query::eval::Matcher;
use crate::query::{AddressRanges, parse};
use crate::search::MAX_LIMIT;
use crate::table::DataFile;

/// Observations of one step, about.
const MAX_STEP_LOOKS: u64 = 1 << 20;

/// Commits of one step, at most.
const MAX_STEP_COMMITS: usize = 256;

/// Observations of a step that one page is made of, about: so telling a large step page by page costs what it holds,
/// not what it holds for each page.
const MAX_PAGE_LOOKS: usize = 1 << 16;

/// Which arrivals to tell.
#[derive(Clone, Debug)]
pub struct ArrivedRequest {
    /// Text in the query language.
    pub query: String,
    /// The last [`Arrived::id`] or [`ArrivedPage::next`] that the asker has.
    pub after: String,
    /// How many events to return, at most [`MAX_LIMIT`].
    pub limit: usize,
    /// What the asker is entitled to; none is all.
    pub within: Option<Arc<Entitlement>>,
}

/// An event with its place among arrivals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrived {
    /// Where to go on after it.
    pub id: String,
    /// What happened.
    #[serde(flatten)]
    pub event: ChangeEvent,
}

/// Events that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArrivedPage {
    /// By commits, and by address, port and time among those of one step.
    pub events: Vec<Arrived>,
    /// Where to go on; the same as was asked for when nothing arrived.
    pub next: String,
    /// Whether there is more already.
    pub more: bool,
}

/// A place among arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Everything until this version was told.
    after: u64,
    /// And in the step from there until this version, everything until this event.
    within: Option<(u64, ServiceKey, Timestamp)>,
}

impl Lake {
    /// Where who wants to know of everything from now on begins.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn arrivals_begin(&self) -> Result<(u64, String), LakeError> {
        self.see_others()?;
        let version = self.sightings.version().unwrap_or(0);
        Ok((version, Place { after: version, within: None }.text()))
    }

    /// What happened to services that a query shows, of what was committed after a place.
    ///
    /// # Errors
    /// When query or place are not understood, tables cannot be read, or those commits are no longer kept.
    pub fn arrived(&self, request: &ArrivedRequest) -> Result<ArrivedPage, LakeError> {
        let query = parse(&request.query)?;
        let matcher = Matcher::new(&query);
        let place = Place::parse(&request.after).ok_or(LakeError::Cursor)?;
        self.see_others()?;
        let Some(Commits { until, files }) = self.step(place)? else {
            return Ok(ArrivedPage { next: request.after.clone(), ..ArrivedPage::default() });
        };
        let rest = place.within.map(|(_, key, _)| AddressRanges::from_number(to_u128(key.address)));
        let may = request.within.as_ref().map(|may| self.asked_now(may));
        let may = may.as_deref();
        let parts = [query.filter.as_ref().and_then(reach), rest, may.and_then(Entitlement::ranges)];
        let ranges = parts.into_iter().flatten().reduce(|one, other| one.both(&other)).map(Arc::new);
        let mut page = Step { place, until, limit: request.limit.clamp(1, MAX_LIMIT), events: Vec::new(), cut: None };
        let (new, cut) = Self::looks_of(self.visible(Looks::new(&self.sightings, &files, ranges), may)?, &page)?;
        self.events_of(&new, may, &matcher, &mut page)?;
        page.cut = page.cut.or(cut);
        Ok(page.finish(self.sightings.version().is_some_and(|newest| newest > until)))
    }

    /// Until which version the step goes, and its files; none when there is none. It ends at the newest version that is
    /// known here at the beginning: history is read from what is known, and a commit beyond that would be told without.
    fn step(&self, place: Place) -> Result<Option<Commits>, LakeError> {
        // Nobody was told of anything before there was a table.
        let newest = self.sightings.version().unwrap_or(0);
        let end = place.within.map(|(until, ..)| until);
        if newest < end.unwrap_or(place.after) {
            return Err(LakeError::Cursor);
        }
        let (mut files, mut until, mut looks) = (Vec::new(), place.after, 0_u64);
        for _ in 0..MAX_STEP_COMMITS {
            if until >= end.unwrap_or(newest) || looks >= MAX_STEP_LOOKS {
                break;
            }
            let Some(appended) = self.sightings.appended_by(until + 1)? else { break };
            let more: u64 = appended.iter().map(|file| file.looks()).sum();
            if end.is_none() && looks > 0 && looks + more > MAX_STEP_LOOKS {
                break;
            }
            looks += more;
            until += 1;
            files.extend(appended);
        }
        // Commits that a checkpoint replaced are removed in the end: then what was in them cannot be told any more.
        if until == place.after && newest > until {
            return Err(LakeError::Forgotten { table: self.sightings.name(), file: format!("commit {}", until + 1) });
        }
        Ok((until > place.after).then_some(Commits { until, files }))
    }

    /// Service and time of each of these observations that a page is made of, and where they end, when there are
    /// more.
    fn looks_of(looks: impl Iterator<Item = Result<OneLook, LakeError>>, page: &Step) -> Result<New, LakeError> {
        let (last, mut new, mut here) = (page.last(), HashSet::new(), None);
        for look in looks {
            let look = look?;
            let (key, time) = (look.run.first.subject, look.time);
            let left = here.filter(|here: &ServiceKey| (here.address, here.port) != (key.address, key.port));
            if let Some(left) = left.filter(|_| new.len() >= MAX_PAGE_LOOKS) {
                // Behind whatever was seen of that port.
                let end = ServiceKey { transport: Transport::Udp, ..left };
                return Ok((new, Some((end, Timestamp::from_micros(i64::MAX)))));
            }
            here = Some(key);
            // What is told again was told when it arrived first.
            if !look.run.again && last.is_none_or(|last| last < order(&key, time)) {
                new.insert((key, time));
            }
        }
        Ok((new, None))
    }

    fn events_of(
        &self,
        new: &HashSet<(ServiceKey, Timestamp)>,
        may: Option<&Entitlement>,
        matcher: &Matcher,
        page: &mut Step,
    ) -> Result<(), LakeError> {
        if new.is_empty() {
            return Ok(());
        }
        let ranges = Arc::new(addresses(new.iter().map(|(key, _)| key.address)));
        let looks = Looks::new(&self.sightings, &self.sightings.files(|_| true), Some(ranges));
        let looks = self.visible(looks, may)?;
        let wanted = |key: &ServiceKey, time: Timestamp| new.contains(&(*key, time));
        each_service(looks, |trail: &mut Trail, look| trail.take(look, &wanted), &mut |batch| {
            self.tell_events(&trails(batch), matcher, &mut |event| page.events.push(event))?;
            if let Some((key, cut)) = batch.iter().find_map(|(key, trail)| Some((*key, trail.cut?))) {
                page.cut = Some((key, cut));
            }
            Ok(page.cut.is_none() && page.events.len() <= page.limit)
        })
    }
}

/// Service and time of observations, and where they end, when there are more.
type New = (HashSet<(ServiceKey, Timestamp)>, Option<(ServiceKey, Timestamp)>);

/// Some commits in a row.
struct Commits {
    until: u64,
    files: Vec<Arc<DataFile>>,
}

/// Where an observation stands in a step.
type Order = (u128, u16, Transport, Timestamp);

fn order(key: &ServiceKey, time: Timestamp) -> Order {
    (to_u128(key.address), key.port, key.transport, time)
}

/// The events of a step.
struct Step {
    place: Place,
    until: u64,
    limit: usize,
    events: Vec<ChangeEvent>,
    /// Until where it was looked at, when that is not its end.
    cut: Option<(ServiceKey, Timestamp)>,
}

impl Step {
    /// Until where it was told already.
    fn last(&self) -> Option<Order> {
        self.place.within.map(|(_, key, time)| order(&key, time))
    }

    fn finish(mut self, newer: bool) -> ArrivedPage {
        if let Some((key, time)) = self.cut {
            let end = order(&key, time);
            self.events.retain(|event| order(&event.service, event.time) <= end);
        }
        let full = self.events.len() > self.limit;
        self.events.truncate(self.limit);
        let after = self.place.after;
        let at = |key, time| Place { after, within: Some((self.until, key, time)) };
        let last = self.events.last().map(|last| at(last.service, last.time));
        let next = match (full, self.cut) {
            (true, _) => last,
            (false, Some((key, time))) => Some(at(key, time)),
            (false, None) => None,
        };
        let more = next.is_some() || newer;
        let next = next.unwrap_or(Place { after: self.until, within: None }).text();
        let with_id = |event: ChangeEvent| Arrived { id: at(event.service, event.time).text(), event };
        ArrivedPage { events: self.events.into_iter().map(with_id).collect(), next, more }
    }
}

impl Place {
    fn text(&self) -> String {
        match &self.within {
            None => format!("{}", self.after),
            Some((until, ServiceKey { address, port, transport }, time)) => {
                format!("{}_{until}_{}_{port}_{transport}_{address}", self.after, time.as_micros())
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, '_');
        let after = parts.next()?.parse().ok()?;
        let Some(until) = parts.next() else { return Some(Self { after, within: None }) };
        let time = Timestamp::from_micros(parts.next()?.parse().ok()?);
        let (port, transport) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let key = ServiceKey { address: parts.next()?.parse().ok()?, port, transport };
        let until = until.parse().ok().filter(|until| *until > after)?;
        Some(Self { after, within: Some((until, key, time)) })
    }
}

#[cfg(test)]
mod tests {
    use hinomi_model::time::FixedClock;
    use hinomi_model::{Batch, Evidence, Facts, Identifier, Marking, Outcome, Purpose, Sighting, Sink as _, Tlp};

    use super::*;
    use crate::lake::LakeOptions;
    use crate::place::Places;

    fn key() -> ServiceKey {
        ServiceKey { address: "2001:db8::1".parse().unwrap(), port: 443, transport: Transport::Tcp }
    }

    #[test]
    fn places_come_back() {
        for within in [None, Some((9, key(), Timestamp::from_micros(-5)))] {
            let place = Place { after: 7, within };
            assert_eq!(Place::parse(&place.text()), Some(place));
        }
        for wrong in ["", "x", "7_", "7_7_1_1_tcp_192.0.2.1", "7_9_1_1_tcp", "7_9_1_70000_tcp_192.0.2.1"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    struct NoRules;

    impl Identifier for NoRules {
        fn identify(&self, _: &[Evidence]) -> Facts {
            Facts::default()
        }

        fn revision(&self) -> &str {
            "none"
        }
    }

    fn lake(dir: &std::path::Path, read_only: bool) -> Lake {
        let (clock, identifier) = (Arc::new(FixedClock(Timestamp::from_micros(1))), Arc::new(NoRules));
        let (dir, places) = (dir.to_owned(), Places::default());
        Lake::open(LakeOptions { dir, read_only, identifier, places, clock }).unwrap()
    }

    fn append(lake: &Lake, micros: i64) {
        append_as(lake, micros, Marking::own(Purpose::Exercise));
    }

    fn append_as(lake: &Lake, micros: i64, marking: Marking) {
        let sighting = Sighting {
            sensor: "test".parse().unwrap(),
            campaign: None,
            time: Timestamp::from_micros(micros),
            subject: key(),
            outcome: Outcome::Open,
            remark: None,
            evidence: Vec::new(),
            marking,
        };
        lake.append(Batch { sightings: vec![sighting], ..Batch::default() }).unwrap();
    }

    #[test]
    fn who_begins_before_there_is_a_table_follows_from_its_first_commit() {
        let dir = tempfile::tempdir().unwrap();
        let reader = lake(dir.path(), true);
        let after = reader.arrivals_begin().unwrap().1;
        let ask = |after: &str| {
            let after = after.to_owned();
            reader.arrived(&ArrivedRequest { query: String::new(), after, limit: 10, within: None })
        };
        assert_eq!(ask(&after).unwrap(), ArrivedPage { next: after.clone(), ..ArrivedPage::default() });
        assert!(matches!(ask("1"), Err(LakeError::Cursor)), "a version that is not there");
        append(&lake(dir.path(), false), 5);
        assert_eq!(ask(&after).unwrap().events.len(), 1);
    }

    #[test]
    fn what_is_told_again_more_strictly_does_not_arrive_again() {
        let dir = tempfile::tempdir().unwrap();
        let lake = lake(dir.path(), false);
        append(&lake, 5);
        let (version, after) = lake.arrivals_begin().unwrap();
        append_as(&lake, 5, Marking { tlp: Tlp::Red, ..Marking::own(Purpose::Exercise) });
        assert_eq!(lake.sightings.version(), Some(version + 1), "it is stored");
        let page = lake.arrived(&ArrivedRequest { query: String::new(), after, limit: 10, within: None }).unwrap();
        let next = Place { after: version + 1, within: None }.text();
        assert_eq!(page, ArrivedPage { next, ..ArrivedPage::default() });
    }

    /// Its history is not known yet: told now, its events would be lost.
    #[test]
    fn a_commit_that_lands_while_a_step_is_read_is_for_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let writer = lake(dir.path(), false);
        append(&writer, 5);
        let reader = lake(dir.path(), true);
        let known = reader.sightings.version().unwrap();
        append(&writer, 6);
        let until = |after| reader.step(Place { after, within: None }).map(|step| step.map(|step| step.until));
        assert_eq!(until(known - 1).unwrap(), Some(known));
        assert_eq!(until(known).unwrap(), None, "neither told nor said to be gone");
        reader.refresh().unwrap();
        assert_eq!(until(known).unwrap(), Some(known + 1));
    }
}
