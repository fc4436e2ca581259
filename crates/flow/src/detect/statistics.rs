//! The few statistics that the detectors share. All are total: empty or degenerate input gives a plain neutral value.

/// A seeded generator (SplitMix64, Steele et al. 2014): small, repeatable, and good enough for permutation tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The same seed gives the same sequence.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below `bound`; 0 where the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * (bound as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// Exponential with that mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Fisher and Yates' shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The value below which that share of the sorted values lies, between neighbours by line; 0 of nothing.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * as_f64(last);
    let (low, high) = (place.floor(), place.ceil());
    let at = |place: f64| sorted.get(floor(place)).copied().unwrap_or(0.0);
    at(low) + (at(high) - at(low)) * (place - low)
}

/// Sorted copy, without what is not a number.
pub(crate) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut list: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    list.sort_by(f64::total_cmp);
    list
}

/// Bowley's skewness (Q1 + Q3 - 2 Q2) / (Q3 - Q1), in [-1, 1]; 0 where the quartiles coincide.
pub(crate) fn bowley_skew(sorted: &[f64]) -> f64 {
    let (low, middle, high) = (quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75));
    if high - low < 1e-9 || (middle - low).abs() < 1e-9 && (high - middle).abs() < 1e-9 {
        return 0.0;
    }
    (low + high - 2.0 * middle) / (high - low)
}

/// Median absolute deviation about the median.
pub(crate) fn median_absolute_deviation(list: &[f64]) -> f64 {
    let middle = quantile(list, 0.5);
    quantile(&sorted(list.iter().map(|value| (value - middle).abs())), 0.5)
}

/// Mean and standard deviation (of the population); (0, 0) of nothing.
pub(crate) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let count = as_f64(values.len());
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// ln n!, exact to about 1e-10 (Stirling's series above a small table's worth of products).
pub(crate) fn ln_factorial(number: u64) -> f64 {
    if number < 2 {
        return 0.0;
    }
    if number < 32 {
        return (2..=number).map(|factor| from_u64(factor).ln()).sum();
    }
    let x = from_u64(number) + 1.0;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

fn ln_choose(from: u64, take: u64) -> f64 {
    ln_factorial(from) - ln_factorial(take) - ln_factorial(from - take)
}

/// ln P(X >= hits): so many marked among `drawn`, when `marked` of `all` are (hypergeometric upper tail).
pub(crate) fn ln_hypergeometric_tail(hits: u64, drawn: u64, marked: u64, all: u64) -> f64 {
    let most = drawn.min(marked);
    if hits == 0 || drawn > all || marked > all {
        return 0.0;
    }
    if hits > most {
        return f64::NEG_INFINITY;
    }
    let least = drawn.saturating_sub(all - marked).max(hits);
    let whole = ln_choose(all, drawn);
    ln_sum((least..=most).map(|k| ln_choose(marked, k) + ln_choose(all - marked, drawn - k) - whole)).min(0.0)
}

/// ln P(X >= hits) of so many tries, each with that chance (binomial upper tail).
pub(crate) fn ln_binomial_tail(hits: u64, tries: u64, chance: f64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    if hits > tries || chance <= 0.0 {
        return f64::NEG_INFINITY;
    }
    let (yes, no) = (chance.min(1.0).ln(), (1.0 - chance).max(f64::MIN_POSITIVE).ln());
    ln_sum((hits..=tries).map(|k| ln_choose(tries, k) + from_u64(k) * yes + from_u64(tries - k) * no)).min(0.0)
}

/// ln of a sum of exponentials; the terms fall quickly, so what no longer counts ends the sum.
fn ln_sum(terms: impl Iterator<Item = f64>) -> f64 {
    let mut total = f64::NEG_INFINITY;
    for term in terms {
        if term < total - 40.0 {
            break;
        }
        let (high, low) = if term > total { (term, total) } else { (total, term) };
        total = if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() };
    }
    total
}

/// A monotone piecewise-linear table: ends are held beyond the ends. Points are (input, output), inputs rising.
pub(crate) fn along(table: &[(f64, f64)], input: f64) -> f64 {
    let Some(&(first, lowest)) = table.first() else { return 0.0 };
    if input.is_nan() || input <= first {
        return lowest;
    }
    for pair in table.windows(2) {
        if let [(x0, y0), (x1, y1)] = pair
            && input <= *x1
        {
            return y0 + (y1 - y0) * (input - x0) / (x1 - x0).max(f64::MIN_POSITIVE);
        }
    }
    table.last().map_or(0.0, |point| point.1)
}

/// Log-odds as a probability.
pub(crate) fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// A count as a number to reckon with; exact up to 2^53.
pub(crate) const fn as_f64(count: usize) -> f64 {
    count as f64
}

/// As [`as_f64`], of a u64.
pub(crate) const fn from_u64(count: u64) -> f64 {
    count as f64
}

/// Microseconds as seconds.
pub(crate) const fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// Rounded down to a place in a list; what is negative or no number is 0.
pub(crate) fn floor(value: f64) -> usize {
    value.max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quartiles_skew_and_deviation_of_known_lists() {
        let list = sorted([1.0, 2.0, 3.0, 4.0, 100.0]);
        assert!((quantile(&list, 0.5) - 3.0).abs() < 1e-12);
        assert!((median_absolute_deviation(&list) - 1.0).abs() < 1e-12);
        assert!(bowley_skew(&list).abs() < 1e-12);
        assert!(bowley_skew(&sorted([1.0, 1.1, 1.2, 9.0, 10.0])) > 0.9);
    }

    #[test]
    fn tails_agree_with_values_reckoned_by_hand() {
        // Drawing 2 of 4 with 2 marked: both marked is 1 in 6, at least one is 5 in 6.
        assert!((ln_hypergeometric_tail(2, 2, 2, 4).exp() - 1.0 / 6.0).abs() < 1e-9);
        assert!((ln_hypergeometric_tail(1, 2, 2, 4).exp() - 5.0 / 6.0).abs() < 1e-9);
        assert!((ln_binomial_tail(3, 3, 0.5).exp() - 0.125).abs() < 1e-12);
        assert!((ln_factorial(40) - 110.320_639_714_757_39).abs() < 1e-8);
    }

    proptest! {
        #[test]
        fn hypergeometric_tail_is_a_falling_probability(all in 1_u64..500, a in 0_u64..500, b in 0_u64..500) {
            let (drawn, marked) = (a.min(all), b.min(all));
            let tail: Vec<f64> = (0..=drawn.min(marked)).map(|k| ln_hypergeometric_tail(k, drawn, marked, all)).collect();
            prop_assert!(tail.iter().all(|p| *p <= 0.0));
            prop_assert!(tail.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9));
        }

        #[test]
        fn a_rising_table_is_monotone(a in -10.0..10.0_f64, b in -10.0..10.0_f64) {
            let table = [(-2.0, -1.0), (0.0, 0.0), (3.0, 5.0)];
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(along(&table, low) <= along(&table, high));
        }
    }
}
