//! What was true at a past moment, and what became different between two.
//!
//! Two clocks: a question names the moment it is about, and may name the moment whose knowledge it rests on
//! ([`Known`]: the
//! sightings table as it was then, while its files stand). What evidence says is told by today's rules.
//!
//! - [`Lake::as_of`]: services as they stood, a page at a time.
//! - [`Lake::diff`]: two moments, or two campaigns, side by side ([`diff`]).
//! - [`Lake::changes`], [`Lake::arrived`]: what happened, by time or as it becomes known ([`changes`]).
//! - [`Lake::presence`]: when the services of an address were there ([`presence`]).
//! - "Not looked at" is never told as "gone": [`Presence`] says what the last look found, and when it was.
//!
//! All of them read [`crate::looks`]: files and row groups are passed over by the addresses that the query admits, a
//! query without
//! any reads everything that stands. At a hundred times the data: memory is that of [`crate::looks`] and
//! [`BATCH_SERVICES`]
//! services; a question over everything is one pass, and its next page begins where the last one ended.

pub mod arrivals;
pub mod changes;
mod cursor;
pub mod days;
pub mod diff;
pub(crate) mod owners;
pub mod presence;
mod standing;
mod trail;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::{Service, ServiceKey, Timestamp, Transport};
use serde::Serialize;

use crate::entitlement::{Entitlement, Seen};
use crate::error::LakeError;
use crate::facts::Derived;
use crate::identify::{AtHand, Contents, Known as KnownFacts};
use crate::index::directory::Around;
use crate::lake::Lake;
use crate::looks::{Looks, OneLook};
use crate::query::eval::Matcher;
use crate::query::{AddressRanges, Node, Query, Test, parse};
use crate::search::MAX_LIMIT;
use crate::table::Known;
use cursor::Cursor;
use owners::Then;
use standing::Standing;
pub use trail::Happened;

/// Services whose facts are fetched at once.
const BATCH_SERVICES: usize = 1_024;

/// How long after its last look a service counts as open, when nobody says.
pub const FRESH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A question about a past moment.
#[derive(Clone, Debug)]
pub struct PastRequest {
    /// Text in the query language; relative times are relative to the moment asked about. It is answered in the order
    /// of
    /// address and port.
    pub query: String,
    /// Which moment.
    pub at: Timestamp,
    /// Which knowledge; all there is, when none is named.
    pub known: Option<Known>,
    /// How long after its last look a service counts as open.
    pub fresh: Duration,
    /// How many services to return, at most [`MAX_LIMIT`].
    pub limit: usize,
    /// Where the previous page ended.
    pub cursor: Option<String>,
    /// What the asker is entitled to; none is all.
    pub within: Option<Arc<Entitlement>>,
}

impl PastRequest {
    /// Everything as it stood then, by all that is known now.
    pub fn new(query: impl Into<String>, at: Timestamp) -> Self {
        let (known, cursor, within) = (None, None, None);
        Self { query: query.into(), at, known, fresh: FRESH, limit: crate::search::DEFAULT_LIMIT, cursor, within }
    }
}

/// What the last look before a moment found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Presence {
    /// It answered, a short time before.
    Open,
    /// The host said that nothing is there.
    Closed,
    /// It answered, and nobody has looked for long.
    NotSeenSince,
}

impl Presence {
    /// The name, as it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::NotSeenSince => "not-seen-since",
        }
    }
}

/// A service as it stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastService {
    /// The service; first and last seen are those until then.
    pub service: Service,
    /// What the last look found.
    pub state: Presence,
    /// When it was first found closed after it last answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
}

/// Services as they stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastPage {
    /// How many matched in all.
    pub total: u64,
    /// Those of this page, by address and port.
    pub matches: Vec<PastService>,
    /// Where the next page starts; absent on the last one.
    pub next: Option<String>,
}

