//! Values that wait for minutes, in rows by key: bounded in number and in time.
//!
//! Halves of sessions wait for each other here ([`crate::pair`]), and flows for their endpoint to be admitted
//! ([`crate::server`]). All places are in one list and are used again, so that waiting costs no allocation.
//!
//! Invariants:
//! - There are never more entries in the queue, nor more places, than `most`.
//! - Every place that is in use is in exactly one row, and every row that is in the table has at least one place.
//! - A value whose time is over is handed out by [`Rows::pop_over`]; one that was waiting when the clock was set back
//!   is as well, rather than that it waits until the clock is there again.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use hinomi_model::Timestamp;

use crate::hash::FastMap;

/// A place for a value. Values of one key follow one another, the oldest first.
struct Place<V> {
    value: V,
    /// Which value lives here: places are used again. None while it is free.
    number: Option<u64>,
    next: Option<u32>,
}

#[derive(Clone, Copy)]
struct Row {
    first: u32,
    last: u32,
    length: u32,
}

struct Waits {
    until: Timestamp,
    place: u32,
    number: u64,
}

/// Where a value of a row is: valid until the table changes.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    place: u32,
    before: Option<u32>,
}

/// Waiting values, in rows by key.
pub(crate) struct Rows<K, V> {
    key: fn(&V) -> K,
    most: usize,
    life: Duration,
    rows: FastMap<K, Row>,
    places: Vec<Place<V>>,
    free: Vec<u32>,
    /// In the order of arrival; those already taken out are skipped.
    queue: VecDeque<Waits>,
    waiting: usize,
    next_number: u64,
}

impl<K: Copy + Eq + Hash, V: Copy> Rows<K, V> {
    /// An empty table for so many values (at least one), each of which waits so long.
    pub(crate) fn new(most: usize, life: Duration, key: fn(&V) -> K) -> Self {
        Self {
            key,
            most: most.clamp(1, u32::MAX as usize),
            life,
            rows: FastMap::default(),
            places: Vec::new(),
            free: Vec::new(),
            queue: VecDeque::new(),
            waiting: 0,
            next_number: 0,
        }
    }

    /// How many wait.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many of this key wait.
    pub(crate) fn length(&self, key: &K) -> usize {
        self.rows.get(key).map_or(0, |row| row.length as usize)
    }

    /// The first of this key's values, oldest first, that is looked for.
    pub(crate) fn find(&self, key: &K, mut is_it: impl FnMut(&V) -> bool) -> Option<Spot> {
        let (mut at, mut before) = (Some(self.rows.get(key)?.first), None);
        while let Some((number, place)) = at.and_then(|number| Some((number, self.places.get(number as usize)?))) {
            if is_it(&place.value) {
                return Some(Spot { place: number, before });
            }
            (before, at) = (at, place.next);
        }
        None
    }

    /// Lets a value wait from now on. Give it room first, with [`pop_crowded`](Self::pop_crowded).
    pub(crate) fn push(&mut self, value: V, now: Timestamp) {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        let Some(place) = self.settle(Place { value, number: Some(number), next: None }) else { return };
        let row = self.rows.entry((self.key)(&value)).or_insert(Row { first: place, last: place, length: 0 });
        row.length += 1;
        let last = std::mem::replace(&mut row.last, place);
        if last != place
            && let Some(last) = self.places.get_mut(last as usize)
        {
            last.next = Some(place);
        }
        self.queue.push_back(Waits { until: now.plus(self.life), place, number });
        self.waiting += 1;
    }

    /// The oldest value while there is no room for another one. Values that were taken out leave an entry behind in the
    /// queue, which is bounded by this as well: none may come out although the queue has become shorter.
    pub(crate) fn pop_crowded(&mut self) -> Option<V> {
        while self.queue.len() >= self.most {
            if let Some(oldest) = self.pop_oldest() {
                return Some(oldest);
            }
        }
        None
    }

    /// The oldest value whose time is over.
    pub(crate) fn pop_over(&mut self, now: Timestamp) -> Option<V> {
        let (life, is_over) = (self.life, |waits: &Waits, life| waits.until <= now || waits.until > now.plus(life));
        while self.queue.front().is_some_and(|waits| is_over(waits, life)) {
            if let Some(oldest) = self.pop_oldest() {
                return Some(oldest);
            }
        }
        None
    }

    /// The oldest value, over or not.
    pub(crate) fn pop(&mut self) -> Option<V> {
        while !self.queue.is_empty() {
            if let Some(oldest) = self.pop_oldest() {
                return Some(oldest);
            }
        }
        None
    }

    /// The oldest value of this key.
    pub(crate) fn pop_of(&mut self, key: &K) -> Option<V> {
        let first = self.rows.get(key)?.first;
        self.take_out(key, Spot { place: first, before: None })
    }

