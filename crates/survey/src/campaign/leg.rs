//! A leg of a campaign: the targets that one engine visits, in the order of one walk, once or several times over.
//!
//! A campaign's positions are numbered through: those of the first leg, then those of the second. In a leg they are the
//! steps of its share of the walk, pass by pass. What a position names follows from seed and number alone, so to
//! pause, resume, replay or share is to remember or divide a range of numbers.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use hinomi_model::{ServiceKey, Transport};

use crate::six::alias::{AliasedPrefixes, Prelude, is_shunned};
use crate::sweep::{Ladder, Logarithm, Steps, SweepError, Targets, Walk};

/// A share of a job: several machines do one job without talking when each takes another part of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which part, counted from 0.
    part: u32,
    /// Of how many.
    of: u32,
}

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { part: 0, of: 1 };

    /// Part `number` of `of`, counted from 1.
    pub const fn new(number: u32, of: u32) -> Option<Self> {
        match number >= 1 && number <= of {
            true => Some(Self { part: number - 1, of }),
            false => None,
        }
    }

    /// The part of this many steps.
    fn steps(self, steps: u64) -> Range<u64> {
        let cut = |part: u32| {
            let at = u128::from(steps) * u128::from(part) / u128::from(self.of);
            u64::try_from(at).unwrap_or(steps)
        };
        cut(self.part)..cut(self.part + 1)
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.part + 1, self.of)
    }
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        let share = parts.and_then(|(number, of)| Self::new(number, of));
        share.ok_or_else(|| format!("{text:?} is not a share such as 2/3, the second of three"))
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    first: u64,
    targets: Targets,
    walk: Walk,
    steps: Range<u64>,
    passes: u32,
    /// Where nothing but one address for all is visited; known when the leg begins.
    shunned: Option<Arc<OnceLock<AliasedPrefixes>>>,
}

impl Leg {
    /// A leg whose first position is `first`.
    pub(crate) fn new(first: u64, targets: Targets, seed: u64, share: Share, passes: u32) -> Result<Self, SweepError> {
        let walk = Walk::new(targets.len(), seed);
        let steps = share.steps(walk.steps());
        let passes = passes.max(1);
        let len = (steps.end - steps.start).checked_mul(u64::from(passes));
        let fits = len.and_then(|len| first.checked_add(len)).is_some();
        if !fits || steps.is_empty() {
            return Err(SweepError::Empty);
        }
        Ok(Self { first, targets, walk, steps, passes, shunned: None })
    }

    /// The same leg, which leaves out what the tests before it find.
    pub(crate) fn without(self, prelude: Option<&Prelude>) -> Self {
        Self { shunned: prelude.map(Prelude::shunned), ..self }
    }

    /// Its positions.
    pub fn positions(&self) -> Range<u64> {
        self.first..self.first + self.pass_len() * u64::from(self.passes)
    }

    /// Positions of one pass.
    pub const fn pass_len(&self) -> u64 {
        self.steps.end - self.steps.start
    }

    /// How often each target is visited.
    pub const fn passes(&self) -> u32 {
        self.passes
    }

