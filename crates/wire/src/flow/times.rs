//! When a flow began and ended: the exporter's many ways to say it, made absolute and believable.
//!
//! [`Moment`] is a way and its place in the record; [`Clock`] is what the message's header says about time. Times on
//! the exporter's uptime are differences of 32-bit milliseconds: they wrap every 49.7 days and are taken modulo that.

use hinomi_model::Timestamp;

use super::counts::Clamped;
use super::field::{Place, Slot, View};
use super::limits::Limits;

/// From 1900-01-01 to 1970-01-01, in seconds.
const NTP_TO_UNIX: i64 = 2_208_988_800;
/// Seconds of one era of NTP.
const NTP_ERA: i64 = 1 << 32;
/// An exporter's boot time that moves by more than this is another boot.
const ANOTHER_BOOT_US: i64 = 600_000_000;

/// How a template tells a point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Moment {
    /// It does not.
    #[default]
    Untold,
    /// Milliseconds since the exporter's boot (fields 21, 22).
    Uptime(Slot),
    /// Seconds since 1970.
    Seconds(Slot),
    /// Microseconds before the export (158, 159).
    MicrosBefore(Slot),
    /// Milliseconds since 1970.
    Millis(Slot),
    /// NTP's 64 bits, as microseconds and nanoseconds are told (RFC 7011 section 6.1.9).
    Ntp(Slot),
}

impl Moment {
    /// Whether it is an uptime of zero, which means something only beside another.
    pub(super) fn is_zero_uptime<P: Place>(self, view: &View<'_, P>) -> bool {
        matches!(self, Self::Uptime(slot) if view.number(slot) == 0)
    }

    /// Takes the other one if it tells more. Uptime without an uptime in the header (IPFIX) is the last resort.
    pub(super) fn prefer(&mut self, other: Self, header_has_uptime: bool) {
        if other.rank(header_has_uptime) > self.rank(header_has_uptime) {
            *self = other;
        }
    }

    const fn rank(self, header_has_uptime: bool) -> u8 {
        match self {
            Self::Untold => 0,
            Self::Uptime(_) => 1 + 2 * header_has_uptime as u8,
            Self::Seconds(_) => 2,
            Self::MicrosBefore(_) => 4,
            Self::Millis(_) => 5,
            Self::Ntp(_) => 6,
        }
    }

    /// Microseconds since 1970 on the exporter's clock; none when the record does not say.
    #[inline(always)]
    pub(super) fn read<P: Place>(self, view: &View<'_, P>, clock: &mut Clock, newest: bool) -> Option<i64> {
        match self {
            Self::Untold => None,
            // A flow may begin at the boot, but none ends there.
            Self::Uptime(slot) => match view.number(slot) {
                0 if newest => None,
                ms => Some(clock.at_uptime(ms, newest)),
            },
            Self::Seconds(slot) => told(view.number(slot)).map(|seconds| signed(seconds).saturating_mul(1_000_000)),
            Self::MicrosBefore(slot) => Some(clock.export.saturating_sub(signed(view.number(slot)))),
            Self::Millis(slot) => told(view.number(slot)).map(|ms| signed(ms).saturating_mul(1_000)),
            Self::Ntp(slot) => told(view.number(slot)).map(from_ntp),
        }
    }
}

const fn told(number: u64) -> Option<u64> {
    if number == 0 { None } else { Some(number) }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_ntp(ntp: u64) -> i64 {
    let seconds = signed(ntp >> 32);
    // The first bit is set from 1968 to 2036; without it, it is the next era.
    let era = if seconds < NTP_ERA / 2 { NTP_ERA } else { 0 };
    let micros = signed(((ntp & 0xffff_ffff) * 1_000_000) >> 32);
    (seconds + era - NTP_TO_UNIX) * 1_000_000 + micros
}

/// When an IPFIX exporter booted: its header does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Boot {
    /// Nothing pointed to it yet.
    #[default]
    Unknown,
    /// So that no flow ended after its export.
    Estimated(i64),
    /// The exporter told (systemInitTimeMilliseconds, 160).
    Told(i64),
}

