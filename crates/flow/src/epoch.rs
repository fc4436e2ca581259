//! Epochs and the keys that live in them.
//!
//! Time is cut into epochs of equal length from the Unix epoch on (24 hours by default: days in UTC). A key is born
//! with its epoch and destroyed a grace after its end, so that records that come late are still named right; then
//! nobody can tell any more who was behind a pseudonym. At most two keys live at once. Time never runs backwards here.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use hinomi_model::Timestamp;

use crate::error::FlowError;
use crate::key::EpochKey;
use crate::purpose::Pseudonym;

/// Ten seconds are for drills: the auditor waits for the end of an epoch.
const MIN_LENGTH: Duration = Duration::from_secs(10);
const MAX_LENGTH: Duration = Duration::from_secs(31 * 86_400);
/// Shortest text that can be a legal basis, or the reason for asking about own lines, in characters.
pub const LEAST_BASIS: usize = 10;
/// Most infected lines that are joined.
pub const MAX_INFECTED: usize = 1_000_000;

/// How long epochs last, and how late a record may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochLength {
    length: Duration,
    grace: Duration,
}

impl EpochLength {
    /// Epochs of this length; the grace is cut to the length.
    ///
    /// # Errors
    /// When the length is outside ten seconds to 31 days.
    pub fn new(length: Duration, grace: Duration) -> Result<Self, FlowError> {
        if !(MIN_LENGTH..=MAX_LENGTH).contains(&length) {
            return Err(FlowError::EpochLength { seconds: length.as_secs() });
        }
        Ok(Self { length, grace: grace.min(length) })
    }

    /// The epoch of a moment; those before 1970 are in the first.
    pub fn epoch_of(&self, moment: Timestamp) -> u32 {
        let micros = u128::try_from(moment.as_micros()).unwrap_or(0);
        u32::try_from(micros / self.length.as_micros()).unwrap_or(u32::MAX)
    }

    /// When an epoch begins.
    pub fn begin_of(&self, epoch: u32) -> Timestamp {
        self.end_of(epoch).minus(self.length)
    }

    /// When an epoch ends.
    pub fn end_of(&self, epoch: u32) -> Timestamp {
        let micros = self.length.as_micros().saturating_mul(u128::from(epoch) + 1);
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

impl Default for EpochLength {
    /// Days, and an hour's grace.
    fn default() -> Self {
        Self { length: Duration::from_secs(86_400), grace: Duration::from_secs(3_600) }
    }
}

/// A recorded reason in law: for joining infected lines with flows, or for telling which own lines met a finding. Each is
/// a switch that is off without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalBasis(String);

impl LegalBasis {
    /// The reason in words, as the ledger will keep it.
    ///
    /// # Errors
    /// When it is too short to be one.
    pub fn new(words: &str) -> Result<Self, FlowError> {
        let words = words.trim();
        let long_enough = words.chars().count() >= LEAST_BASIS;
        long_enough.then(|| Self(words.to_owned())).ok_or(FlowError::NoLegalBasis { least: LEAST_BASIS })
    }

    /// The words.
    pub fn words(&self) -> &str {
        &self.0
    }
}

/// A birth or a death, for the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// The key of this epoch was made.
    Born {
        /// The epoch.
        epoch: u32,
    },
    /// The key of this epoch was destroyed.
    Destroyed {
        /// The epoch.
        epoch: u32,
    },
}

struct Living {
    key: EpochKey,
    infected: HashSet<Pseudonym>,
}

/// The living keys.
pub struct Keys {
    length: EpochLength,
    now: Timestamp,
    living: Vec<Living>,
}

impl Keys {
    /// No keys yet: [`advance`](Self::advance) makes the first.
    pub const fn new(length: EpochLength) -> Self {
        Self { length, now: Timestamp::from_micros(0), living: Vec::new() }
    }

    /// Destroys keys whose time is over and makes the key of this moment's epoch if there is none.
    ///
    /// # Errors
    /// When a key cannot be made or locked.
    pub fn advance(&mut self, now: Timestamp) -> Result<Vec<KeyEvent>, FlowError> {
        self.now = self.now.max(now);
        let (length, moment) = (self.length, self.now);
        let mut events = Vec::new();
        self.living.retain(|living| {
            let epoch = living.key.epoch();
            let stays = moment < length.end_of(epoch).plus(length.grace);
            events.extend((!stays).then_some(KeyEvent::Destroyed { epoch }));
            stays
        });
        let epoch = length.epoch_of(moment);
        if self.key(epoch).is_none() {
            self.living.push(Living { key: EpochKey::birth(epoch)?, infected: HashSet::new() });
            events.push(KeyEvent::Born { epoch });
        }
        Ok(events)
    }

    /// Destroys all keys: at the end of the process, or when an operator says so.
    pub fn destroy(&mut self) -> Vec<KeyEvent> {
        self.living.drain(..).map(|living| KeyEvent::Destroyed { epoch: living.key.epoch() }).collect()
    }

    /// The running epoch.
    pub fn current_epoch(&self) -> u32 {
        self.length.epoch_of(self.now)
    }

