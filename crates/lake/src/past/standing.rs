//! What the observations of one service until some moment come to.
//!
//! The same as the index holds of the present: the newest that answered decides, first and last seen are those that
//! answered, and a
//! service is closed when it was found closed later than that. At a hundred times the data nothing changes here.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::{ContentHash, Outcome, SensorId, Service, ServiceKey, Timestamp};

use super::{Presence, Said};
use crate::index::directory::Around;
use crate::lake::Lake;
use crate::looks::OneLook;
use crate::query::eval::{Matcher, Subject};

/// One service; observations are taken in time.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// The newest that answered.
    pub(super) newest: Option<OneLook>,
    first_seen: Option<Timestamp>,
    /// When it was first found closed after that.
    pub(super) closed: Option<Timestamp>,
}

impl Standing {
    /// One more observation.
    pub(super) fn take(&mut self, look: &OneLook) {
        if look.run.first.outcome == Outcome::Closed {
            let later = self.newest.as_ref().is_none_or(|newest| newest.time < look.time);
            if later {
                self.closed = Some(self.closed.map_or(look.time, |closed| closed.min(look.time)));
            }
            return;
        }
        self.first_seen = Some(self.first_seen.map_or(look.time, |first| first.min(look.time)));
        if self.closed.is_some_and(|closed| closed <= look.time) {
            self.closed = None;
        }
        if self.newest.as_ref().is_none_or(|newest| rank(newest) <= rank(look)) {
            self.newest = Some(look.clone());
        }
    }

    /// Lets go of what was observed before the newest.
    pub(super) fn let_go(&mut self) {
        self.newest = self.newest.take().map(OneLook::alone);
    }

    /// Whether it answered last.
    pub(super) const fn answers(&self) -> bool {
        self.newest.is_some() && self.closed.is_none()
    }

    /// What the last look before this moment found.
    pub(super) fn presence(&self, at: Timestamp, fresh: Duration) -> Presence {
        let last = self.newest.as_ref().map(|newest| newest.time);
        match (self.closed, last) {
            (Some(_), _) => Presence::Closed,
            (None, Some(last)) if last >= at.minus(fresh) => Presence::Open,
            _ => Presence::NotSeenSince,
        }
    }

    /// Whether a query shows it; `service` is itself.
    pub(super) fn fits(
        &self,
        matcher: &Matcher,
        (service, around): (&Service, Around<'_>),
        said: &Said,
        now: Timestamp,
    ) -> bool {
        let Some(look) = &self.newest else { return false };
        let seen = &look.run.first;
        let subject = Subject {
            key: service.key,
            facts: &service.facts,
            text: said.get(&look.run.content).map_or("", |derived| &derived.text),
            first_seen: service.first_seen,
            last_seen: service.last_seen,
            closed: self.closed.is_some(),
            pseudo: seen.outcome == Outcome::Pseudo,
            around,
            sensor: seen.sensor.as_str(),
            marking: &seen.marking,
            searched: OnceCell::new(),
        };
        matcher.matches(&subject, now)
    }
}

fn rank(look: &OneLook) -> (Timestamp, bool, ContentHash, &SensorId) {
    let seen = &look.run.first;
    (look.time, seen.outcome == Outcome::Open, look.run.content, &seen.sensor)
}

impl Lake {
    /// The service as it stands there; none when it never answered.
    pub(super) fn service(&self, key: ServiceKey, standing: &Standing, said: &Said) -> Option<Service> {
        let look = standing.newest.as_ref()?;
        let places = self.places.current();
        let place = places.find(key.address);
        Some(Service {
            key,
            first_seen: standing.first_seen?,
            last_seen: look.time,
            sensor: look.run.first.sensor.to_string(),
            asn: place.and_then(|place| place.asn),
            country: place.and_then(|place| place.country.clone()),
            facts: Arc::clone(&said.get(&look.run.content)?.facts),
            evidence: look.run.first.evidence.clone(),
            terms: look.run.first.marking.terms(),
        })
    }
}
