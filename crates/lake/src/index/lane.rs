//! Writing lanes: a row for each marking of a service that was seen under several ([`super::lanes`]).
//!
//! What makes a lane is the same as what makes a row ([`super::write`]), of the sightings of one marking alone. The row of a
//! service that was seen under one marking until now is a lane already, and is written once more as one.

use hinomi_model::{Marking, Outcome, ServiceKey};

use super::directory::{Said, Slot};
use super::document::{Place, document};
use super::lanes::{Lane, MAX_LANES};
use super::schema::{Shown, State};
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

/// A row that stays as it is, of a service that has lanes from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parted {
    pub(super) key: ServiceKey,
    pub(super) slot: Slot,
    pub(super) seen: Seen,
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
    /// Plans the lanes of a service that is told of; who is shown its row then.
    pub(super) fn plan_lanes(
        &self,
        glances: &[Glance],
        slot: Option<Slot>,
        plan: &mut Plan,
    ) -> Result<Shown, LakeError> {
        let Some(key) = glances.first().map(|first| first.key) else { return Ok(Shown::All) };
        let stand = self.lanes.of_key(&key);
        if self.anew && !stand.is_empty() {
            plan.forgotten.push((key, stand.iter().map(|lane| lane.row).collect()));
        }
        let known = if self.anew { &[][..] } else { stand };
        let told = self.by_marking(glances);
        let mut sole = None;
        // What the row says already bears its marking: seeing the same again looks nothing up.
        let says = |slot: Slot| slot.said != Said::NOTHING && glances.iter().any(|one| one.said == slot.said);
        if known.is_empty() && told.len() == 1 && slot.is_some_and(says) {
            return Ok(Shown::All);
        }
        if known.is_empty() {
            sole = slot.map(|slot| Ok::<_, LakeError>((slot, self.marking_of(&key, slot)?))).transpose()?;
            let one = match (&sole, told.as_slice()) {
                (None, [_]) => true,
                (Some((_, standing)), [(told, _)]) => standing.as_ref() == Some(*told),
                _ => told.is_empty(),
            };
            if one {
                return Ok(Shown::All);
            }
            let (slot, marking) = sole.as_ref().map_or((None, None), |(slot, marking)| (Some(*slot), marking.clone()));
            if let Some(slot) = slot.filter(|_| !told.iter().any(|(told, _)| Some(*told) == marking.as_ref())) {
                let (what, seen) = (What::Copied(slot.row), self.times.get(slot.row));
                plan.lanes.push(LanePut { key, marking, what, said: slot.said, old: None, seen });
            }
        }
        let told = self.with_room(key, known, sole.as_ref(), told, plan);
        for (marking, glances) in told {
            let lane = known.iter().find(|lane| lane.marking.as_ref() == Some(marking));
            let sole = sole.as_ref().filter(|(_, standing)| standing.as_ref() == Some(marking)).map(|(slot, _)| *slot);
            self.plan_lane((marking, glances), lane, sole, plan)?;
        }
        Ok(Shown::Wide)
    }

    /// Of all lanes that a service would have, those for which there is room: the ones seen last. Whatever order they came
    /// in, the same stay.
    fn with_room<'a>(
        &self,
        key: ServiceKey,
        known: &[Lane],
        sole: Option<&(Slot, Option<Marking>)>,
        mut told: Vec<Told<'a>>,
        plan: &mut Plan,
    ) -> Vec<Told<'a>> {
        let last = |row| {
            let seen = self.times.get(row);
            seen.last.max(seen.closed)
        };
        let newest = |marking: Option<&Marking>| {
            let glances = told.iter().filter(|told| Some(told.0) == marking).flat_map(|told| &told.1);
            glances.map(|glance| glance.time.as_micros()).max()
        };
        let stood = known.iter().map(|lane| (lane.marking.as_ref(), lane.row));
        let stood = stood.chain(sole.map(|(slot, marking)| (marking.as_ref(), slot.row)));
        let mut all: Vec<_> = stood.map(|(marking, row)| (last(row).max(newest(marking)), marking)).collect();
        let is_there = |marking: &Marking| all.iter().any(|(_, known)| *known == Some(marking));
        let new: Vec<_> = told.iter().map(|told| told.0).filter(|marking| !is_there(marking)).collect();
        all.extend(new.into_iter().map(|marking| (newest(Some(marking)), Some(marking))));
        if all.len() <= MAX_LANES {
            return told;
        }
        all.sort_by(|(time, one), (other_time, other)| {
            other_time.cmp(time).then_with(|| match (one, other) {
                (Some(one), Some(other)) => other.by_strictness(one),
                (one, other) => other.is_some().cmp(&one.is_some()),
            })
        });
        let stays: Vec<Option<Marking>> =
            all.into_iter().take(MAX_LANES).map(|(_, marking)| marking.cloned()).collect();
        let goes = known.iter().filter(|lane| !stays.contains(&lane.marking));
        plan.gone.extend(goes.map(|lane| (key, lane.row)));
        plan.lanes.retain(|lane| lane.key != key || stays.contains(&lane.marking));
        told.retain(|told| stays.iter().any(|one| one.as_ref() == Some(told.0)));
        told
    }

    /// Whether the row of a service was everybody's until now.
    pub(super) fn was_sole(&self, key: &ServiceKey) -> bool {
        self.lanes.of_key(key).is_empty()
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
    /// Writes a row once more, for who may see all.
    pub(super) fn put_parted(&mut self, parted: Parted, done: &mut Done) -> Result<(), LakeError> {
        let Parted { key, slot, seen } = parted;
        self.check_room()?;
        let Some(standing) = self.stands.find(&key, slot.row)? else { return Ok(()) };
        let (update, facts) = standing.again(&key, self.columns)?;
        let row = self.next_row;
        let place = Place { row, facts, said: slot.said, shown: Shown::Wide };
        let document = document(self.columns, &update, standing.state(), &place, self.templates);
        self.writer.add_document(document).map_err(index_error)?;
        done.touches.push((row, seen));
        done.placed.push((key, Slot { row, said: slot.said }));
        self.next_row += 1;
        Ok(())
    }

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
        let place = Place { row, facts, said, shown: Shown::Narrow };
        let document = document(self.columns, &update, state, &place, self.templates);
        self.writer.add_document(document).map_err(index_error)?;
        done.touches.push((row, seen));
        let asn = if state == State::Nothing { None } else { update.other_then.unwrap_or(update.asn) };
        done.laned.push((key, Lane { row, said, state, marking, asn }));
        self.next_row += 1;
        Ok(())
    }
}
