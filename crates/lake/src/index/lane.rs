//! Writing lanes: a row for each marking of a service that was seen under several ([`super::lanes`]).
//!
//! What makes a lane is the same as what makes a row ([`super::write`]), of the sightings of one marking alone. The row of a
//! service that was seen under one marking until now is a lane already, and is written once more as one.

use hinomi_model::{Marking, Outcome, ServiceKey};

use super::directory::{Said, Slot};
use super::document::{Place, document};
use super::lanes::{Lane, MAX_LANES};
use super::schema::State;
use super::times::Seen;
use super::write::{Doing, Done, Glance, Plan, Planner, index_error, state_of};
use crate::error::LakeError;

/// A lane to be written.
#[derive(Debug)]
pub(super) struct LanePut {
    pub(super) key: ServiceKey,
    marking: Option<Marking>,
    what: What,
    said: Said,
    /// The row that it replaces.
    pub(super) old: Option<u64>,
    seen: Seen,
}

#[derive(Debug)]
enum What {
    /// What a sighting says.
    Told(Glance, State),
    /// What the row with this number says.
    Copied(u64),
}

/// The sightings of one marking.
type Told<'a> = (&'a Marking, Vec<Glance>);

impl Planner<'_> {
    /// Plans the lanes of a service that is told of.
    pub(super) fn plan_lanes(&self, glances: &[Glance], slot: Option<Slot>, plan: &mut Plan) -> Result<(), LakeError> {
        let Some(key) = glances.first().map(|first| first.key) else { return Ok(()) };
        let stand = self.lanes.of_key(&key);
        if self.anew && !stand.is_empty() {
            plan.forgotten.push((key, stand.iter().map(|lane| lane.row).collect()));
        }
        let known = if self.anew { &[][..] } else { stand };
        let told = self.by_marking(glances);
        let mut sole = None;
        if known.is_empty() {
            sole = slot.map(|slot| Ok::<_, LakeError>((slot, self.marking_of(&key, slot)?))).transpose()?;
            let one = match (&sole, told.as_slice()) {
                (None, [_]) => true,
                (Some((_, standing)), [(told, _)]) => standing.as_ref() == Some(*told),
                _ => told.is_empty(),
            };
            if one {
                return Ok(());
            }
            let (slot, marking) = sole.as_ref().map_or((None, None), |(slot, marking)| (Some(*slot), marking.clone()));
            if let Some(slot) = slot.filter(|_| !told.iter().any(|(told, _)| Some(*told) == marking.as_ref())) {
                let (what, seen) = (What::Copied(slot.row), self.times.get(slot.row));
                plan.lanes.push(LanePut { key, marking, what, said: slot.said, old: None, seen });
            }
        }
        let room = MAX_LANES.saturating_sub(known.len());
        let is_known = |told: &Told<'_>| known.iter().any(|lane| lane.marking.as_ref() == Some(told.0));
        let (again, new): (Vec<Told<'_>>, Vec<Told<'_>>) = told.into_iter().partition(is_known);
        for (marking, glances) in again.into_iter().chain(new.into_iter().take(room)) {
            let lane = known.iter().find(|lane| lane.marking.as_ref() == Some(marking));
            let sole = sole.as_ref().filter(|(_, standing)| standing.as_ref() == Some(marking)).map(|(slot, _)| *slot);
            self.plan_lane((marking, glances), lane, sole, plan)?;
        }
        Ok(())
    }

    /// Plans one lane: the one that stands, the row that becomes one, or a new one.
    fn plan_lane(
        &self,
        (marking, glances): Told<'_>,
        lane: Option<&Lane>,
        sole: Option<Slot>,
        plan: &mut Plan,
    ) -> Result<(), LakeError> {
        let Some(first) = glances.first() else { return Ok(()) };
        let base = lane.map(|lane| Slot { row: lane.row, said: lane.said }).or(sole);
        let new = glances.iter().map(Glance::seen).fold(Seen::default(), Seen::merge);
        let before = base.map_or_else(Seen::default, |base| self.times.get(base.row));
        let best = glances.iter().filter(|one| one.outcome != Outcome::Closed).max_by(|a, b| self.newer(a, b));
        let put = |what, said| LanePut {
            key: first.key,
            marking: Some(marking.clone()),
            what,
            said,
            old: lane.map(|lane| lane.row),
            seen: before.merge(new),
        };
        match (base, best) {
            (None, Some(best)) => plan.lanes.push(put(What::Told(*best, state_of(best.outcome)), best.said)),
            (None, None) => plan.lanes.push(put(What::Told(*first, State::Nothing), first.said)),
            (Some(base), Some(best)) if self.replaces(best, base, before)? => {
                plan.lanes.push(put(What::Told(*best, state_of(best.outcome)), best.said));
            }
            (Some(base), _) if lane.is_none() => plan.lanes.push(put(What::Copied(base.row), base.said)),
            (Some(base), _) => plan.touch(base.row, new),
        }
        Ok(())
    }

    /// Sightings of one service by their marking.
    fn by_marking(&self, glances: &[Glance]) -> Vec<Told<'_>> {
        let mut told: Vec<Told<'_>> = Vec::new();
        for glance in glances {
            let Some((_, _, marking)) = self.source.teller(glance.at) else { continue };
            match told.iter_mut().find(|(known, _)| *known == marking) {
                Some((_, some)) => some.push(*glance),
                None => told.push((marking, vec![*glance])),
            }
        }
        told
    }

    fn marking_of(&self, key: &ServiceKey, slot: Slot) -> Result<Option<Marking>, LakeError> {
        self.stands.find(key, slot.row)?.map_or(Ok(None), |standing| standing.marking())
    }
}

impl Doing<'_> {
    /// Writes a lane.
    pub(super) fn put_lane(&mut self, lane: LanePut, done: &mut Done) -> Result<(), LakeError> {
        let LanePut { key, marking, what, said, seen, .. } = lane;
        self.check_room()?;
        let (update, facts, state) = match what {
            What::Told(glance, state) => {
                let Some(update) = self.source.update(glance.at) else { return Ok(()) };
                let facts = if state == State::Nothing { None } else { Some(self.record(&update)?) };
                (update, facts, state)
            }
            What::Copied(row) => {
                let Some(standing) = self.stands.find(&key, row)? else { return Ok(()) };
                let (update, facts) = standing.again(&key, self.columns)?;
                (update, facts, standing.state())
            }
        };
        let row = self.next_row;
        let place = Place { row, facts, said, lane: true };
        let document = document(self.columns, &update, state, &place, self.templates);
        self.writer.add_document(document).map_err(index_error)?;
        done.touches.push((row, seen));
        let asn = if state == State::Nothing { None } else { update.other_then.unwrap_or(update.asn) };
        done.laned.push((key, Lane { row, said, state, marking, asn }));
        self.next_row += 1;
        Ok(())
    }
}