/// What a message says about time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Microseconds since 1970, by our clock.
    received: i64,
    /// The same of the export, by the exporter's.
    export: i64,
    /// What to add to the exporter's times: 0 unless its clock is too far from ours.
    shift: i64,
    /// Milliseconds since boot, at the export.
    uptime_ms: Option<u32>,
    /// When there is no `uptime_ms`.
    pub boot: Boot,
    latest: i64,
    earliest: i64,
}

impl Clock {
    /// Of a message exported at that time, in microseconds since 1970, and that uptime.
    pub(super) fn new(
        limits: &Limits,
        received: Timestamp,
        export_us: i64,
        uptime_ms: Option<u32>,
        clamped: &mut Clamped,
    ) -> Self {
        let received = received.as_micros();
        let skew = received.saturating_sub(export_us);
        let skewed = skew.unsigned_abs() > u64::try_from(limits.clock_skew.as_micros()).unwrap_or(u64::MAX);
        clamped.skewed_messages = clamped.skewed_messages.saturating_add(u64::from(skewed));
        let exported = Timestamp::from_micros(export_us);
        Self {
            received,
            export: export_us,
            shift: if skewed { skew } else { 0 },
            uptime_ms,
            boot: Boot::Unknown,
            latest: exported.plus(limits.future).as_micros(),
            earliest: exported.minus(limits.past).as_micros(),
        }
    }

    /// Microseconds since 1970 of so many milliseconds after boot; `newest` when no later time of the record is known.
    pub(super) fn at_uptime(&mut self, ms: u64, newest: bool) -> i64 {
        if let Some(now) = self.uptime_ms {
            let low = u32::try_from(ms & 0xffff_ffff).unwrap_or_default();
            return self.export - i64::from(now.wrapping_sub(low).cast_signed()) * 1_000;
        }
        let since_boot = signed(ms).saturating_mul(1_000);
        self.boot_before(since_boot, newest).saturating_add(since_boot)
    }

    /// Beacons need gaps that do not jump, so the estimate moves only when it must.
    fn boot_before(&mut self, since_boot: i64, newest: bool) -> i64 {
        let latest_boot = self.export.saturating_sub(since_boot);
        match self.boot {
            Boot::Told(boot) => boot,
            Boot::Estimated(boot) if !newest || believable(boot, latest_boot) => boot,
            Boot::Estimated(_) | Boot::Unknown => {
                self.boot = Boot::Estimated(latest_boot);
                latest_boot
            }
        }
    }

    /// Start and end on our clock, within what can be, and in order.
    #[inline]
    pub(super) fn settle(
        &self,
        start: Option<i64>,
        end: Option<i64>,
        duration: i64,
        clamped: &mut Clamped,
    ) -> (Timestamp, Timestamp) {
        let (start, end) = match (start, end) {
            (Some(start), Some(end)) => (self.bound(start, clamped), self.bound(end, clamped)),
            (Some(start), None) => self.began(self.bound(start, clamped), duration, clamped),
            (None, Some(end)) => self.ended(self.bound(end, clamped), duration),
            (None, None) => self.ended(self.received, duration),
        };
        if end < start {
            clamped.reversed = clamped.reversed.saturating_add(1);
            return (Timestamp::from_micros(start), Timestamp::from_micros(start));
        }
        (Timestamp::from_micros(start), Timestamp::from_micros(end))
    }

    fn began(&self, start: i64, duration: i64, clamped: &mut Clamped) -> (i64, i64) {
        let end = start.saturating_add(duration).saturating_sub(self.shift);
        (start, self.bound(end, clamped))
    }

    fn ended(&self, end: i64, duration: i64) -> (i64, i64) {
        (end.saturating_sub(duration).max(self.earliest.saturating_add(self.shift)).min(end), end)
    }

