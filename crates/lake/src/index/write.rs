//! Applying sightings: what changes a row, and what only touches its times.
//!
//! The state of a service is a function of the set of its sightings, whatever order they arrive in: the newest that
//! answered decides the content; first and last seen are the least and greatest time of those that answered; a service
//! is closed when one found it closed later than that. Of sightings of the same time the open one, then the greater
//! content hash, then the greater sensor name, then the stricter marking wins.
//!
//! ```text
//!   Glance* -> plan (directory, times: memory only) -> Plan { puts, touches, turns }
//!   Plan -> carry out -> touches to the log, rows for the puts, what was replaced deleted, changes told
//! ```
//!
//! A plan holds until the next one is carried out. What it costs follows the sightings; only a put, and a tie in time,
//! looks into the index.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use hinomi_model::{ContentHash, Facts, Marking, Outcome, SensorId, ServiceKey, Timestamp};
use tantivy::IndexWriter;

use super::Update;
use super::changed::{Changed, What};
#[cfg(test)]
use super::directory::Sayer;
use super::directory::{Directory, MAX_ROWS, Said, Slot};
use super::document::{Place, Templates, document, searched_text};
use super::facts::{FactsFile, Told};
use super::lane::{LanePut, Parted};
use super::lanes::{Lane, Lanes};
use super::schema::{Columns, Shown, State};
use super::standing::Stands;
use super::times::{Seen, View};
use crate::error::LakeError;

/// What the index must know of every sighting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    pub(crate) key: ServiceKey,
    pub(crate) time: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) said: Said,
    /// Its number among those that are told.
    pub(crate) at: usize,
}

/// The sightings themselves, by number.
pub(crate) trait Source {
    /// Content, sensor and marking, for sightings of the same time.
    fn teller(&self, at: usize) -> Option<(ContentHash, &SensorId, &Marking)>;
    /// All of it; none when it is not known.
    fn update(&self, at: usize) -> Option<Update>;
}

/// A row to be written.
#[derive(Clone, Copy, Debug)]
struct Put {
    best: Glance,
    state: State,
    shown: Shown,
    old: Option<Slot>,
    before: Seen,
    seen: Seen,
}

/// A row that stays, of a service that was closed or answers again.
#[derive(Clone, Copy, Debug)]
struct Turn {
    newest: Glance,
    slot: Slot,
    what: What,
}

/// What applying some sightings will do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    puts: Vec<Put>,
    pub(super) lanes: Vec<LanePut>,
    parted: Vec<Parted>,
    /// Lanes that make room for newer ones.
    pub(super) gone: Vec<(ServiceKey, u64)>,
    /// Services whose lanes are others from now on, with the rows that those had.
    pub(super) forgotten: Vec<(ServiceKey, Vec<u64>)>,
    turns: Vec<Turn>,
    touches: Vec<(u64, Seen)>,
    known: Vec<usize>,
}

impl Plan {
    /// The sightings that say nothing but what the row of their service says already: all of them is stored.
    pub(crate) fn known(&self) -> &[usize] {
        &self.known
    }

    pub(super) fn touch(&mut self, row: u64, seen: Seen) {
        self.touches.push((row, seen));
    }

    pub(super) const fn has_rows(&self) -> bool {
        !self.puts.is_empty() || !self.lanes.is_empty() || !self.forgotten.is_empty()
    }
}

impl Glance {
    /// Of one sighting.
    #[cfg(test)]
    pub(super) fn of(update: &Update, at: usize, sayer: &Sayer) -> Self {
        let said = sayer.said(&update.content, update.outcome, &update.sensor, &update.around(), &update.marking);
        Self { key: update.key, time: update.time, outcome: update.outcome, said, at }
    }

    pub(super) fn seen(&self) -> Seen {
        let time = Some(self.time.as_micros());
        match self.outcome {
            Outcome::Closed => Seen { closed: time, ..Seen::default() },
            _ => Seen { last: time, first: time, closed: None },
        }
    }

    fn is_open(&self) -> bool {
        self.outcome == Outcome::Open
    }
}

