//! What happened to services, one event after the other.
//!
//! - [`Lake::changes`]: by time, a page at a time. Derived from the tables: there is no journal to be kept or lost, and
//!   what is seen late stands where it belongs.
//! - [`Lake::arrived`]: as it becomes known, for who follows: each commit of sightings tells its events once
//!   ([`super::arrivals`]).
//! - An event is told when the query shows the service before or after it. Bytes that differ without saying anything
//!   else are no event.
//!
//! At a hundred times the data: a page is a pass over the addresses that the query admits, and memory is that of
//! [`super`] and of one page.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::sync::Arc;

use hinomi_model::address::to_u128;
use hinomi_model::{ContentHash, Facts, Outcome, ServiceKey, Timestamp, Transport};
use serde::Serialize;

use super::owners::Owners;
use super::standing::Standing;
use super::trail::{Happened, Step, Trail};
use super::{Said, each_service};
use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::history::{differences, label};
use crate::index::directory::Around;
use crate::lake::Lake;
use crate::looks::OneLook;
use crate::query::eval::Matcher;
use crate::query::{AddressRanges, parse};
use crate::search::MAX_LIMIT;
use crate::table::Known;

/// Which events to tell.
#[derive(Clone, Debug)]
pub struct ChangesRequest {
    /// Text in the query language; relative times are relative to the moment of the event.
    pub query: String,
    /// Events of this moment and later.
    pub from: Option<Timestamp>,
    /// Events before this moment.
    pub until: Option<Timestamp>,
    /// Which knowledge; all there is, when none is named.
    pub known: Option<Known>,
    /// How many events to return, at most [`MAX_LIMIT`].
    pub limit: usize,
    /// Where the previous page ended.
    pub cursor: Option<String>,
    /// What the asker is entitled to; none is all.
    pub within: Option<Arc<Entitlement>>,
}

impl ChangesRequest {
    /// Everything that ever happened to what the query shows.
    pub fn new(query: impl Into<String>) -> Self {
        let (from, until, known, cursor, within) = (None, None, None, None, None);
        Self { query: query.into(), from, until, known, limit: crate::search::DEFAULT_LIMIT, cursor, within }
    }
}

/// Something that happened to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangeEvent {
    /// When it was seen.
    pub time: Timestamp,
    /// Which service.
    pub service: ServiceKey,
    /// What happened.
    pub what: Happened,
    /// Which facts are others now: `product`, `version`, `certificate`, ...; as in the history of a host. Or `owner`.
    pub changes: Vec<String>,
    /// Which sensor saw it.
    pub sensor: String,
    /// Protocol, product and version before, or the owner where that changed; absent when it opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Protocol, product and version after; absent when it closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Events in time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangesPage {
    /// Those of this page, the earliest first.
    pub events: Vec<ChangeEvent>,
    /// Where the next page starts; absent on the last one.
    pub next: Option<String>,
}

impl Lake {
    /// What happened to services that a query shows, by time.
    ///
    /// # Errors
    /// When query or cursor are not understood, tables cannot be read, or that knowledge is no longer kept.
    pub fn changes(&self, request: &ChangesRequest) -> Result<ChangesPage, LakeError> {
        let query = parse(&request.query)?;
        let matcher = Matcher::new(&query);
        let question = format!("{} {:?} {:?} {:?}", request.query, request.from, request.until, request.known);
        let after = Place::read(request.cursor.as_deref(), &question)?;
        let may = request.within.as_ref().map(|may| self.asked_now(may));
        let (may, then) = (may.as_deref(), self.then()?);
        let looks = self.looks(&query, request.known, None, may)?;
        let owners = self.owners.of_state(&self.dir)?;
        let wanted = |key: &ServiceKey, time: Timestamp| {
            request.from.is_none_or(|from| from <= time)
                && request.until.is_none_or(|until| time < until)
                && after.as_ref().is_none_or(|after| *after < Place::of(time, key))
        };
        let mut page = Earliest::new(request.limit.clamp(1, MAX_LIMIT));
        each_service(looks, |trail: &mut Trail, look| trail.take(look, &wanted), &mut |batch| {
            self.tell_events(&trails(batch), &matcher, &mut |event| page.push(event))?;
            let turned = turns(batch, &owners, &wanted, &|look, time| then.may_see(may, look, time));
            self.tell_events(&trails(&turned), &matcher, &mut |event| page.push(event))?;
            batch.iter().filter_map(|(_, trail)| trail.cut).for_each(|cut| page.cut(cut));
            Ok(true)
        })?;
        Ok(page.finish(&question))
    }

    /// The events of some services, in the order of services and time.
    pub(super) fn tell_events(
        &self,
        batch: &[(ServiceKey, &Trail)],
        matcher: &Matcher,
        each: &mut dyn FnMut(ChangeEvent),
    ) -> Result<(), LakeError> {
        let steps = || batch.iter().flat_map(|(_, trail)| &trail.steps);
        let standings = steps().flat_map(|step| [step.before.newest.as_ref(), step.after.newest.as_ref()]);
        let said = self.say_of(standings.chain(steps().map(|step| step.old.as_ref())).flatten())?;
        for (key, trail) in batch {
            trail.steps.iter().filter_map(|step| self.event(*key, step, &said, matcher)).for_each(&mut *each);
        }
        Ok(())
    }