    #[inline]
    fn bound(&self, time: i64, clamped: &mut Clamped) -> i64 {
        let kept = if time > self.latest {
            clamped.future = clamped.future.saturating_add(1);
            self.export
        } else if time < self.earliest {
            clamped.past = clamped.past.saturating_add(1);
            self.earliest
        } else {
            time
        };
        kept.saturating_add(self.shift)
    }
}

const fn believable(boot: i64, latest_boot: i64) -> bool {
    latest_boot >= boot && latest_boot - boot < ANOTHER_BOOT_US
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORT: i64 = 1_700_000_000_000_000;

    fn clock(uptime_ms: Option<u32>) -> Clock {
        let received = Timestamp::from_micros(EXPORT + 1_000);
        Clock::new(&Limits::default(), received, EXPORT, uptime_ms, &mut Clamped::default())
    }

    #[test]
    fn uptime_wraps() {
        assert_eq!(clock(Some(5_000)).at_uptime(2_000, true), EXPORT - 3_000_000);
        assert_eq!(clock(Some(1_000)).at_uptime(u64::from(u32::MAX), true), EXPORT - 1_001_000);
        assert_eq!(clock(Some(1_000)).at_uptime(2_500, true), EXPORT + 1_500_000);
    }

    #[test]
    fn boot_is_estimated_once_and_moves_only_when_it_must() {
        let mut clock = clock(None);
        assert_eq!(clock.at_uptime(100_000, true), EXPORT);
        assert_eq!(clock.at_uptime(78_000, true), EXPORT - 22_000_000);
        assert_eq!(clock.at_uptime(50_000, false), EXPORT - 50_000_000);
        assert_eq!(clock.at_uptime(100_500, true), EXPORT, "ended after its export: the boot was earlier");
        assert_eq!(clock.at_uptime(100_000, true), EXPORT - 500_000);
        assert_eq!(clock.at_uptime(7, true), EXPORT - 100_493_000, "within ten minutes it is the same boot");
        assert_eq!(clock.at_uptime(2_000_000_000, true), EXPORT);
        assert_eq!(clock.at_uptime(7, true), EXPORT, "another boot");
    }

    #[test]
    fn ntp_of_both_eras() {
        assert_eq!(from_ntp(u64::try_from(NTP_TO_UNIX).expect("positive") << 32 | 1 << 31), 500_000);
        assert_eq!(from_ntp(0), 2_085_978_496_000_000, "2036-02-07T06:28:16Z");
    }

    #[test]
    fn impossible_times_are_clamped_and_counted() {
        let clock = clock(None);
        let mut clamped = Clamped::default();
        let (start, end) = clock.settle(Some(0), Some(i64::MAX), 0, &mut clamped);
        assert_eq!((start.as_micros(), end.as_micros()), (EXPORT - 30 * 86_400_000_000, EXPORT));
        clock.settle(Some(EXPORT), Some(EXPORT - 1), 0, &mut clamped);
        assert_eq!(clamped, Clamped { skewed_messages: 0, future: 1, past: 1, reversed: 1 });
        let (start, end) = clock.settle(None, None, 5, &mut clamped);
        assert_eq!((start.as_micros(), end.as_micros()), (EXPORT + 995, EXPORT + 1_000), "time of receipt");
    }

    #[test]
    fn a_clock_that_is_hours_off_is_moved_to_ours() {
        let received = Timestamp::from_micros(EXPORT + 9 * 3_600_000_000);
        let mut clamped = Clamped::default();
        let clock = Clock::new(&Limits::default(), received, EXPORT, None, &mut clamped);
        assert_eq!(clamped.skewed_messages, 1);
        let (start, end) = clock.settle(Some(EXPORT - 7), None, 3, &mut clamped);
        assert_eq!((received.as_micros() - start.as_micros(), received.as_micros() - end.as_micros()), (7, 4));
    }
}