/// What a row is, by the sighting that decides it.
pub(super) fn state_of(outcome: Outcome) -> State {
    match outcome {
        Outcome::Open => State::Open,
        Outcome::Closed => State::Nothing,
        _ => State::Pseudo,
    }
}

/// Works out what to do.
pub(super) struct Planner<'a> {
    pub(super) directory: &'a Directory,
    pub(super) times: &'a View,
    pub(super) stands: Stands<'a>,
    pub(super) source: &'a dyn Source,
    pub(super) lanes: &'a Lanes,
    /// Whether there is more than one marking: otherwise no service has lanes.
    pub(super) several: bool,
    /// Whether what is told is all that there is of its services: what stands is replaced.
    pub(super) anew: bool,
}

impl Planner<'_> {
    /// Plans for these, grouped by service here.
    pub(super) fn plan(&self, mut glances: Vec<Glance>) -> Result<Plan, LakeError> {
        let mut plan = Plan::default();
        glances.sort_by_key(|glance| (glance.key.address, glance.key.port, glance.key.transport));
        for glances in glances.chunk_by(|a, b| a.key == b.key) {
            self.service(glances, &mut plan)?;
        }
        Ok(plan)
    }

    fn service(&self, glances: &[Glance], plan: &mut Plan) -> Result<(), LakeError> {
        let Some(first) = glances.first() else { return Ok(()) };
        let stands = self.directory.get(&first.key);
        let slot = stands.filter(|_| !self.anew);
        let mut shown = Shown::All;
        if self.several || self.anew {
            shown = self.plan_lanes(glances, slot, plan)?;
        }
        // Who found it closed may carry any evidence: only what answered is known by what the row says.
        if let Some(slot) = slot.filter(|slot| slot.said != Said::NOTHING) {
            plan.known.extend(glances.iter().filter(|one| one.said == slot.said).map(|one| one.at));
        }
        let new = glances.iter().map(Glance::seen).fold(Seen::default(), Seen::merge);
        let before = slot.map_or_else(Seen::default, |slot| self.times.get(slot.row));
        let seen = before.merge(new);
        let best = glances.iter().filter(|one| one.outcome != Outcome::Closed).max_by(|a, b| self.newer(a, b));
        let put = |best: &Glance, state| Put { best: *best, state, shown, old: stands, before, seen };
        match (slot, best) {
            (None, Some(best)) => plan.puts.push(put(best, state_of(best.outcome))),
            (None, None) => plan.puts.push(put(first, State::Nothing)),
            (Some(slot), Some(best)) if self.replaces(best, slot, before)? => {
                plan.puts.push(put(best, state_of(best.outcome)));
            }
            (Some(slot), _) => {
                if shown == Shown::Wide && self.was_sole(&first.key) {
                    plan.parted.push(Parted { key: first.key, slot, seen });
                } else {
                    plan.touches.push((slot.row, new));
                }
                let newest = glances.iter().max_by_key(|one| one.time).unwrap_or(first);
                plan.turns.extend(turn(before, seen, slot, *newest));
            }
        }
        Ok(())
    }

    /// Whether a sighting is newer than the row and says something else.
    pub(super) fn replaces(&self, best: &Glance, slot: Slot, before: Seen) -> Result<bool, LakeError> {
        if slot.said == Said::NOTHING {
            return Ok(true);
        }
        if slot.said == best.said {
            return Ok(false);
        }
        let time = Some(best.time.as_micros());
        if before.last != time {
            return Ok(before.last < time);
        }
        let Some(standing) = self.stands.find(&best.key, slot.row)? else { return Ok(true) };
        let (content, sensor, marked) = (standing.content()?, standing.sensor()?, standing.marking()?);
        let Some((other, other_sensor, marking)) = self.source.teller(best.at) else { return Ok(false) };
        let mine = (standing.is_open(), content, sensor.as_deref());
        let order = mine.cmp(&(best.is_open(), Some(other), Some(other_sensor.as_str())));
        // A marking that cannot be read is for nobody already.
        Ok(order.then_with(|| marked.map_or(Ordering::Greater, |marked| marked.by_strictness(marking))).is_lt())
    }

    pub(super) fn newer(&self, a: &Glance, b: &Glance) -> Ordering {
        let rank = |one: &Glance| (one.time, one.is_open());
        rank(a).cmp(&rank(b)).then_with(|| match (self.source.teller(a.at), self.source.teller(b.at)) {
            (Some((content, sensor, marking)), Some((other, another, strict))) => {
                (content, sensor).cmp(&(other, another)).then_with(|| marking.by_strictness(strict))
            }
            (one, other) => one.is_some().cmp(&other.is_some()),
        })
    }
}

