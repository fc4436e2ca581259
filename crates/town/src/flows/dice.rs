//! Draws that belong to one purpose: the same words give the same draws, whatever was drawn before elsewhere.

/// A seeded generator (SplitMix64, Steele et al. 2014).
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Draws of these words alone: the town's seed, who, what, when.
    pub(super) fn of(words: &[u64]) -> Self {
        let mut dice = Self(0x6b79_6f6b_7573_6869);
        for word in words {
            dice.0 = dice.next() ^ *word;
        }
        dice.next();
        dice
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in [0, 1).
    pub(super) const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below `bound`; 0 where the bound is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform from `low` up to, not including, `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low))
    }

    /// True with that chance.
    pub(super) const fn chance(&mut self, chance: f64) -> bool {
        self.unit() < chance
    }

    /// Exponential with that mean, cut at eight times the mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        (-mean * (1.0 - self.unit()).ln()).min(8.0 * mean)
    }

    /// How many of a Poisson stream with that mean; the mean is small here, 200 at most are given.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        let (floor, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > floor && count < 200 {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// An ephemeral port (RFC 6335 section 6: from 49,152; most systems begin lower).
    pub(super) fn ephemeral(&mut self) -> u16 {
        u16::try_from(self.between(32_768, 60_999)).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_give_the_same_draws_and_others_give_others() {
        let draws = |words: &[u64]| {
            let mut dice = Dice::of(words);
            [dice.next(), dice.next()]
        };
        assert_eq!(draws(&[7, 1, 2]), draws(&[7, 1, 2]));
        assert_ne!(draws(&[7, 1, 2]), draws(&[7, 2, 1]));
        assert_ne!(draws(&[7]), draws(&[7, 0]));
    }

    #[test]
    fn means_are_what_they_are_called() {
        let mut dice = Dice::of(&[1]);
        let poisson: u32 = (0..4_000).map(|_| dice.poisson(2.5)).sum();
        assert!((9_600..10_400).contains(&poisson), "{poisson}");
        let exponential: f64 = (0..4_000).map(|_| dice.exponential(10.0)).sum();
        assert!((38_000.0..42_000.0).contains(&exponential), "{exponential}");
        assert!((0..1_000).all(|_| (5..9).contains(&dice.between(5, 9))));
        assert_eq!(dice.below(0), 0);
    }
}
