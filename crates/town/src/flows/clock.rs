//! Time of the town's flows: ten-minute blocks, hours of Japan, timers.
//!
//! Everything that happens is reckoned block by block from draws of that block alone, so that any span can be begun
//! anywhere and tells the same as a longer one.

use std::time::Duration;

use hinomi_model::Timestamp;

use super::dice::Dice;

/// Length of a block.
pub(super) const BLOCK_SECONDS: u64 = 600;
/// Japan is nine hours ahead of UTC and has no summer time.
const JAPAN_SECONDS: i64 = 9 * 3_600;
const DAY_SECONDS: i64 = 86_400;
/// How busy people are in each hour of Japan's day, the busiest being one.
const BUSY: [f64; 24] = [
    0.45, 0.22, 0.10, 0.06, 0.05, 0.10, 0.28, 0.45, 0.50, 0.48, 0.50, 0.55, 0.68, 0.60, 0.55, 0.55, 0.60, 0.68, 0.78,
    0.90, 1.00, 1.00, 0.92, 0.70,
];

/// One block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block(pub(super) u64);

impl Block {
    /// The block of a moment; what is before 1970 is in the first.
    pub(super) fn of(moment: Timestamp) -> Self {
        Self(u64::try_from(moment.as_micros()).unwrap_or(0) / 1_000_000 / BLOCK_SECONDS)
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Its first second since 1970.
    pub(super) const fn start_seconds(self) -> f64 {
        (self.0 * BLOCK_SECONDS) as f64
    }

    pub(super) fn start(self) -> Timestamp {
        at(self.start_seconds())
    }

    /// How busy people are in it.
    pub(super) fn busy(self) -> f64 {
        BUSY.get(usize::from(hour_of_day(self.start_seconds()))).copied().unwrap_or(0.5)
    }

    /// So many moments of it, on average, in seconds since 1970.
    pub(super) fn moments(self, dice: &mut Dice, mean: f64) -> Vec<f64> {
        let count = dice.poisson(mean);
        (0..count).map(|_| self.start_seconds() + dice.unit() * BLOCK_SECONDS as f64).collect()
    }
}

/// A moment of so many seconds since 1970, to the millisecond, as flow records tell it.
pub(super) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_micros(0).plus(Duration::from_millis((seconds.max(0.0) * 1_000.0) as u64))
}

/// The day in Japan, counted from 1970.
pub(super) fn day(seconds: f64) -> u64 {
    u64::try_from((seconds as i64 + JAPAN_SECONDS).div_euclid(DAY_SECONDS)).unwrap_or(0)
}

/// Seconds since midnight in Japan.
pub(super) fn second_of_day(seconds: f64) -> u32 {
    u32::try_from((seconds as i64 + JAPAN_SECONDS).rem_euclid(DAY_SECONDS)).unwrap_or(0)
}

/// The hour in Japan.
pub(super) fn hour_of_day(seconds: f64) -> u8 {
    u8::try_from(second_of_day(seconds) / 3_600).unwrap_or(0)
}

/// That time of that day in Japan, in seconds since 1970.
pub(super) fn on_day(day: u64, hour: u32, minute: u32) -> f64 {
    let seconds = i64::try_from(day).unwrap_or(0) * DAY_SECONDS - JAPAN_SECONDS;
    (seconds + i64::from(hour * 3_600 + minute * 60)) as f64
}

/// A part of each day in Japan, in minutes since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Daily {
    pub(super) from_minute: u32,
    pub(super) to_minute: u32,
}

impl Daily {
    pub(super) fn contains(self, seconds: f64) -> bool {
        (self.from_minute * 60..self.to_minute * 60).contains(&second_of_day(seconds))
    }
}

/// A timer with a phase and a jitter of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    /// From one tick to the next.
    pub(super) period_s: f64,
    /// Each tick comes late by up to this part of the period.
    pub(super) jitter: f64,
    /// Whose timer it is: makes phase and jitter.
    pub(super) key: u64,
}

impl Timer {
    /// Its ticks of a block, in seconds since 1970; a jitter may carry one a little past the block's end.
    pub(super) fn ticks(self, block: Block) -> impl Iterator<Item = f64> {
        let phase = Dice::of(&[self.key]).unit() * self.period_s;
        let (from, to) = (block.start_seconds(), block.next().start_seconds());
        let first = ((from - phase) / self.period_s).ceil().max(0.0) as u64;
        let nominal = move |tick: u64| phase + tick as f64 * self.period_s;
        (first..).take_while(move |tick| nominal(*tick) < to).map(move |tick| {
            let late = Dice::of(&[self.key, tick]).unit() * self.jitter * self.period_s;
            nominal(tick) + late
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_japan() {
        let noon_utc = 1_795_348_800.0; // 2026-11-22T12:00:00Z
        assert_eq!((hour_of_day(noon_utc), second_of_day(noon_utc)), (21, 75_600));
        assert!((on_day(day(noon_utc), 21, 0) - noon_utc).abs() < 1e-9);
        let early = Daily { from_minute: 20 * 60, to_minute: 21 * 60 };
        assert!(early.contains(noon_utc - 1.0) && !early.contains(noon_utc));
    }

    #[test]
    fn a_timer_ticks_as_often_as_it_says_and_each_tick_is_in_one_block() {
        let timer = Timer { period_s: 97.0, jitter: 0.2, key: 5 };
        let ticks: Vec<f64> = (2_992_000..2_992_100).flat_map(|block| timer.ticks(Block(block))).collect();
        assert_eq!(ticks.len(), 60_000 / 97 + 1);
        let gaps: Vec<f64> = ticks.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (77.0..117.0).contains(gap)), "{gaps:?}");
    }
}