fn turn(before: Seen, seen: Seen, slot: Slot, newest: Glance) -> Option<Turn> {
    let what = match (before.is_closed(), seen.is_closed()) {
        _ if slot.said == Said::NOTHING => return None,
        (false, true) => What::Closed,
        (true, false) => What::Reopened,
        _ => return None,
    };
    Some(Turn { newest, slot, what })
}

/// Carries a plan out. Nothing is visible before the writer's commit.
pub(super) struct Doing<'a> {
    pub(super) columns: &'a Columns,
    pub(super) facts: &'a FactsFile,
    pub(super) writer: &'a IndexWriter,
    pub(super) stands: Stands<'a>,
    pub(super) source: &'a dyn Source,
    /// Where records of contents are, as far as is remembered.
    pub(super) remembered: &'a mut Remembered,
    pub(super) templates: &'a mut Templates,
    pub(super) next_row: u64,
    /// Whether changes are wanted.
    pub(super) heeded: bool,
    pub(super) version: u64,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Done {
    pub(super) next_row: u64,
    pub(super) touches: Vec<(u64, Seen)>,
    pub(super) placed: Vec<(ServiceKey, Slot)>,
    pub(super) laned: Vec<(ServiceKey, Lane)>,
    pub(super) forgotten: Vec<ServiceKey>,
    pub(super) gone: Vec<(ServiceKey, u64)>,
    pub(super) changes: Vec<Changed>,
}

