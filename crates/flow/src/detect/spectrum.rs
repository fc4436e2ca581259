//! Hidden periods in a train of events: power spectrum, permutation test, then autocorrelation as the judge.
//!
//! The steps follow the literature on beacons (Vlachos et al. 2005; BAYWATCH, DSN 2016): a frequency counts only when
//! its power is above what shuffled trains of the same events reach, and only when the autocorrelation has a hill at
//! that period. Several timers in one train give several periods; harmonics of a found one are left out.

use super::statistics::{Random, as_f64, floor};

/// Bins of the train: a power of two. The bin is at least a second wide.
const BINS: usize = 2048;
/// Shuffled trains; the strongest frequency of each makes the threshold (their maximum: about 1 false in 20).
const SHUFFLES: usize = 20;
/// Fewer events tell no period.
const MIN_EVENTS: usize = 8;
/// Periods looked for in one train.
const MAX_PERIODS: usize = 3;
/// Lowest autocorrelation at the period, 1 being a perfect repetition.
const MIN_CORRELATION: f64 = 0.25;

/// A period of a train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Period {
    /// Its length.
    pub(crate) seconds: f64,
    /// Autocorrelation there, above that of a shuffled train: 0 nothing, 1 perfect.
    pub(crate) strength: f64,
}

/// The periods of events at those seconds (sorted), strongest first; none where nothing stands out.
pub(crate) fn periods(events: &[f64], seed: u64) -> Vec<Period> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Vec::new() };
    let width = ((last - first) / as_f64(BINS - 1)).max(1.0);
    let mut train = vec![0.0; BINS];
    for event in events {
        if let Some(bin) = train.get_mut(floor((event - first) / width)) {
            // Presence, not count: a burst within a bin is one event.
            *bin = 1.0;
        }
    }
    let used = floor((last - first) / width) + 1;
    let marked = train.iter().filter(|bin| **bin > 0.0).count();
    if events.len() < MIN_EVENTS || marked < MIN_EVENTS || used < 4 * MIN_EVENTS || marked * 2 > used {
        return Vec::new();
    }
    let threshold = shuffled_power(&train, used, seed);
    let power = power(&train, used);
    let correlation = correlation(&train, used);
    let mut candidates: Vec<(usize, f64)> =
        power.iter().copied().enumerate().skip(2).take(BINS - 2).filter(|(_, power)| *power > threshold).collect();
    candidates.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut found: Vec<Period> = Vec::new();
    for (frequency, _) in candidates.into_iter().take(64) {
        let lag = 2.0 * as_f64(BINS) / as_f64(frequency);
        let Some((lag, strength)) = hill(&correlation, lag, used) else { continue };
        let seconds = lag * width;
        let known =
            |period: &Period| harmonic(period.seconds, seconds) || (period.seconds - seconds).abs() < 2.0 * width;
        if found.len() < MAX_PERIODS && strength >= MIN_CORRELATION && !found.iter().any(known) {
            found.push(Period { seconds, strength });
        }
    }
    found.sort_by(|one, other| other.strength.total_cmp(&one.strength));
    found
}

/// One is a whole multiple of the other, within a twentieth.
fn harmonic(one: f64, other: f64) -> bool {
    let ratio = if one > other { one / other } else { other / one };
    (ratio - ratio.round()).abs() < 0.05 * ratio.round().min(4.0)
}

