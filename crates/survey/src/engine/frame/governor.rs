//! Slower when answers are lost. Speed that costs answers is no speed.
//!
//! Some who answered are asked again, a few a second ([`super::sender`]). While they go on answering, everything is well.
//! When fewer of them do, this machine has no room for what comes in, or many routers say that probes are not permitted,
//! the pace is halved; after a while without any of that it rises again by a quarter. Each change is told with its reason. Only the total is slowed down; the limits of the
//! scope hold all the while.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hinomi_model::ServiceKey;
use tokio::time::Instant;

use super::shared::Shared;
use crate::metrics::Metrics;
use crate::pace::Pace;

/// Who is asked again, at most.
const MAX_CANARIES: usize = 64;
/// Canaries that must have been asked before anything is said about them.
const ENOUGH: usize = 12;
/// The last ones that count.
const WINDOW: usize = 48;
/// Slowed down when fewer than this part answer.
const POOR: f64 = 0.75;
/// Made faster when at least this part answers.
const GOOD: f64 = 0.9;
/// How long to look before the pace rises.
const PATIENCE: Duration = Duration::from_secs(4);
/// A canary is judged after so long.
const JUDGED_AFTER: Duration = Duration::from_millis(1_500);
/// Answers of one canary that come closer together are repetitions.
const REPEATED_WITHIN: Duration = Duration::from_millis(500);
/// Canaries that miss so often in a row are gone, and others take their place.
const GONE: u8 = 8;
const SLOWEST: f64 = 0.01;
/// Routers that say in one look that a probe is not permitted, at least, before anything is done about it.
const MANY_SAY_NO: u64 = 24;
/// And at least one for so many probes.
const SAY_NO_SHARE: u64 = 20;
/// Who says no goes on saying so at any pace: for that alone it is not made slower than this.
const SLOWEST_TOLD: f64 = 0.125;

/// See the module.
pub(super) struct Governor {
    pace: Arc<Pace>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    share: f64,
    changed: Instant,
    answered: Vec<Option<Instant>>,
    missed: Vec<u8>,
    judged: VecDeque<bool>,
    /// Who said since the last look that a probe is not permitted.
    said_no: u64,
    /// How far probes had been sent at the last look.
    sent: u64,
}

impl Governor {
    pub(super) fn new(pace: Arc<Pace>, metrics: Arc<Metrics>, shared: Arc<Shared>) -> Self {
        let (answered, missed) = (Vec::new(), Vec::new());
        let (changed, sent) = (Instant::now(), shared.sent());
        let judged = VecDeque::new();
        Self { pace, metrics, shared, share: 1.0, changed, answered, missed, judged, said_no: 0, sent }
    }

    /// Somebody answered who may be asked again; one target of a host is enough.
    pub(super) fn offer(&mut self, key: ServiceKey) {
        let is_full = self.answered.len() >= MAX_CANARIES && self.missed.iter().all(|missed| *missed < GONE);
        if is_full || self.shared.canaries().iter().any(|canary| canary.address == key.address) {
            return;
        }
        if self.answered.len() < MAX_CANARIES {
            self.shared.canaries().push(key);
            self.answered.push(None);
            self.missed.push(0);
            return;
        }
        if let Some(place) = self.missed.iter().position(|missed| *missed >= GONE) {
            self.replace(place, key);
        }
    }

    fn replace(&mut self, place: usize, key: ServiceKey) {
        if let Some(canary) = self.shared.canaries().get_mut(place) {
            *canary = key;
        }
        if let (Some(missed), Some(answered)) = (self.missed.get_mut(place), self.answered.get_mut(place)) {
            (*missed, *answered) = (0, None);
        }
    }

    /// A canary answered: whether for the first time in a while; none when it is not the one that was asked.
    pub(super) fn answered(&mut self, number: u32, key: ServiceKey, now: Instant) -> Option<bool> {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let is_known = self.shared.canaries().get(place) == Some(&key);
        let answered = self.answered.get_mut(place).filter(|_| is_known)?;
        let before = answered.replace(now);
        Some(before.is_none_or(|before| now.duration_since(before) >= REPEATED_WITHIN))
    }

    /// The same where the answer does not tell which one it is.
    pub(super) fn answered_by(&mut self, key: ServiceKey, now: Instant) -> Option<bool> {
        let place = self.shared.canaries().iter().position(|canary| *canary == key)?;
        self.answered(u32::try_from(place).ok()?, key, now)
    }

    /// Somebody said that a probe is not permitted.
    pub(super) const fn not_permitted(&mut self) {
        self.said_no += 1;
    }

    /// Whether many of those who were probed since the last look said no; `sent` is how far probes have been sent.
    fn many_said_no(&mut self, sent: u64) -> bool {
        let probes = sent.saturating_sub(std::mem::replace(&mut self.sent, sent));
        let said_no = std::mem::take(&mut self.said_no);
        said_no >= MANY_SAY_NO && said_no.saturating_mul(SAY_NO_SHARE) >= probes
    }

    /// Judges canaries that were asked at these moments, what was lost here meanwhile, and what routers said.
    pub(super) fn judge(&mut self, dropped: u64, sent: u64, now: Instant) {
        let many_said_no = self.many_said_no(sent);
        for (place, asked) in self.shared.take_asked(now - JUDGED_AFTER) {
            let answer = self.answered.get(place).copied().flatten();
            let came = answer.is_some_and(|answer| answer >= asked);
            let Some(missed) = self.missed.get_mut(place) else { continue };
            *missed = if came { 0 } else { missed.saturating_add(1) };
            // Who is gone says nothing about the way.
            if *missed < GONE {
                self.judged.push_back(came);
            }
        }
        while self.judged.len() > WINDOW {
            self.judged.pop_front();
        }
        match self.ratio() {
            _ if dropped > 0 => self.slow("slowed down: this machine had no room for answers", now),
            _ if many_said_no => {
                if self.share > SLOWEST_TOLD {
                    self.slow("slowed down: many routers say that probes are not permitted", now);
                }
                self.changed = now;
            }
            Some(ratio) if ratio < POOR => self.slow("slowed down: fewer answers from those who answered before", now),
            Some(ratio) if ratio < GOOD => {}
            _ => self.recover(now),
        }
    }