impl Doing<'_> {
    /// Writes rows and records.
    pub(super) fn carry_out(mut self, plan: Plan) -> Result<Done, LakeError> {
        let mut done = Done { touches: plan.touches, ..Done::default() };
        let mut replaced = Vec::new();
        for put in &plan.puts {
            replaced.extend(put.old.map(|slot| (put.best.key.address, slot.row)));
        }
        replaced.extend(plan.lanes.iter().filter_map(|lane| Some((lane.key.address, lane.old?))));
        replaced.extend(plan.parted.iter().map(|parted| (parted.key.address, parted.slot.row)));
        replaced.extend(plan.gone.iter().map(|(key, row)| (key.address, *row)));
        done.gone = plan.gone;
        for (key, rows) in plan.forgotten {
            replaced.extend(rows.into_iter().map(|row| (key.address, row)));
            done.forgotten.push(key);
        }
        if !replaced.is_empty() {
            self.writer.delete_query(self.stands.rows_of(replaced)).map_err(index_error)?;
        }
        for turn in plan.turns.into_iter().filter(|_| self.heeded) {
            self.tell_turn(&turn, &mut done)?;
        }
        for put in plan.puts {
            self.put(&put, &mut done)?;
        }
        for lane in plan.lanes {
            self.put_lane(lane, &mut done)?;
        }
        for parted in plan.parted {
            self.put_parted(parted, &mut done)?;
        }
        done.next_row = self.next_row;
        Ok(done)
    }

    fn put(&mut self, put: &Put, done: &mut Done) -> Result<(), LakeError> {
        let Some(update) = self.source.update(put.best.at) else { return Ok(()) };
        self.check_room()?;
        if self.heeded {
            self.tell_put(put, &update, done)?;
        }
        let facts = if put.state == State::Nothing { None } else { Some(self.record(&update)?) };
        let place = Place { row: self.next_row, facts, said: put.best.said, shown: put.shown };
        let row = document(self.columns, &update, put.state, &place, self.templates);
        self.writer.add_document(row).map_err(index_error)?;
        done.touches.push((self.next_row, put.seen));
        done.placed.push((update.key, Slot { row: self.next_row, said: put.best.said }));
        self.next_row += 1;
        Ok(())
    }

    pub(super) fn check_room(&self) -> Result<(), LakeError> {
        if self.next_row >= MAX_ROWS {
            return Err(LakeError::Refused { detail: "the index has no row numbers left; rebuild it".to_owned() });
        }
        Ok(())
    }

    fn tell_put(&self, put: &Put, update: &Update, done: &mut Done) -> Result<(), LakeError> {
        let answered = put.old.filter(|slot| slot.said != Said::NOTHING);
        let what = match (answered, put.before.is_closed(), put.seen.is_closed()) {
            (None, _, true) | (Some(_), true, true) => return Ok(()),
            _ if put.state == State::Nothing => return Ok(()),
            (None, _, false) => What::Opened,
            (Some(_), true, false) => What::Reopened,
            (Some(_), false, true) => What::Closed,
            (Some(_), false, false) => What::Content,
        };
        if let (What::Content, Some(slot)) = (what, answered)
            && self.says_the_same(put, slot, update)?
        {
            return Ok(());
        }
        let before = answered.map(|slot| self.said_before(&put.best.key, slot)).transpose()?.flatten();
        let pseudo = put.state == State::Pseudo;
        done.changes.push(Changed { update: update.clone(), what, before, pseudo, version: self.version });
        Ok(())
    }

    fn tell_turn(&self, turn: &Turn, done: &mut Done) -> Result<(), LakeError> {
        let Some(update) = self.source.update(turn.newest.at) else { return Ok(()) };
        let Some(standing) = self.stands.find(&turn.newest.key, turn.slot.row)? else { return Ok(()) };
        let Some((told, text)) = standing.told()? else { return Ok(()) };
        let facts = told.facts;
        let before = Some(Arc::clone(&facts));
        let update = Update { facts, evidence: told.evidence, text: text.into(), ..update };
        let pseudo = !standing.is_open();
        done.changes.push(Changed { update, what: turn.what, before, pseudo, version: self.version });
        Ok(())
    }

    /// Whether content and state are those of the row: then only who says it, where it is, or the marking is another.
    fn says_the_same(&self, put: &Put, slot: Slot, update: &Update) -> Result<bool, LakeError> {
        let Some(standing) = self.stands.find(&put.best.key, slot.row)? else { return Ok(false) };
        Ok(standing.is_open() == put.best.is_open() && standing.content()? == Some(update.content))
    }

    fn said_before(&self, key: &ServiceKey, slot: Slot) -> Result<Option<Arc<Facts>>, LakeError> {
        let Some(standing) = self.stands.find(key, slot.row)? else { return Ok(None) };
        Ok(standing.told()?.map(|(told, _)| told.facts))
    }

    /// The record of this content: the one there is, or a new one.
    pub(super) fn record(&mut self, update: &Update) -> Result<u64, LakeError> {
        if let Some(offset) = self.remembered.get(&update.content) {
            return Ok(offset);
        }
        let known = if update.fresh { None } else { self.stands.record_of(&update.content)? };
        let offset = match known {
            Some(offset) => offset,
            None => {
                let told = Told { facts: Arc::clone(&update.facts), evidence: update.evidence.clone() };
                self.facts.append(update.content, &told, &searched_text(&update.text, &update.facts))?
            }
        };
        self.remembered.put(update.content, offset);
        Ok(offset)
    }
}

/// The most records remembered: some 60 MB.
const MAX_RECORDS: usize = 1 << 20;

/// Where records of contents are: two generations, the older one dropped when the younger one is full.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    young: HashMap<ContentHash, u64>,
    old: HashMap<ContentHash, u64>,
}

impl Remembered {
    fn get(&self, content: &ContentHash) -> Option<u64> {
        self.young.get(content).or_else(|| self.old.get(content)).copied()
    }

    fn put(&mut self, content: ContentHash, offset: u64) {
        self.young.insert(content, offset);
        if self.young.len() >= MAX_RECORDS / 2 {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

pub(super) fn index_error(source: tantivy::TantivyError) -> LakeError {
    LakeError::Index { what: "write the index".into(), source }
}