    /// Takes out the value at a spot of this key's row.
    pub(crate) fn take_out(&mut self, key: &K, Spot { place: number, before }: Spot) -> Option<V> {
        let place = self.places.get_mut(number as usize)?;
        let (value, next) = (place.value, place.next.take());
        place.number = None;
        let row = self.rows.get_mut(key)?;
        row.length = row.length.saturating_sub(1);
        match (before, next) {
            (None, None) => {
                self.rows.remove(key);
            }
            (None, Some(next)) => row.first = next,
            (Some(before), next) => {
                row.last = if next.is_none() { before } else { row.last };
                self.places.get_mut(before as usize)?.next = next;
            }
        }
        self.free.push(number);
        self.waiting -= 1;
        Some(value)
    }

    /// Puts a value into a free place; there are never more places than the queue may hold.
    fn settle(&mut self, fresh: Place<V>) -> Option<u32> {
        if let Some(free) = self.free.pop() {
            *self.places.get_mut(free as usize)? = fresh;
            return Some(free);
        }
        let place = u32::try_from(self.places.len()).ok()?;
        self.places.push(fresh);
        Some(place)
    }

    /// The front of the queue, unless it was taken out before.
    fn pop_oldest(&mut self) -> Option<V> {
        let Waits { place: number, number: lives, .. } = self.queue.pop_front()?;
        let place = self.places.get(number as usize).filter(|place| place.number == Some(lives))?;
        let key = (self.key)(&place.value);
        let (mut at, mut before) = (self.rows.get(&key)?.first, None);
        while at != number {
            before = Some(at);
            at = self.places.get(at as usize)?.next?;
        }
        self.take_out(&key, Spot { place: number, before })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    fn rows(most: usize) -> Rows<u8, (u8, u32)> {
        Rows::new(most, Duration::from_secs(60), |value| value.0)
    }

    #[test]
    fn a_clock_that_is_set_back_lets_nobody_wait_until_it_is_there_again() {
        let mut rows = rows(10);
        rows.push((1, 1), at(90_000));
        assert_eq!(rows.pop_over(at(90_059)), None);
        assert_eq!(rows.pop_over(at(100)), Some((1, 1)));
        rows.push((1, 2), at(100));
        assert_eq!(rows.pop_over(at(159)), None);
        assert_eq!(rows.pop_over(at(160)), Some((1, 2)));
    }

    #[derive(Clone, Debug)]
    enum Do {
        Push(u8),
        PopOf(u8),
        TakeOut(u8, u32),
        Over,
        Pop,
    }

    fn doing() -> impl Strategy<Value = Do> {
        prop_oneof![
            4 => (0_u8..4).prop_map(Do::Push),
            1 => (0_u8..4).prop_map(Do::PopOf),
            2 => (0_u8..4, 0_u32..40).prop_map(|(key, value)| Do::TakeOut(key, value)),
            1 => Just(Do::Over),
            1 => Just(Do::Pop),
        ]
    }

    proptest! {
        /// Against a plain list in the order of arrival.
        #[test]
        fn rows_are_what_a_list_would_be(doings in proptest::collection::vec(doing(), 1..120), most in 1_usize..12) {
            let (mut rows, mut list) = (rows(most), Vec::<((u8, u32), i64)>::new());
            for (step, doing) in (0_u32..).zip(doings) {
                let now = i64::from(step) * 10;
                match doing {
                    Do::Push(key) => {
                        while let Some(out) = rows.pop_crowded() {
                            prop_assert_eq!(out, list.remove(0).0);
                        }
                        rows.push((key, step), at(now));
                        list.push(((key, step), now));
                    }
                    Do::PopOf(key) => {
                        let place = list.iter().position(|(value, _)| value.0 == key);
                        prop_assert_eq!(rows.pop_of(&key), place.map(|place| list.remove(place).0));
                    }
                    Do::TakeOut(key, wanted) => {
                        let place = list.iter().position(|(value, _)| value.0 == key && value.1 >= wanted);
                        let spot = rows.find(&key, |value| value.1 >= wanted);
                        let out = spot.and_then(|spot| rows.take_out(&key, spot));
                        prop_assert_eq!(out, place.map(|place| list.remove(place).0));
                    }
                    Do::Over => {
                        while let Some(out) = rows.pop_over(at(now)) {
                            let (value, since) = list.remove(0);
                            prop_assert_eq!(out, value);
                            prop_assert!(since + 60 <= now);
                        }
                        prop_assert!(list.first().is_none_or(|(_, since)| since + 60 > now));
                    }
                    Do::Pop => prop_assert_eq!(rows.pop(), (!list.is_empty()).then(|| list.remove(0).0)),
                }
                prop_assert_eq!(rows.waiting(), list.len());
                prop_assert!(rows.queue.len() <= most && rows.places.len() <= most);
                for key in 0..4 {
                    prop_assert_eq!(rows.length(&key), list.iter().filter(|(value, _)| value.0 == key).count());
                }
            }
        }
    }
}