impl Lake {
    /// Services that matched a query as they stood at a past moment.
    ///
    /// # Errors
    /// When query or cursor are not understood, tables cannot be read, or that knowledge is no longer kept.
    pub fn as_of(&self, request: &PastRequest) -> Result<PastPage, LakeError> {
        let query = parse(&request.query)?;
        let limit = request.limit.min(MAX_LIMIT);
        let question = format!("{} {} {:?}", request.query, request.at, request.known);
        let cursor = Cursor::read(request.cursor.as_deref(), &question)?;
        let may = request.within.as_ref().map(|may| self.asked_now(may));
        let looks = self.looks(&query, request.known, cursor.as_ref(), may.as_deref())?;
        let mut asked = AsOf { lake: self, request, matcher: Matcher::new(&query), matches: Vec::new(), total: 0 };
        let until = |standing: &mut Standing, look: &OneLook| {
            if look.time <= request.at {
                standing.take(look);
            }
        };
        each_service(looks, until, &mut |batch| {
            asked.judge(batch, cursor.as_ref())?;
            Ok(cursor.is_none() || asked.matches.len() <= limit)
        })?;
        let (mut matches, more) = (asked.matches, asked.total > limit);
        matches.truncate(limit);
        let total = cursor.as_ref().map_or(u64::try_from(asked.total).unwrap_or(u64::MAX), |cursor| cursor.total);
        let last = matches.last().filter(|_| more).map(|last| last.service.key);
        let next = last.map(|last| Cursor { last, total }.text(&question));
        Ok(PastPage { total, matches, next })
    }

    /// The observations that a query may be about, and the asker may see.
    fn looks<'a>(
        &'a self,
        query: &Query,
        known: Option<Known>,
        cursor: Option<&Cursor>,
        may: Option<&'a Entitlement>,
    ) -> Result<impl Iterator<Item = Result<OneLook, LakeError>> + 'a, LakeError> {
        self.see_others()?;
        let files = match known {
            Some(known) => self.sightings.files_known(known)?,
            None => self.sightings.files(|_| true),
        };
        let rest = cursor.map(|cursor| AddressRanges::from_number(cursor.address()));
        let parts = [query.filter.as_ref().and_then(reach), rest, may.and_then(Entitlement::ranges)];
        let ranges = parts.into_iter().flatten().reduce(|one, other| one.both(&other));
        // Who may not see all is kept to how it is marked now, whatever was known then.
        let now = if may.is_some() && known.is_some() { self.sightings.files(|_| true) } else { Vec::new() };
        self.visible(Looks::marked_by(&self.sightings, &files, &now, ranges.map(Arc::new)), may)
    }

    /// Those that the asker may see at this moment; none is all.
    pub(crate) fn visible<'a>(
        &'a self,
        looks: Looks,
        may: Option<&Entitlement>,
    ) -> Result<impl Iterator<Item = Result<OneLook, LakeError>> + use<'a>, LakeError> {
        let (then, may) = (self.then()?, may.map(|may| self.asked_now(may)));
        Ok(looks.filter(move |look| match look {
            Ok(look) => then.may_see(may.as_deref(), look, look.time),
            Err(_) => true,
        }))
    }

    /// What the newest evidence of each says.
    fn say<'s>(&self, standings: impl Iterator<Item = &'s Standing>) -> Result<Said, LakeError> {
        self.say_of(standings.filter_map(|standing| standing.newest.as_ref()))
    }

    /// What the evidence of each look says.
    fn say_of<'s>(&self, looks: impl Iterator<Item = &'s OneLook>) -> Result<Said, LakeError> {
        let contents: Contents<'_> = looks.map(|look| (look.run.content, look.run.first.evidence.as_slice())).collect();
        let KnownFacts { derived, new } = self.knowledge.of(&contents, &self.pieces, &AtHand::default())?;
        if self.reads_only() {
            self.knowledge.remember(new);
        }
        Ok(derived)
    }
}

