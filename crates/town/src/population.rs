//! Who lives at which address on which day.
//!
//! The address, hashed ([`Population::position`]), falls somewhere on a ring of 2^32 places. Each persona owns an
//! interval of the ring by its weight. Within it two wheels turn as days pass: one carries the variants (mistakes
//! appear at some hosts and are mended at others), a faster one the short interval of hosts that are away. So on any
//! day the ring is a list of [`Piece`]s, and whether a port is open at an address is whether its position lies in some
//! of them: a question that a small program in the kernel can answer too.

use std::net::Ipv4Addr;

use crate::catalog;
use crate::config::TownConfig;
use crate::error::TownError;
use crate::mix;
use crate::persona::{Persona, Variant};

/// Size of the ring.
const RING: u64 = 1 << 32;
/// Of a thousand hosts of a persona, how many change their variant in a day.
const VARIANT_DRIFT_PER_MILLE: u64 = 4;
/// Of a thousand hosts, how many are away.
const AWAY_PER_MILLE: u64 = 20;
/// Of a thousand hosts, how many leave in a day (and as many come back).
const AWAY_DRIFT_PER_MILLE: u64 = 8;

/// An interval of the ring on which all hosts are alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// First position.
    pub(crate) start: u64,
    /// One past the last position.
    pub(crate) end: u64,
    pub(crate) persona: &'static Persona,
    /// `None`: away.
    pub(crate) variant: Option<&'static Variant>,
}

/// The ring on one day.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    key: u32,
    /// Rising, without gaps, from 0 to 2^32.
    pieces: Vec<Piece>,
}

impl Population {
    /// The ring of this town on the configuration's day.
    pub(crate) fn new(config: &TownConfig) -> Result<Self, TownError> {
        let personas = catalog::personas()?;
        let weights: u64 = personas.iter().map(|persona| u64::from(persona.weight)).sum();
        let mut pieces = Vec::new();
        let mut before = 0;
        for persona in personas {
            let start = before * RING / weights;
            before += u64::from(persona.weight);
            let end = before * RING / weights;
            add_persona(&mut pieces, persona, start, end, u64::from(config.day));
        }
        Ok(Self { key: mix::key32(config.seed), pieces })
    }

    /// What the address is combined with before it is hashed.
    pub(crate) const fn key(&self) -> u32 {
        self.key
    }

    /// Where on the ring an address lies.
    pub(crate) fn position(&self, address: Ipv4Addr) -> u32 {
        mix::spread32(u32::from(address) ^ self.key)
    }

    /// The piece that an address lies on.
    pub(crate) fn piece_of(&self, address: Ipv4Addr) -> Option<&Piece> {
        let position = u64::from(self.position(address));
        let after = self.pieces.partition_point(|piece| piece.start <= position);
        self.pieces.get(after.checked_sub(1)?)
    }

    /// The intervals of all pieces that pass, neighbours joined: rising, first position and one past the last.
    pub(crate) fn intervals(&self, passes: impl Fn(&Piece) -> bool) -> Vec<(u64, u64)> {
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for piece in self.pieces.iter().filter(|piece| passes(piece)) {
            match joined.last_mut() {
                Some(last) if last.1 == piece.start => last.1 = piece.end,
                _ => joined.push((piece.start, piece.end)),
            }
        }
        joined
    }
}

/// Cuts one persona's interval at every border of its two wheels.
fn add_persona(pieces: &mut Vec<Piece>, persona: &'static Persona, start: u64, end: u64, day: u64) {
    let width = end - start;
    let variants = Wheel::new(width, day, VARIANT_DRIFT_PER_MILLE);
    let away = Wheel::new(width, day, AWAY_DRIFT_PER_MILLE);
    let away_width = width * AWAY_PER_MILLE / 1000;
    let borders = variant_borders(persona, width);

    let mut cuts = vec![0, width, away.unturn(0), away.unturn(away_width)];
    cuts.extend(borders.iter().map(|(border, _)| variants.unturn(*border)));
    cuts.push(variants.unturn(0));
    cuts.sort_unstable();
    cuts.dedup();
    for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
        let turned = variants.turn(*from);
        let variant = borders.iter().find(|(border, _)| turned < *border).map(|(_, variant)| *variant);
        let variant = variant.filter(|_| away.turn(*from) >= away_width);
        pieces.push(Piece { start: start + from, end: start + to, persona, variant });
    }
}

/// For each variant one past its last place on the wheel, rising; the last is the whole width.
fn variant_borders(persona: &'static Persona, width: u64) -> Vec<(u64, &'static Variant)> {
    let mut share = 0.0;
    let mut borders: Vec<_> = Vec::with_capacity(persona.variants.len());
    for variant in &persona.variants {
        share += variant.share;
        borders.push((((width as f64) * share) as u64, variant));
    }
    if let Some(last) = borders.last_mut() {
        last.0 = width;
    }
    borders
}

/// Turns places on an interval by so much a day.
struct Wheel {
    width: u64,
    turned: u64,
}

impl Wheel {
    fn new(width: u64, day: u64, per_mille_a_day: u64) -> Self {
        let steps = (day % 1_000_000) * per_mille_a_day % 1000;
        Self { width, turned: (width * steps / 1000) % width.max(1) }
    }

    fn turn(&self, place: u64) -> u64 {
        (place + self.turned) % self.width.max(1)
    }

    fn unturn(&self, place: u64) -> u64 {
        (place + self.width - self.turned) % self.width.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn on_day(day: u32) -> Population {
        Population::new(&TownConfig { day, ..TownConfig::default() }).expect("a population")
    }

    #[test]
    fn pieces_cover_the_ring_without_gap_or_overlap() {
        for day in [0, 1, 30, 249, 250, 100_003] {
            let population = on_day(day);
            let mut reached = 0;
            for piece in &population.pieces {
                assert_eq!(piece.start, reached);
                assert!(piece.end > piece.start);
                reached = piece.end;
            }
            assert_eq!(reached, RING);
        }
    }

    #[test]
    fn shares_are_what_the_files_say_on_every_day() {
        for day in [0, 77] {
            let population = on_day(day);
            let telnet = population.intervals(|piece| {
                piece.persona.id == "kagaribi-ax30" && piece.variant.is_some_and(|v| v.name == "telnet-open")
            });
            let whole = population.intervals(|piece| piece.persona.id == "kagaribi-ax30");
            let length = |intervals: &[(u64, u64)]| intervals.iter().map(|(a, b)| b - a).sum::<u64>() as f64;
            let share = length(&telnet) / length(&whole);
            assert!((0.03..0.051).contains(&share), "day {day}: {share}");
        }
    }

    proptest! {
        #[test]
        fn an_address_lies_on_the_piece_of_its_position(address: u32, day in 0u32..2_000) {
            let population = on_day(day);
            let address = Ipv4Addr::from(address);
            let position = u64::from(population.position(address));
            let piece = population.piece_of(address).expect("the ring has no gap");
            prop_assert!((piece.start..piece.end).contains(&position));
        }
    }
}
