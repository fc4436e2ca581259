//! Ticks of a capture's clock as a time.

use hinomi_model::Timestamp;

const MICROS: i128 = 1_000_000;

/// How long a tick is, and where ticks start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    ticks_per_second: u64,
    offset_seconds: i64,
}

impl Clock {
    pub(super) const MICROSECONDS: Self = Self { ticks_per_second: 1_000_000, offset_seconds: 0 };

    /// From `if_tsresol`: a negative power of 10, or of 2 with the highest bit set. None when a tick is too short to
    /// count a second of them.
    pub(super) const fn with_resolution(self, resolution: u8) -> Option<Self> {
        let power = (resolution & 0x7f) as u32;
        let ticks = if resolution & 0x80 == 0 { 10_u64.checked_pow(power) } else { 2_u64.checked_pow(power) };
        match ticks {
            Some(ticks_per_second) => Some(Self { ticks_per_second, ..self }),
            None => None,
        }
    }

    pub(super) const fn with_offset(self, offset_seconds: i64) -> Self {
        Self { offset_seconds, ..self }
    }

    /// The time of that tick; saturates.
    pub(super) fn time(self, ticks: u64) -> Timestamp {
        let since_start = i128::from(ticks) * MICROS / i128::from(self.ticks_per_second.max(1));
        let micros = since_start + i128::from(self.offset_seconds) * MICROS;
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX }))
    }
}