    /// Whether keys live and their running epoch is over at this moment: the next [`advance`](Self::advance) begins
    /// another one.
    pub fn is_ended(&self, now: Timestamp) -> bool {
        !self.living.is_empty() && self.length.epoch_of(self.now.max(now)) != self.current_epoch()
    }

    /// The length of epochs.
    pub const fn length(&self) -> EpochLength {
        self.length
    }

    /// Tells which lines are infected, for the keys that live now: what was told before is forgotten. A new epoch knows
    /// none until it is told again. Returns how many were taken (at most [`MAX_INFECTED`]).
    pub fn tell_infected(&mut self, addresses: &[IpAddr], _basis: &LegalBasis) -> usize {
        let taken = addresses.len().min(MAX_INFECTED);
        for Living { key, infected } in &mut self.living {
            *infected = addresses.iter().take(taken).map(|address| key.pseudonym(*address)).collect();
        }
        taken
    }

    /// Whether any living key was told of infected lines.
    pub fn knows_infected(&self) -> bool {
        self.living.iter().any(|living| !living.infected.is_empty())
    }

    /// Name, epoch and state of the subscriber at this moment; `None` where no living key is for it.
    pub(crate) fn name(&self, address: IpAddr, moment: Timestamp) -> Option<(Pseudonym, u32, bool)> {
        let epoch = self.length.epoch_of(moment);
        let living = self.living.iter().rev().find(|living| living.key.epoch() == epoch)?;
        let name = living.key.pseudonym(address);
        Some((name, epoch, !living.infected.is_empty() && living.infected.contains(&name)))
    }

    /// The epochs whose keys live, oldest first.
    pub(crate) fn epochs(&self) -> impl Iterator<Item = u32> {
        self.living.iter().map(|living| living.key.epoch())
    }

    /// The name of an address in an epoch whose key lives.
    pub(crate) fn name_in(&self, epoch: u32, address: IpAddr) -> Option<Pseudonym> {
        self.key(epoch).map(|key| key.pseudonym(address))
    }

    fn key(&self, epoch: u32) -> Option<&EpochKey> {
        self.living.iter().map(|living| &living.key).find(|key| key.epoch() == epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_key_is_born_with_its_epoch_and_dies_a_grace_after_it() {
        let mut keys = Keys::new(EpochLength::default());
        let day = keys.length().epoch_of(at("2026-11-22"));
        assert_eq!(keys.advance(at("2026-11-22T10:00:00Z")).expect("locked"), [KeyEvent::Born { epoch: day }]);
        assert_eq!(keys.advance(at("2026-11-22T23:59:59Z")).expect("locked"), []);
        let names = |keys: &Keys, moment| keys.name([192, 0, 2, 1].into(), at(moment));
        let before = names(&keys, "2026-11-22T12:00:00Z").expect("a living key");
        assert_eq!(keys.advance(at("2026-11-23T00:00:01Z")).expect("locked"), [KeyEvent::Born { epoch: day + 1 }]);
        assert!(names(&keys, "2026-11-22T12:00:00Z").expect("in grace").0 == before.0);
        assert!(names(&keys, "2026-11-23T00:00:00Z").expect("a living key").0 != before.0);
        assert_eq!(keys.advance(at("2026-11-23T01:00:00Z")).expect("locked"), [KeyEvent::Destroyed { epoch: day }]);
        assert!(names(&keys, "2026-11-22T12:00:00Z").is_none());
    }

    #[test]
    fn a_clock_that_is_set_back_brings_no_key_back() {
        let mut keys = Keys::new(EpochLength::default());
        keys.advance(at("2026-11-24T10:00:00Z")).expect("locked");
        assert_eq!(keys.advance(at("2026-11-22T10:00:00Z")).expect("locked"), []);
        assert!(keys.name([192, 0, 2, 1].into(), at("2026-11-22T10:00:00Z")).is_none());
        assert_eq!(keys.destroy().len(), 1);
    }

    #[test]
    fn infected_lines_are_known_only_on_a_basis_and_only_within_their_epoch() {
        assert!(LegalBasis::new("  yes ").is_err());
        let basis = LegalBasis::new("order 12 of the licence, section 3").expect("words");
        let mut keys = Keys::new(EpochLength::default());
        keys.advance(at("2026-11-22T10:00:00Z")).expect("locked");
        assert_eq!(keys.tell_infected(&[[192, 0, 2, 1].into()], &basis), 1);
        let infected =
            |keys: &Keys, last: u8, moment| keys.name([192, 0, 2, last].into(), at(moment)).map(|told| told.2);
        assert_eq!(infected(&keys, 1, "2026-11-22T10:00:00Z"), Some(true));
        assert_eq!(infected(&keys, 2, "2026-11-22T10:00:00Z"), Some(false));
        keys.advance(at("2026-11-23T00:10:00Z")).expect("locked");
        assert_eq!(infected(&keys, 1, "2026-11-23T00:10:00Z"), Some(false));
    }

    #[test]
    fn lengths_have_bounds() {
        assert!(EpochLength::new(Duration::from_secs(1), Duration::ZERO).is_err());
        assert!(EpochLength::new(Duration::from_secs(3_600), Duration::from_secs(60)).is_ok());
    }
}