/// The strongest power that trains of the same events in any order reach. Two trains go through one transform, one as
/// its imaginary part; unpadded, for the scale of a spectrum does not depend on the padding.
fn shuffled_power(train: &[f64], used: usize, seed: u64) -> f64 {
    let mut random = Random::new(seed);
    let mean = train.iter().sum::<f64>() / as_f64(used.max(1));
    let mut strongest = 0.0_f64;
    for _ in 0..SHUFFLES / 2 {
        let mut draw = || {
            let mut shuffled: Vec<f64> = train.iter().take(used).map(|bin| bin - mean).collect();
            random.shuffle(&mut shuffled);
            shuffled.resize(BINS, 0.0);
            shuffled
        };
        let (mut real, mut imaginary) = (draw(), draw());
        fourier(&mut real, &mut imaginary);
        let mirrored = real.iter().zip(&imaginary).rev();
        for ((re, im), (back_re, back_im)) in real.iter().zip(&imaginary).skip(1).zip(mirrored).take(BINS / 2) {
            let first = (re + back_re).powi(2) + (im - back_im).powi(2);
            let second = (re - back_re).powi(2) + (im + back_im).powi(2);
            strongest = strongest.max(first.max(second) / 4.0);
        }
    }
    strongest
}

/// Spectrum of the train without its mean, zero-padded to twice its length: index k is k cycles in 2 x BINS bins.
fn power(train: &[f64], used: usize) -> Vec<f64> {
    let (real, imaginary) = transformed(train, used);
    real.iter().zip(&imaginary).take(BINS + 1).map(|(re, im)| re * re + im * im).collect()
}

fn transformed(train: &[f64], used: usize) -> (Vec<f64>, Vec<f64>) {
    let mean = train.iter().sum::<f64>() / as_f64(used.max(1));
    let mut real: Vec<f64> = train.iter().take(used).map(|bin| bin - mean).collect();
    real.resize(2 * BINS, 0.0);
    let mut imaginary = vec![0.0; 2 * BINS];
    fourier(&mut real, &mut imaginary);
    (real, imaginary)
}

/// Autocorrelation by the spectrum (Wiener and Khinchin), 1 at lag 0, corrected for the shorter overlap of long lags.
fn correlation(train: &[f64], used: usize) -> Vec<f64> {
    let (real, imaginary) = transformed(train, used);
    let mut square: Vec<f64> = real.iter().zip(&imaginary).map(|(re, im)| re * re + im * im).collect();
    let mut nothing = vec![0.0; square.len()];
    fourier(&mut square, &mut nothing);
    let whole = square.first().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
    let overlap = |lag: usize| as_f64(used) / as_f64(used.saturating_sub(lag).max(1));
    square.iter().take(BINS).enumerate().map(|(lag, value)| value / whole * overlap(lag)).collect()
}

/// The hill of the autocorrelation near that lag: its place, and its mass over three bins above the surroundings.
fn hill(correlation: &[f64], lag: f64, used: usize) -> Option<(f64, f64)> {
    let reach = (lag * 0.08).max(1.5);
    let (low, high) = (floor((lag - reach).max(2.0)), floor(lag + reach));
    if high + 2 >= used / 2 || high + 2 >= correlation.len() {
        return None;
    }
    let at = |place: usize| correlation.get(place).copied().unwrap_or(0.0);
    // Jitter spreads a hill: what lies within a tenth of the period belongs to it.
    let spread = floor(lag * 0.1).max(1);
    let mass = |place: usize| (place.saturating_sub(spread)..=place + spread).map(at).sum::<f64>();
    let best = (low..=high).max_by(|one, other| mass(*one).total_cmp(&mass(*other)))?;
    let valley = mass((best + best / 2).min(correlation.len() - 1 - spread)).max(mass(best / 2));
    Some((as_f64(best), (mass(best) - valley.max(0.0)).min(1.0)))
}

/// Cooley and Tukey's transform in place; both parts have the same power-of-two length.
fn fourier(real: &mut [f64], imaginary: &mut [f64]) {
    let count = real.len();
    reverse_bits(real, imaginary);
    let mut half = 1;
    while half < count {
        let turn = -std::f64::consts::PI / as_f64(half);
        let (mut re, mut im) = (real.chunks_exact_mut(2 * half), imaginary.chunks_exact_mut(2 * half));
        while let (Some(re), Some(im)) = (re.next(), im.next()) {
            let ((low_re, high_re), (low_im, high_im)) = (re.split_at_mut(half), im.split_at_mut(half));
            butterflies(low_re, high_re, low_im, high_im, turn);
        }
        half *= 2;
    }
}

