//! Two moments, or two campaigns, side by side.
//!
//! A service is new, gone, changed, or not looked at; gone only when somebody looked and was told that nothing is
//! there. At a
//! hundred times the data: one pass, as for [`super`].

use std::sync::Arc;

use hinomi_model::{CampaignId, Facts, Outcome, Service, ServiceKey, Timestamp};
use serde::Serialize;

use super::cursor::Cursor;
use super::standing::Standing;
use super::{Said, Settle, each_service};
use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::history::differences;
use crate::index::directory::Around;
use crate::lake::Lake;
use crate::looks::OneLook;
use crate::query::eval::Matcher;
use crate::query::parse;
use crate::search::MAX_LIMIT;

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Everything seen until this moment.
    At(Timestamp),
    /// What this campaign saw.
    Campaign(CampaignId),
}

/// What to compare.
#[derive(Clone, Debug)]
pub struct DiffRequest {
    /// Text in the query language; a service counts when it matched on either side.
    pub query: String,
    /// The earlier side.
    pub from: Side,
    /// The later side.
    pub to: Side,
    /// What "now" is in relative times of the query.
    pub now: Timestamp,
    /// How many differences to return, at most [`MAX_LIMIT`].
    pub limit: usize,
    /// Where the previous page ended.
    pub cursor: Option<String>,
    /// What the asker is entitled to; none is all.
    pub within: Option<Arc<Entitlement>>,
}

/// In which way a service is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum What {
    /// It answers on the later side only.
    New,
    /// Somebody looked, and was told that nothing is there any more.
    Gone,
    /// It answers differently.
    Changed,
    /// Nobody looked again.
    NotLookedAt,
}

impl What {
    /// The name, as it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::NotLookedAt => "not-looked-at",
        }
    }
}

/// A service that is different, or was not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which service.
    pub key: ServiceKey,
    /// In which way.
    pub what: What,
    /// What changed: `product`, `version`, `certificate`, ...; as in the history of a host.
    pub changes: Vec<String>,
    /// As it stood on the earlier side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Service>,
    /// As it stood on the later side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Service>,
    /// When it was found closed, where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
}

/// What is different.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DiffPage {
    /// How many services are different or were not looked at; on later pages too.
    pub total: u64,
    /// Those of this page, by address and port.
    pub differences: Vec<Difference>,
    /// Where the next page starts; absent on the last one.
    pub next: Option<String>,
}

/// One service on both sides.
#[derive(Default)]
struct Both {
    before: Standing,
    after: Standing,
    looked: bool,
}

impl Both {
    fn take(&mut self, look: &OneLook, request: &DiffRequest) {
        let on = |side: &Side| match side {
            Side::At(moment) => look.time <= *moment,
            Side::Campaign(campaign) => look.campaign() == Some(campaign),
        };
        let (before, after) = (on(&request.from), on(&request.to));
        if before {
            self.before.take(look);
        }
        if after {
            self.after.take(look);
        }
        self.looked |= after && (!before || matches!(request.to, Side::Campaign(_)));
    }

    fn what(&self) -> Option<What> {
        match (self.before.answers(), self.after.answers()) {
            (false, true) => Some(What::New),
            (true, _) if !self.looked => Some(What::NotLookedAt),
            (true, true) => Some(What::Changed),
            (true, false) => Some(What::Gone),
            (false, false) => None,
        }
    }

    fn changes(&self, said: &Said) -> Vec<String> {
        let (Some(old), Some(new)) = (&self.before.newest, &self.after.newest) else { return Vec::new() };
        if old.run.first.outcome != new.run.first.outcome {
            let name = if new.run.first.outcome == Outcome::Pseudo { "pseudo" } else { "opened" };
            return vec![name.to_owned()];
        }
        if old.run.content == new.run.content {
            return Vec::new();
        }
        let facts = |look: &OneLook| said.get(&look.run.content).map(|derived| Facts::clone(&derived.facts));
        let named = facts(old).zip(facts(new)).map(|(old, new)| differences(&old, &new)).unwrap_or_default();
        let named = if named.is_empty() { vec!["evidence"] } else { named };
        named.into_iter().map(ToOwned::to_owned).collect()
    }
}