    /// How many targets; for a share of a job the number that is to be expected.
    pub fn targets(&self) -> u64 {
        let share = u128::from(self.targets.len()) * u128::from(self.pass_len()) / u128::from(self.walk.steps().max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// How many addresses its targets have.
    pub const fn addresses(&self) -> u64 {
        self.targets.addresses()
    }

    /// Whether any of its targets is of this transport.
    pub fn has(&self, transport: Transport) -> bool {
        self.targets.has(transport)
    }

    /// The target of this number, if it is to be visited.
    pub fn target(&self, index: u64) -> Option<ServiceKey> {
        self.targets.get(index).filter(|key| !self.shuns(key))
    }

    fn shuns(&self, key: &ServiceKey) -> bool {
        self.shunned.as_ref().is_some_and(|shunned| is_shunned(shunned, key.address))
    }

    /// How many of its targets are left out.
    pub(crate) fn shunned(&self) -> u64 {
        let targets = self.walk_from(self.first).filter_map(|(_, index)| self.targets.get(index?));
        targets.filter(|key| self.shuns(key)).count() as u64
    }

    /// The addresses of its targets, whether they are left out or not; one for each target.
    pub(crate) fn own_addresses(&self) -> impl Iterator<Item = std::net::IpAddr> + '_ {
        self.walk_from(self.first).filter_map(|(_, index)| Some(self.targets.get(index?)?.address))
    }

    /// The pass that a position belongs to, counted from 0.
    pub fn pass_of(&self, position: u64) -> u32 {
        u32::try_from(position.saturating_sub(self.first) / self.pass_len().max(1)).unwrap_or(u32::MAX)
    }

    /// The positions from this one to the end of its pass, each with the number of its target if it has one.
    pub fn walk_from(&self, position: u64) -> Positions {
        let local = position.saturating_sub(self.first) % self.pass_len().max(1);
        let steps = self.walk.from(self.steps.start + local);
        Positions { steps, position, end: position - local + self.pass_len() }
    }

    /// For those who ask for the targets of positions here and there.
    pub fn ladder(&self) -> Ladder {
        self.walk.ladder()
    }

    /// For those who ask at which position a target is visited.
    pub fn logarithm(&self) -> Logarithm {
        Logarithm::new(self.walk)
    }

    /// The position among these, which are of one pass, at which a target is visited.
    pub fn position_of(&self, key: ServiceKey, among: Range<u64>, logarithm: &Logarithm) -> Option<u64> {
        let index = self.targets.index_of(key)?;
        if among.is_empty() {
            return None;
        }
        let start = self.step_of(among.start);
        let step = logarithm.step_of(index, start..start + (among.end - among.start))?;
        Some(among.start + (step - start))
    }

    /// The positions of a pass.
    pub fn pass(&self, pass: u32) -> Range<u64> {
        let start = self.first + u64::from(pass) * self.pass_len();
        start..start + self.pass_len()
    }

    /// The step of the walk that a position is.
    pub fn step_of(&self, position: u64) -> u64 {
        self.steps.start + position.saturating_sub(self.first) % self.pass_len().max(1)
    }
}

/// See [`Leg::walk_from`].
#[derive(Clone, Debug)]
pub struct Positions {
    steps: Steps,
    position: u64,
    end: u64,
}

impl Iterator for Positions {
    type Item = (u64, Option<u64>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.end {
            return None;
        }
        let (_, index) = self.steps.next()?;
        let position = self.position;
        self.position += 1;
        Some((position, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::List;
    use proptest::prelude::*;

    fn leg(first: u64, seed: u64, share: Share, passes: u32) -> Leg {
        let ranges = ["192.0.2.0/26".parse().expect("a prefix")];
        let targets = Targets::new(&ranges, vec![(Transport::Tcp, 80), (Transport::Tcp, 81)]).expect("targets");
        Leg::new(first, targets, seed, share, passes).expect("a leg")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn shares_are_disjoint_and_together_everything(seed: u64, of in 1u32..9, passes in 1u32..4, first in 0u64..1_000) {
            let mut seen = vec![0; 128];
            for number in 1..=of {
                let leg = leg(first, seed, Share::new(number, of).expect("a share"), passes);
                let (ladder, logarithm) = (leg.ladder(), leg.logarithm());
                let mut at = leg.positions().start;
                for pass in 0..passes {
                    for (position, index) in leg.walk_from(at) {
                        prop_assert_eq!((position, leg.pass_of(position)), (at, pass));
                        prop_assert_eq!(ladder.at(leg.step_of(position)), index);
                        if let Some(index) = index {
                            let key = leg.target(index).expect("a target");
                            prop_assert_eq!(leg.position_of(key, leg.pass(pass), &logarithm), Some(position));
                            prop_assert_eq!(leg.position_of(key, leg.pass(pass).start..position, &logarithm), None);
                            seen[usize::try_from(index).expect("small")] += 1;
                        }
                        at += 1;
                    }
                }
                prop_assert_eq!(at, leg.positions().end);
            }
            prop_assert!(seen.iter().all(|times| *times == passes));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn shares_of_a_list_are_the_list(hosts in proptest::collection::btree_set(0u32..5_000, 1..300), seed: u64, of in 1u32..5) {
            let key = |host: &u32| ServiceKey { address: host.to_be_bytes().into(), port: 80, transport: Transport::Tcp };
            let list = List::new(hosts.iter().map(key)).expect("a list");
            let mut seen: Vec<ServiceKey> = Vec::new();
            for number in 1..=of {
                let share = Share::new(number, of).expect("a share");
                let Ok(leg) = Leg::new(0, Targets::listed(list.clone()).expect("targets"), seed, share, 1) else { continue };
                seen.extend(leg.walk_from(0).filter_map(|(_, index)| leg.target(index?)));
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, list.iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_share_is_written_as_people_say_it() {
        assert_eq!("2/3".parse::<Share>().expect("a share").to_string(), "2/3");
        assert!(["0/3", "4/3", "1", "1/0", "x/y"].iter().all(|wrong| wrong.parse::<Share>().is_err()));
    }
}