    fn event(&self, key: ServiceKey, step: &Step, said: &Said, matcher: &Matcher) -> Option<ChangeEvent> {
        let changes = changes(step, said);
        if step.what == Happened::Changed && changes.is_empty() {
            return None;
        }
        let places = self.places.current();
        let around = Around::of(places.find(key.address));
        let shown = |standing: &Standing| {
            let service = self.service(key, standing, said)?;
            standing.fits(matcher, (&service, around), said, step.time).then_some(())
        };
        shown(&step.before).or_else(|| shown(&step.after))?;
        let told = |standing: &Standing| standing.newest.as_ref().and_then(|look| facts(look, said)).map(label);
        let before = step.old.as_ref().and_then(|look| facts(look, said)).map(label).or_else(|| told(&step.before));
        let after = told(&step.after).filter(|_| step.what != Happened::Closed);
        let (before, after) = match &step.owner {
            Some((before, after)) => (Some(before.clone()), Some(after.clone())),
            None => (before, after),
        };
        Some(ChangeEvent {
            time: step.time,
            service: key,
            what: step.what,
            changes,
            sensor: step.sensor.to_string(),
            before,
            after,
        })
    }
}

/// The trails of a batch.
pub(super) fn trails(batch: &[(ServiceKey, Trail)]) -> Vec<(ServiceKey, &Trail)> {
    batch.iter().map(|(key, trail)| (*key, trail)).collect()
}

/// Where services of a batch came to another owner.
pub(super) fn turns(
    batch: &[(ServiceKey, Trail)],
    owners: &Owners,
    wanted: &impl Fn(&ServiceKey, Timestamp) -> bool,
    may_see: &impl Fn(&OneLook, Timestamp) -> bool,
) -> Vec<(ServiceKey, Trail)> {
    let of = |(key, trail): &(ServiceKey, Trail)| (*key, Trail::of(trail.turns(key, owners, wanted, may_see)));
    batch.iter().map(of).filter(|(_, trail)| !trail.steps.is_empty()).collect()
}

fn facts<'s>(look: &OneLook, said: &'s Said) -> Option<&'s Facts> {
    said.get(&look.run.content).map(|derived| derived.facts.as_ref())
}

/// Which facts are others after a step.
fn changes(step: &Step, said: &Said) -> Vec<String> {
    if step.owner.is_some() {
        return vec!["owner".to_owned()];
    }
    let (Some(old), Some(new)) = (&step.old, &step.after.newest) else { return Vec::new() };
    if old.run.first.outcome != new.run.first.outcome {
        let name = if new.run.first.outcome == Outcome::Pseudo { "pseudo" } else { "opened" };
        return vec![name.to_owned()];
    }
    let named = facts(old, said).zip(facts(new, said)).map(|(old, new)| differences(old, new));
    named.unwrap_or_default().into_iter().map(ToOwned::to_owned).collect()
}

/// Where an event stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Timestamp, u128, u16, Transport);

/// Digits of the question's sum.
const SUM_DIGITS: usize = 16;

impl Place {
    fn of(time: Timestamp, key: &ServiceKey) -> Self {
        Self(time, to_u128(key.address), key.port, key.transport)
    }

    /// After everything of this moment.
    const fn end_of(time: Timestamp) -> Self {
        Self(time, u128::MAX, u16::MAX, Transport::Udp)
    }

    /// As text, bound to the question.
    fn text(&self, question: &str) -> String {
        let Self(time, address, port, transport) = self;
        format!("{}_{}_{address:x}_{port}_{transport}", sum(question), time.as_micros())
    }

    fn read(text: Option<&str>, question: &str) -> Result<Option<Self>, LakeError> {
        let Some(text) = text else { return Ok(None) };
        Self::parse(text, question).map(Some).ok_or(LakeError::Cursor)
    }

    fn parse(text: &str, question: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '_');
        if parts.next()? != sum(question) {
            return None;
        }
        let time = Timestamp::from_micros(parts.next()?.parse().ok()?);
        let address = u128::from_str_radix(parts.next()?, 16).ok()?;
        Some(Self(time, address, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

fn sum(question: &str) -> String {
    ContentHash::of(question.as_bytes()).to_string().chars().take(SUM_DIGITS).collect()
}

/// The earliest events, and whether there are more.
struct Earliest {
    limit: usize,
    heap: BinaryHeap<Waiting>,
    /// What is later was not looked at whole.
    cut: Option<Timestamp>,
}

impl Earliest {
    const fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::new(), cut: None }
    }

    fn push(&mut self, event: ChangeEvent) {
        self.heap.push(Waiting(event));
        if self.heap.len() > self.limit + 1 {
            self.heap.pop();
        }
    }

    fn cut(&mut self, time: Timestamp) {
        self.cut = Some(self.cut.map_or(time, |cut| cut.min(time)));
    }

    fn finish(self, question: &str) -> ChangesPage {
        let Self { limit, heap, cut } = self;
        let mut events: Vec<ChangeEvent> = heap.into_sorted_vec().into_iter().map(|Waiting(event)| event).collect();
        let mut more = events.len() > limit;
        events.truncate(limit);
        if let Some(cut) = cut {
            events.retain(|event| event.time <= cut);
            more = true;
        }
        let last = events.last().map(|last| Place::of(last.time, &last.service));
        let full = events.len() >= limit;
        let next = cut.filter(|_| !full).map(Place::end_of).or(last).filter(|_| more);
        ChangesPage { events, next: next.map(|next| next.text(question)) }
    }
}

/// The latest comes out of a heap first.
struct Waiting(ChangeEvent);

impl Waiting {
    fn place(&self) -> Place {
        Place::of(self.0.time, &self.0.service)
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place()).then_with(|| self.0.what.cmp(&other.0.what))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

/// The addresses of these services.
pub(super) fn addresses(of: impl Iterator<Item = IpAddr>) -> AddressRanges {
    AddressRanges::new(of.map(Into::into))
}