impl Settle for Both {
    fn settle(&mut self) {
        self.before.let_go();
        self.after.let_go();
    }
}

impl DiffRequest {
    /// "Gone" and "not looked at" mean something only between two sides of a kind, the earlier one first.
    fn check(&self) -> Result<(), LakeError> {
        let detail = match (&self.from, &self.to) {
            (Side::At(from), Side::At(to)) if from > to => {
                format!("the first moment, {from}, is later than the second, {to}: give the earlier one first")
            }
            (Side::At(_), Side::Campaign(_)) | (Side::Campaign(_), Side::At(_)) => {
                "a moment and a campaign cannot be compared: give two moments, or two campaigns".to_owned()
            }
            _ => return Ok(()),
        };
        Err(LakeError::Unfit { detail })
    }
}

impl Lake {
    /// What is different between two moments, or between what two campaigns saw.
    ///
    /// # Errors
    /// When the sides are not of one kind or swapped, query or cursor are not understood, or tables cannot be read.
    pub fn diff(&self, request: &DiffRequest) -> Result<DiffPage, LakeError> {
        request.check()?;
        let query = parse(&request.query)?;
        let limit = request.limit.min(MAX_LIMIT);
        let question = format!("{} {:?} {:?}", request.query, request.from, request.to);
        let cursor = Cursor::read(request.cursor.as_deref(), &question)?;
        let may = request.within.as_ref().map(|may| self.asked_now(may));
        let looks = self.looks(&query, None, cursor.as_ref(), may.as_deref())?;
        let matcher = Matcher::new(&query);
        let (mut found, mut total): (Vec<Difference>, u64) = (Vec::new(), 0);
        each_service(looks, |both: &mut Both, look| both.take(look, request), &mut |batch: &[(
            ServiceKey,
            Both,
        )]| {
            let said = self.say(batch.iter().flat_map(|(_, both)| [&both.before, &both.after]))?;
            for (key, both) in batch.iter().filter(|(key, _)| cursor.is_none_or(|cursor| cursor.is_before(key))) {
                let Some(one) = self.difference(*key, both, &said, (&matcher, request.now)) else { continue };
                total += 1;
                if found.len() <= MAX_LIMIT {
                    found.push(one);
                }
            }
            Ok(cursor.is_none() || found.len() <= limit)
        })?;
        let more = found.len() > limit;
        found.truncate(limit);
        let total = cursor.map_or(total, |cursor| cursor.total);
        let last = found.last().filter(|_| more).map(|last| last.key);
        let next = last.map(|last| Cursor { last, total }.text(&question));
        Ok(DiffPage { total, differences: found, next })
    }

    fn difference(
        &self,
        key: ServiceKey,
        both: &Both,
        said: &Said,
        (matcher, now): (&Matcher, Timestamp),
    ) -> Option<Difference> {
        let what = both.what()?;
        let changes = if what == What::Changed { both.changes(said) } else { Vec::new() };
        if what == What::Changed && changes.is_empty() {
            return None;
        }
        let side = |standing: &Standing| Some((standing.answers(), self.service(key, standing, said)?));
        let places = self.places.current();
        let around = Around::of(places.find(key.address));
        let shown = |standing: &Standing, service: &Service| standing.fits(matcher, (service, around), said, now);
        let (before, after) = (side(&both.before), side(&both.after));
        let fits = before.as_ref().is_some_and(|(_, service)| shown(&both.before, service))
            || after.as_ref().is_some_and(|(_, service)| shown(&both.after, service));
        let answering =
            |side: Option<(bool, Service)>| side.filter(|(answers, _)| *answers).map(|(_, service)| service);
        let (before, after) = (answering(before), answering(after));
        fits.then_some(Difference { key, what, changes, before, after, closed: both.after.closed })
    }
}