fn butterflies(low_re: &mut [f64], high_re: &mut [f64], low_im: &mut [f64], high_im: &mut [f64], turn: f64) {
    let lows = low_re.iter_mut().zip(low_im.iter_mut());
    let highs = high_re.iter_mut().zip(high_im.iter_mut());
    let (step_im, step_re) = turn.sin_cos();
    let (mut wr, mut wi) = (1.0, 0.0);
    for ((lr, li), (hr, hi)) in lows.zip(highs) {
        let (tr, ti) = (*hr * wr - *hi * wi, *hr * wi + *hi * wr);
        (*hr, *hi) = (*lr - tr, *li - ti);
        (*lr, *li) = (*lr + tr, *li + ti);
        (wr, wi) = (wr * step_re - wi * step_im, wr * step_im + wi * step_re);
    }
}

fn reverse_bits(real: &mut [f64], imaginary: &mut [f64]) {
    let bits = real.len().trailing_zeros();
    for place in 0..real.len() {
        let mirrored = place.reverse_bits() >> (usize::BITS - bits).min(usize::BITS - 1);
        if place < mirrored {
            real.swap(place, mirrored);
            imaginary.swap(place, mirrored);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(random: &mut Random, period: f64, jitter: f64, count: usize, loss: f64) -> Vec<f64> {
        let mut events = Vec::new();
        for turn in 0..count {
            let moved = period * (as_f64(turn) + jitter * (random.unit() - 0.5));
            if random.unit() >= loss {
                events.push(moved.max(0.0));
            }
        }
        events.sort_by(f64::total_cmp);
        events
    }

    #[test]
    fn the_transform_of_a_cosine_is_one_line() {
        let count = 64;
        let wave = |turn: usize| (2.0 * std::f64::consts::PI * 5.0 * as_f64(turn) / as_f64(count)).cos();
        let mut real: Vec<f64> = (0..count).map(wave).collect();
        let mut imaginary = vec![0.0; count];
        fourier(&mut real, &mut imaginary);
        assert!((real[5] - 32.0).abs() < 1e-9 && (real[59] - 32.0).abs() < 1e-9);
        assert!(real.iter().enumerate().all(|(k, value)| k == 5 || k == 59 || value.abs() < 1e-9));
    }

    #[test]
    fn a_timer_with_jitter_and_loss_is_found_at_its_period() {
        for seed in 0..10 {
            let mut random = Random::new(seed);
            let events = train(&mut random, 60.0, 0.15, 120, 0.25);
            let found = periods(&events, seed);
            assert!(found.iter().any(|period| (period.seconds - 60.0).abs() < 6.0), "{seed}: {found:?}");
        }
    }

    #[test]
    fn two_timers_in_one_train_are_two_periods() {
        let mut random = Random::new(3);
        let mut events = train(&mut random, 47.0, 0.02, 200, 0.0);
        events.extend(train(&mut random, 610.0, 0.0, 15, 0.0));
        events.sort_by(f64::total_cmp);
        assert!(periods(&events, 1).iter().any(|period| (period.seconds - 47.0).abs() < 5.0));
    }

    #[test]
    fn events_without_a_rhythm_have_no_period() {
        let mut wrong = 0;
        for seed in 0..40 {
            let mut random = Random::new(seed);
            let mut now = 0.0;
            let events: Vec<f64> = std::iter::repeat_with(|| {
                now += random.exponential(50.0);
                now
            })
            .take(80)
            .collect();
            wrong += usize::from(!periods(&events, seed).is_empty());
        }
        assert!(wrong <= 4, "{wrong} of 40 trains without a rhythm have a period");
    }

    #[test]
    fn too_little_is_no_period() {
        assert!(periods(&[], 0).is_empty());
        assert!(periods(&[1.0; 100], 0).is_empty());
        assert!(periods(&[0.0, 60.0, 120.0], 0).is_empty());
    }
}