    fn ratio(&self) -> Option<f64> {
        let answered = self.judged.iter().filter(|came| **came).count();
        #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
        (self.judged.len() >= ENOUGH).then(|| answered as f64 / self.judged.len() as f64)
    }

    fn slow(&mut self, reason: &str, now: Instant) {
        self.set(self.share / 2.0, now);
        self.metrics.reason(reason);
        tracing::info!(rate_pps = self.pace.total_pps(), "{reason}");
        // What was asked at the old pace says nothing about the new one.
        self.judged.clear();
    }

    fn recover(&mut self, now: Instant) {
        if self.share < 1.0 && now.duration_since(self.changed) >= PATIENCE {
            self.set(self.share * 1.25, now);
        }
    }

    fn set(&mut self, share: f64, now: Instant) {
        self.share = share.clamp(SLOWEST, 1.0);
        self.changed = now;
        self.pace.slow_to(self.share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hinomi_model::Transport;
    use hinomi_model::scope::Rate;

    fn rate() -> Rate {
        Rate { total_pps: 1_000, per_prefix_pps: 1_000, per_host_pps: 1_000, per_host_connections: 1 }
    }

    fn key(number: u8) -> ServiceKey {
        ServiceKey { address: [192, 0, 2, number].into(), port: 80, transport: Transport::Tcp }
    }

    /// Lets seconds pass in which so many of ten canaries answer.
    async fn seconds(governor: &mut Governor, seconds: u32, answer: u8) {
        for _ in 0..seconds {
            let asked = Instant::now();
            (0..10).for_each(|place| governor.shared.asked(place, asked));
            tokio::time::advance(Duration::from_millis(100)).await;
            for number in 0..answer {
                assert_eq!(governor.answered(number.into(), key(number), Instant::now()), Some(true));
            }
            tokio::time::advance(Duration::from_millis(900)).await;
            governor.judge(0, 0, Instant::now());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn loss_slows_down_and_its_end_speeds_up() {
        let pace = Arc::new(Pace::new(rate()));
        let metrics = Arc::new(Metrics::default());
        let mut governor = Governor::new(Arc::clone(&pace), Arc::clone(&metrics), Arc::new(Shared::empty()));
        (0..10).for_each(|number| governor.offer(key(number)));
        seconds(&mut governor, 6, 10).await;
        assert_eq!(pace.total_pps(), 1_000, "all is well");
        seconds(&mut governor, 6, 4).await;
        let slow = pace.total_pps();
        assert!(slow <= 500, "{slow}");
        assert!(metrics.counts().by_reason.keys().any(|reason| reason.starts_with("slowed down: fewer")));
        seconds(&mut governor, 60, 10).await;
        assert_eq!(pace.total_pps(), 1_000);
        governor.judge(5, 0, Instant::now());
        assert_eq!(pace.total_pps(), 500, "answers were lost here");
        assert_eq!(governor.answered(3, key(4), Instant::now()), None, "not who was asked");
        assert!(governor.answered(3, key(3), Instant::now()).is_some());
        assert_eq!(governor.answered(3, key(3), Instant::now()), Some(false), "the same once more");
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_say_no_slow_down_to_an_eighth_and_no_further() {
        let pace = Arc::new(Pace::new(rate()));
        let metrics = Arc::new(Metrics::default());
        let mut governor = Governor::new(Arc::clone(&pace), Arc::clone(&metrics), Arc::new(Shared::empty()));
        let mut look = |sent: u64, said_no: u64| {
            (0..said_no).for_each(|_| governor.not_permitted());
            governor.judge(0, sent, Instant::now());
            pace.total_pps()
        };
        assert_eq!(look(100, 23), 1_000, "few");
        assert_eq!(look(1_100, 49), 1_000, "less than one in twenty");
        assert_eq!(look(2_100, 50), 500);
        assert_eq!([look(2_200, 50), look(2_300, 50), look(2_400, 50)], [250, 125, 125]);
        assert!(metrics.counts().by_reason.keys().any(|reason| reason.starts_with("slowed down: many routers")));
        tokio::time::advance(PATIENCE).await;
        assert!(look(2_500, 0) > 125, "and faster again");
    }

    #[tokio::test(start_paused = true)]
    async fn canaries_that_are_gone_say_nothing_and_are_replaced() {
        let pace = Arc::new(Pace::new(rate()));
        let shared = Arc::new(Shared::empty());
        let mut governor = Governor::new(Arc::clone(&pace), Arc::new(Metrics::default()), Arc::clone(&shared));
        (0..64).for_each(|number| governor.offer(key(number)));
        for _ in 0..20 {
            let asked = Instant::now();
            (0..64).for_each(|place| shared.asked(place, asked));
            for number in 6..64 {
                governor.answered(u32::from(number), key(number), Instant::now());
            }
            tokio::time::advance(Duration::from_secs(2)).await;
            governor.judge(0, 0, Instant::now());
        }
        assert_eq!(pace.total_pps(), 1_000, "six that died are no loss of answers");
        governor.offer(key(200));
        assert!(shared.canaries().contains(&key(200)));
    }
}
