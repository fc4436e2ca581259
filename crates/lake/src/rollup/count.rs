//! Services, day by day: from what was seen of an address to what changed under each value.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hinomi_model::ContentHash;

/// One observation, as little as decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) address: u128,
    /// Port and transport.
    pub(super) place: u32,
    /// Microseconds.
    pub(super) time: i64,
    pub(super) saw: Saw,
}

/// What an observation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saw {
    /// It answers, with the content of this number.
    Open(u32),
    /// It pretends; with the content of this number.
    Pseudo(u32),
    /// Nobody answers.
    Closed,
}

/// What changed under one value on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) addresses_opened: u64,
    pub(super) addresses_closed: u64,
    pub(super) seen: u64,
}

/// What changed, by day and number of the value.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pub(super) by_day: HashMap<(i64, u32), Turn>,
    /// Days on which anything was seen.
    pub(super) days: BTreeSet<i64>,
}

impl Turns {
    /// A service counted under the old values, was seen on this day, and counts under the new ones.
    fn note(&mut self, day: i64, old: &[u32], new: &[u32]) {
        for value in new {
            let turn = self.by_day.entry((day, *value)).or_default();
            turn.seen += 1;
            turn.opened += u64::from(!old.contains(value));
        }
        for value in old.iter().filter(|value| !new.contains(value)) {
            self.by_day.entry((day, *value)).or_default().closed += 1;
        }
    }
}

/// A service after what was seen of it.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Time, whether open, number of the content: the newest that answered.
    newest: Option<(i64, bool, u32)>,
    closed: Option<i64>,
}

impl State {
    fn see(&mut self, look: &Look, contents: &[ContentHash]) {
        let (open, content) = match look.saw {
            Saw::Closed => {
                self.closed = self.closed.max(Some(look.time));
                return;
            }
            Saw::Open(content) => (true, content),
            Saw::Pseudo(content) => (false, content),
        };
        let hash = |number: u32| usize::try_from(number).ok().and_then(|at| contents.get(at));
        let rank = |(time, open, content): (i64, bool, u32)| (time, open, hash(content));
        if self.newest.is_none_or(|newest| rank(newest) < rank((look.time, open, content))) {
            self.newest = Some((look.time, open, content));
        }
    }

    /// The content by which it counts; none when it does not.
    fn counts(&self) -> Option<u32> {
        let (time, open, content) = self.newest?;
        (open && self.closed.is_none_or(|closed| closed <= time)).then_some(content)
    }
}

/// Counts one address; its observations are in order of time. `values` tells the values of a service by place and
/// content, each once.
pub(super) fn count(
    looks: &[Look],
    contents: &[ContentHash],
    values: &mut dyn FnMut(u32, u32) -> Vec<u32>,
    turns: &mut Turns,
) {
    let day = |look: &Look| look.time.div_euclid(super::MICROS_A_DAY);
    let mut services: BTreeMap<u32, (State, Vec<u32>)> = BTreeMap::new();
    let mut held: HashMap<u32, u32> = HashMap::new();
    for looks in looks.chunk_by(|a, b| day(a) == day(b)) {
        let Some(day) = looks.first().map(day) else { continue };
        turns.days.insert(day);
        let mut touched: BTreeSet<u32> = BTreeSet::new();
        for look in looks {
            services.entry(look.place).or_default().0.see(look, contents);
            touched.insert(look.place);
        }
        let mut before: HashMap<u32, u32> = HashMap::new();
        for place in touched {
            let Some((state, old)) = services.get_mut(&place) else { continue };
            let new = state.counts().map_or_else(Vec::new, |content| values(place, content));
            turns.note(day, old, &new);
            for value in old.iter().chain(&new) {
                before.entry(*value).or_insert_with(|| held.get(value).copied().unwrap_or(0));
            }
            for value in old.iter() {
                held.entry(*value).and_modify(|count| *count = count.saturating_sub(1)).or_default();
            }
            new.iter().for_each(|value| *held.entry(*value).or_default() += 1);
            *old = new;
        }
        for (value, before) in before {
            let now = held.get(&value).copied().unwrap_or(0);
            let turn = turns.by_day.entry((day, value)).or_default();
            turn.addresses_opened += u64::from(before == 0 && now > 0);
            turn.addresses_closed += u64::from(before > 0 && now == 0);
        }
    }
}