impl Then {
    /// Whether the asker may see what was observed like this, had it been at this moment.
    pub(crate) fn may_see(&self, may: Option<&Entitlement>, look: &OneLook, time: Timestamp) -> bool {
        let Some(may) = may else { return true };
        let seen = &look.run.first;
        let address = seen.subject.address;
        may.admits(&Seen { address, asn: self.asn(address, time), time, marking: &seen.marking })
    }
}

type Said = ahash::HashMap<hinomi_model::ContentHash, Derived>;

struct AsOf<'a> {
    lake: &'a Lake,
    request: &'a PastRequest,
    matcher: Matcher,
    matches: Vec<PastService>,
    total: usize,
}

impl AsOf<'_> {
    fn judge(&mut self, batch: &[(ServiceKey, Standing)], cursor: Option<&Cursor>) -> Result<(), LakeError> {
        let said = self.lake.say(batch.iter().map(|(_, standing)| standing))?;
        let places = self.lake.places.current();
        for (key, standing) in batch.iter().filter(|(key, _)| cursor.is_none_or(|cursor| cursor.is_before(key))) {
            let Some(service) = self.lake.service(*key, standing, &said) else { continue };
            let around = Around::of(places.find(key.address));
            if !standing.fits(&self.matcher, (&service, around), &said, self.request.at) {
                continue;
            }
            self.total += 1;
            if self.matches.len() <= MAX_LIMIT {
                let (state, closed) = (standing.presence(self.request.at, self.request.fresh), standing.closed);
                self.matches.push(PastService { service, state, closed });
            }
        }
        Ok(())
    }
}

/// Takes some services, and says whether it wants more.
type Each<'a, S> = dyn FnMut(&[(ServiceKey, S)]) -> Result<bool, LakeError> + 'a;

/// What the observations of a service come to.
trait Settle {
    /// All of them were taken: lets go of what only later ones would need.
    fn settle(&mut self);
}

impl Settle for Standing {
    fn settle(&mut self) {
        self.let_go();
    }
}

/// Hands on what `take` makes of the observations of each service, by address and port, some at a time, until `each` has
/// had enough.
fn each_service<S: Default + Settle>(
    looks: impl Iterator<Item = Result<OneLook, LakeError>>,
    take: impl Fn(&mut S, &OneLook),
    each: &mut Each<'_, S>,
) -> Result<(), LakeError> {
    let mut here = None;
    let mut open: BTreeMap<Transport, (ServiceKey, S)> = BTreeMap::new();
    let mut batch = Vec::new();
    let settled = |(key, mut state): (ServiceKey, S)| {
        state.settle();
        (key, state)
    };
    for look in looks {
        let look = look?;
        if here != Some(look.place()) {
            batch.extend(std::mem::take(&mut open).into_values().map(settled));
            here = Some(look.place());
        }
        if batch.len() >= BATCH_SERVICES && !each(&std::mem::take(&mut batch))? {
            return Ok(());
        }
        let subject = look.run.first.subject;
        let (_, state) = open.entry(subject.transport).or_insert_with(|| (subject, S::default()));
        take(state, &look);
    }
    batch.extend(open.into_values().map(settled));
    each(&batch).map(drop)
}

/// The addresses that a condition can hold for; none is every address.
fn reach(node: &Node) -> Option<AddressRanges> {
    match node {
        Node::Not(_) => None,
        Node::All(parts) => parts.iter().filter_map(reach).reduce(|one, other| one.both(&other)),
        Node::Any(parts) => parts.iter().map(reach).reduce(|one, other| Some(one?.either(other?)))?,
        Node::Clause(clause) => {
            let net = |test: &Test| match test {
                Test::Net(net) => Some(*net),
                Test::Address(address) => Some((*address).into()),
                _ => None,
            };
            clause.tests.iter().map(net).collect::<Option<Vec<_>>>().map(AddressRanges::new)
        }
    }
}
