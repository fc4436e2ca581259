//! Numbers that follow from a seed, and an order of visiting that can be turned round.

/// SplitMix64: one number out of two.
pub fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed ^ number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers one after another.
pub struct Draw(u64);

impl Draw {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0, 0x1a6e)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A number below `bound`, small ones more often: roughly Zipf's law.
    pub fn skewed(&mut self, bound: u64) -> u64 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let skewed = (bound as f64 + 1.0).powf(unit) - 1.0;
        (skewed as u64).min(bound.saturating_sub(1))
    }
}

/// A permutation of `0..size`: a Feistel network of four rounds over the next even power of two, walked until it falls
/// into the range.
pub struct Order {
    seed: u64,
    size: u64,
    half_bits: u32,
}

impl Order {
    pub fn new(seed: u64, size: u64) -> Self {
        let bits = 64 - size.max(2).saturating_sub(1).leading_zeros();
        Self { seed, size, half_bits: bits.div_ceil(2) }
    }

    pub fn place_of(&self, turn: u64) -> u64 {
        self.walk(turn, |left, right, round| (right, left ^ self.round(right, round)), [0, 1, 2, 3])
    }

    pub fn turn_of(&self, place: u64) -> u64 {
        self.walk(place, |left, right, round| (right ^ self.round(left, round), left), [3, 2, 1, 0])
    }

    fn walk(&self, from: u64, step: impl Fn(u64, u64, u64) -> (u64, u64), rounds: [u64; 4]) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let mut at = from;
        loop {
            let (mut left, mut right) = (at >> self.half_bits, at & mask);
            for round in rounds {
                (left, right) = step(left, right, round);
            }
            at = (left << self.half_bits) | right;
            if at < self.size {
                return at;
            }
        }
    }

    fn round(&self, half: u64, round: u64) -> u64 {
        mix(self.seed ^ round, half) & ((1 << self.half_bits) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_one_turn() {
        for size in [1, 2, 3, 65_536, 100_003] {
            let order = Order::new(7, size);
            let mut places: Vec<u64> = (0..size).map(|turn| order.place_of(turn)).collect();
            assert!(places.iter().enumerate().all(|(turn, place)| order.turn_of(*place) == turn as u64));
            places.sort_unstable();
            assert!(places.into_iter().eq(0..size), "{size}");
        }
    }
}
