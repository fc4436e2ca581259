//! Scattering numbers: for tables of numbers, for samples and for sketches. Not for secrets.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Scatters a number; different numbers stay different (the last steps of SplitMix64, Steele et al. 2014).
pub(super) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Scatters a wide number to 64 bits.
pub(super) const fn mix_wide(number: u128, seed: u64) -> u64 {
    let (high, low) = ((number >> 64) as u64, number as u64);
    mix(low ^ mix(high ^ mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15))))
}

/// Scatters a text to 64 bits.
pub(super) fn mix_text(text: &[u8]) -> u64 {
    text.chunks(8).fold(text.len() as u64, |sum, part| {
        let number = part.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte));
        mix(sum.rotate_left(7) ^ number)
    })
}

/// A table by number.
pub(super) type ByNumber<T> = HashMap<u64, T, BuildHasherDefault<Scatter>>;

/// [`mix`] as tables take it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scatter(u64);

impl Hasher for Scatter {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0 ^ mix_text(bytes));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
