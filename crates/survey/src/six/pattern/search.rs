//! Addresses in the order of their chance: a search from the likeliest beginning on.
//!
//! Each step takes the likeliest beginning and continues it by each of sixteen digits; what is whole is told. The
//! chance of a beginning is that of everything it can become together, so none is told before a likelier one.
//! Beginnings beyond [`MAX_OPEN`] are given up, the least likely first, and the steps are bounded by how many addresses
//! are wanted.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hash::Hasher;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

use hinomi_model::address::from_u128;
use siphasher::sip::SipHasher13;

use super::super::candidates::{Candidate, Source};
use super::super::inside::Inside;
use super::USUAL;
use super::model::{Chances, DIGITS, Model, NETWORK_DIGITS, digit, ending};

/// Beginnings that are kept open.
const MAX_OPEN: usize = 1 << 18;

/// What is left for others where there is one known address: the rest of the chance is its own.
const NOT_ITSELF: f64 = 0.5;

/// Steps for each address wanted, and besides.
const STEPS_EACH: u64 = 64;
const STEPS_BESIDES: u64 = 100_000;

/// Addresses of a model within a scope, the likeliest first.
pub struct Guesses<'a> {
    model: &'a Model,
    inside: &'a Inside,
    seed: u64,
    open: BinaryHeap<Beginning>,
    wanted: u64,
    steps: u64,
}

/// The first digits of addresses.
#[derive(Clone, Debug)]
struct Beginning {
    /// Logarithm of its chance.
    chance: f64,
    /// Decides between equals: drawn from the seed.
    lot: u64,
    /// The digits, in front.
    digits: u128,
    len: usize,
    /// Known addresses that begin so.
    known: Range<usize>,
    /// Endings that begin so.
    endings: Range<usize>,
}

impl Model {
    /// At most `wanted` addresses that are not known and that the scope permits, the likeliest first. The seed decides
    /// between equals.
    pub fn guesses<'a>(&'a self, inside: &'a Inside, wanted: u64, seed: u64) -> Guesses<'a> {
        let (known, endings) = (0..self.known.len(), 0..self.endings.len());
        let mut open = BinaryHeap::new();
        // Nothing known says nothing of networks, and numbering all that there could be is no guess.
        if !self.is_empty() {
            open.push(Beginning { chance: 0.0, lot: 0, digits: 0, len: 0, known, endings });
        }
        let steps = wanted.saturating_mul(STEPS_EACH).saturating_add(STEPS_BESIDES);
        Guesses { model: self, inside, seed, open, wanted, steps }
    }
}

impl Iterator for Guesses<'_> {
    type Item = Candidate;

    fn next(&mut self) -> Option<Candidate> {
        while self.wanted > 0 && self.steps > 0 {
            let begun = self.open.pop()?;
            if begun.len < DIGITS {
                self.steps -= 1;
                self.continue_with(&begun);
                continue;
            }
            let address = Ipv6Addr::from(begun.digits);
            // What is written as IPv6 and means IPv4 is no address of this kind.
            let is_six = from_u128(begun.digits) == IpAddr::V6(address);
            if is_six && !self.model.knows(address) {
                self.wanted -= 1;
                let usual = USUAL.contains(&ending(begun.digits));
                let source = if usual { Source::Usual } else { Source::Pattern };
                return Some(Candidate { address: IpAddr::V6(address), source });
            }
        }
        None
    }
}

impl Guesses<'_> {
    fn continue_with(&mut self, begun: &Beginning) {
        let place = begun.len;
        let known = split(&self.model.known, begun.known.clone(), |address| digit(*address, place));
        let of_ending = |ending: &u64| digit(u128::from(*ending), place);
        let endings = match place < NETWORK_DIGITS {
            true => None,
            false => Some(split(&self.model.endings, begun.endings.clone(), of_ending)),
        };
        let weight = |ranges: &[Range<usize>; 16]| ranges.each_ref().map(|range| self.model.weight(range));
        let weights = endings.as_ref().map(weight);
        // A single known address says nothing of others: the way to itself is not searched.
        let exact = if begun.known.len() > 1 { lengths(&known) } else { [0.0; 16] };
        let chances = self.model.chances(begun.digits, place, &exact, weights.as_ref());
        for (next, chance) in chances.into_iter().enumerate() {
            let unit = 124 - 4 * place;
            let digits = begun.digits | (next as u128) << unit;
            if !self.inside.touches(digits, digits | ((1 << unit) - 1)) {
                continue;
            }
            let alone = begun.known.len() > 1 && known.get(next).is_some_and(|known| known.len() == 1);
            let chance = if alone { chance * NOT_ITSELF } else { chance };
            let of_next = |ranges: &[Range<usize>; 16]| ranges.get(next).cloned().unwrap_or_default();
            self.open.push(Beginning {
                chance: begun.chance + chance.ln(),
                lot: self.lot(digits, place),
                digits,
                len: place + 1,
                known: of_next(&known),
                endings: endings.as_ref().map_or_else(|| begun.endings.clone(), of_next),
            });
        }
        if self.open.len() > 2 * MAX_OPEN {
            let mut all = std::mem::take(&mut self.open).into_sorted_vec();
            self.open = all.split_off(all.len() - MAX_OPEN).into();
        }
    }

    fn lot(&self, digits: u128, place: usize) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.seed, place as u64);
        hasher.write_u128(digits);
        hasher.finish()
    }
}

/// Where the items of each digit are, of a sorted part in which all digits before are the same.
fn split<T>(sorted: &[T], part: Range<usize>, digit: impl Fn(&T) -> usize) -> [Range<usize>; 16] {
    let mut from = part.start;
    std::array::from_fn(|next| {
        let rest = sorted.get(from..part.end).unwrap_or_default();
        let end = from + rest.partition_point(|item| digit(item) <= next);
        std::mem::replace(&mut from, end)..end
    })
}

#[expect(clippy::cast_precision_loss, reason = "a weight")]
fn lengths(ranges: &[Range<usize>; 16]) -> Chances {
    ranges.each_ref().map(|range| range.len() as f64)
}

impl Ord for Beginning {
    fn cmp(&self, other: &Self) -> Ordering {
        self.chance.total_cmp(&other.chance).then(self.lot.cmp(&other.lot)).then(self.digits.cmp(&other.digits))
    }
}

impl PartialOrd for Beginning {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Beginning {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Beginning {}
