//! What happened to one service, look by look.
//!
//! - *Opened*: it answered for the first time. *Closed*: a look found nothing after it had answered; *reopened*: it
//!   answers again. *Changed*: it says something else than the same sensor saw before, so that sensors that take turns
//!   and read a service differently tell no change each time.
//! - Silence is no step: a service that nobody looked at stays as it was.
//! - Who owns an address is no look: what answered while the owner became another is told as a change of its own.
//! - Which facts differ is asked of the rules of today, when the steps are told ([`super::changes`]).
//!
//! At a hundred times the data: a service holds [`MAX_STEPS`] steps and [`MAX_SENSORS`] sensors; who wants more asks
//! again from where it was cut, or makes room for the newest.

use std::collections::BTreeMap;

use hinomi_model::{Outcome, SensorId, ServiceKey, Timestamp};
use serde::Serialize;

use super::owners::Owners;
use super::standing::Standing;
use super::{FRESH, Settle};
use crate::looks::OneLook;

/// The most steps of a service that are held at once.
pub(super) const MAX_STEPS: usize = 256;

/// The most sensors of a service that are told apart; those beyond are compared with the newest look.
const MAX_SENSORS: usize = 64;

/// What happened to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Happened {
    /// It answered for the first time.
    Opened,
    /// It was looked at, and nothing was there any more.
    Closed,
    /// It answers again.
    Reopened,
    /// It says something else.
    Changed,
}

impl Happened {
    /// The name, as it is written everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Reopened => "reopened",
            Self::Changed => "changed",
        }
    }
}

/// Something that happened, or may have: whether facts differ is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) time: Timestamp,
    pub(super) what: Happened,
    /// Which sensor saw it.
    pub(super) sensor: SensorId,
    /// The service before it.
    pub(super) before: Standing,
    /// The service after it.
    pub(super) after: Standing,
    /// What the sensor, or who looked last, saw before; none when it opened.
    pub(super) old: Option<OneLook>,
    /// Whose it was before and after, when that is what happened.
    pub(super) owner: Option<(String, String)>,
}

/// The steps of a service. Looks are taken in time.
#[derive(Default)]
pub(super) struct Trail {
    pub(super) steps: Vec<Step>,
    /// The time of the last step that was held, where later ones were not.
    pub(super) cut: Option<Timestamp>,
    standing: Standing,
    by_sensor: BTreeMap<SensorId, OneLook>,
    /// Since when it answers.
    since: Option<Timestamp>,
    /// From when until when it answered before.
    answered: Vec<(Timestamp, Timestamp)>,
}

impl Trail {
    /// Takes a look; only steps that are wanted are held.
    pub(super) fn take(&mut self, look: &OneLook, wanted: &impl Fn(&ServiceKey, Timestamp) -> bool) {
        let before = self.standing.clone();
        self.standing.take(look);
        let seen = &look.run.first;
        let (old, what) = self.step(&before, look);
        if seen.outcome != Outcome::Closed
            && (self.by_sensor.len() < MAX_SENSORS || self.by_sensor.contains_key(&seen.sensor))
        {
            self.by_sensor.insert(seen.sensor.clone(), look.clone());
        }
        self.note_answering(what, look.time);
        let Some(what) = what.filter(|_| wanted(&seen.subject, look.time)) else { return };
        if self.steps.len() >= MAX_STEPS {
            self.cut = self.cut.or_else(|| self.steps.last().map(|last| last.time));
            return;
        }
        let (mut before, mut after) = (before, self.standing.clone());
        before.let_go();
        after.let_go();
        let (old, owner) = (old.map(OneLook::alone), None);
        self.steps.push(Step { time: look.time, what, sensor: seen.sensor.clone(), before, after, old, owner });
    }

    /// Lets go of the older half of what is held when there is no room, for who wants the newest; whether it did.
    pub(super) fn make_room(&mut self) -> bool {
        let full = self.steps.len() >= MAX_STEPS;
        if full {
            self.steps.drain(..MAX_STEPS / 2);
        }
        full
    }

    /// The steps at which an answering service came to another owner, as far as the asker may see what was there at that
    /// moment. After all looks were taken.
    pub(super) fn turns(
        &self,
        key: &ServiceKey,
        owners: &Owners,
        wanted: &impl Fn(&ServiceKey, Timestamp) -> bool,
        may_see: &impl Fn(&OneLook, Timestamp) -> bool,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(newest) = &self.standing.newest else { return steps };
        for (time, old, new) in owners.turns(key.address) {
            let answered = self.answered_at(time, newest.time.plus(FRESH));
            if !answered || !wanted(key, time) || !may_see(newest, time) {
                continue;
            }
            let (sensor, what, owner) = (newest.run.first.sensor.clone(), Happened::Changed, Some((old, new)));
            let (before, after) = (self.standing.clone(), self.standing.clone());
            steps.push(Step { time, what, sensor, before, after, old: None, owner });
        }
        steps
    }

    /// A trail of these steps alone.
    pub(super) fn of(steps: Vec<Step>) -> Self {
        Self { steps, ..Self::default() }
    }

    /// Whether it answered at a moment; `until` is when its last look has grown old.
    fn answered_at(&self, time: Timestamp, until: Timestamp) -> bool {
        let now = self.since.is_some_and(|since| since <= time && time <= until);
        now || self.answered.iter().any(|(from, until)| *from <= time && time < *until)
    }

    fn note_answering(&mut self, what: Option<Happened>, time: Timestamp) {
        match what {
            Some(Happened::Opened | Happened::Reopened) => self.since = Some(time),
            Some(Happened::Closed) if self.answered.len() < MAX_STEPS => {
                self.answered.extend(self.since.take().map(|since| (since, time)));
            }
            Some(Happened::Closed) => self.since = None,
            _ => {}
        }
    }

    fn step(&self, before: &Standing, look: &OneLook) -> (Option<OneLook>, Option<Happened>) {
        let seen = &look.run.first;
        if seen.outcome == Outcome::Closed {
            let closed = before.answers() && !self.standing.answers();
            return (None, closed.then_some(Happened::Closed));
        }
        let Some(newest) = before.newest.clone() else { return (None, Some(Happened::Opened)) };
        let old = self.by_sensor.get(&seen.sensor).cloned().unwrap_or(newest);
        let what = match () {
            () if before.closed.is_some() && self.standing.answers() => Some(Happened::Reopened),
            // News of what is over.
            () if before.closed.is_some() => None,
            () if old.run.content != look.run.content || old.run.first.outcome != seen.outcome => {
                Some(Happened::Changed)
            }
            () => None,
        };
        (Some(old), what)
    }
}

impl Settle for Trail {
    fn settle(&mut self) {
        self.standing.let_go();
        self.by_sensor = BTreeMap::new();
    }
}
