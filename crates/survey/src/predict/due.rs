//! Which known services are due to be looked at again.
//!
//! A service is due when the chance that it has gone since somebody last looked, weighed with how much it matters,
//! reaches a quarter; and in any case after [`Settings::oldest`]. So what ends fast or is dangerous is looked at often,
//! what is lasting and harmless seldom. Plant, building and energy control is asked at most once a week, whatever it
//! says. What was asked in vain has the rest that silence has: [`Settings::silent`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::time::Duration;

use hinomi_model::{ServiceKey, Severity, Timestamp};
use serde::{Serialize, Serializer};

use super::asked::Asked;
use super::ground::Ground;
use super::known::Known;
use super::lifetime::{Ends, Group, Lifetimes};
use super::{MAX_PROPOSED, Settings, port_of};

/// Chance of having gone times weight at which a service is due.
const DUE: f64 = 0.25;

/// No service is looked at more often than this, however dangerous.
const SOONEST: Duration = Duration::from_secs(3_600);

/// The same for plant, building and energy control.
const SOONEST_PLANT: Duration = Duration::from_secs(7 * 86_400);

/// How much a service matters by its tags: the severest counts.
pub fn severity<'a>(tags: impl IntoIterator<Item = &'a str>) -> Severity {
    let of = |tag: &str| match tag {
        "known-exploited" => Severity::Critical,
        "shell-open" | "anonymous" => Severity::High,
        "telnet-open" | "recursion" | "default-certificate" => Severity::Medium,
        "metrics-open" | "tells-modules" | "old-tls" | "expired" => Severity::Low,
        _ => Severity::Info,
    };
    tags.into_iter().map(of).max().unwrap_or(Severity::Info)
}

const fn weight(severity: Severity) -> f64 {
    match severity {
        Severity::Info => 1.0,
        Severity::Low => 1.5,
        Severity::Medium => 2.0,
        Severity::High => 4.0,
        Severity::Critical => 8.0,
    }
}

/// A service that is due.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Due {
    /// Which.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// Chance that it has gone since somebody last looked, from 0 to 1.
    pub gone: f64,
    /// The same times how much it matters: what the list is ordered by.
    pub weight: f64,
    /// Since when it is due.
    pub since: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// Why a service is due; its text is for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    age: Duration,
    ends: Ends,
    severity: Severity,
    missed: bool,
    plant: bool,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = if self.missed { "asked in vain" } else { "last seen" };
        write!(f, "{asked} {} ago; ", Span(self.age))?;
        match &self.ends.group {
            Group::All => f.write_str("services")?,
            // A kind is a word of ours or the name of a protocol, neither of which can hold anything else.
            Group::Kind(kind) => write!(f, "{kind} services")?,
            Group::Port(port) => {
                let (transport, port) = port_of(*port);
                write!(f, "services at {port}/{transport}")?;
            }
            Group::Network(..) => f.write_str("services of this network")?,
        }
        write!(f, " last {} ({} ends seen)", Span(self.ends.mean()), self.ends.ends)?;
        if self.severity > Severity::Info {
            write!(f, "; severity {}", format!("{:?}", self.severity).to_lowercase())?;
        }
        f.write_str(if self.plant { "; plant, asked gently" } else { "" })
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A length of time as people say it.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..7_200 => write!(f, "{} min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}

/// Takes every known service and keeps those that are due most.
pub struct Schedule<'a> {
    lifetimes: &'a Lifetimes<'a>,
    asked: &'a [Asked],
    ground: &'a Ground,
    settings: Settings,
    now: Timestamp,
    best: BinaryHeap<Reverse<Ranked>>,
    many: u64,
}

#[derive(Clone, Debug)]
struct Ranked(Due);

impl Ranked {
    const fn order(&self) -> (u64, Reverse<Timestamp>, ServiceKey) {
        (self.0.weight.to_bits(), Reverse(self.0.since), self.0.key)
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Ranked {}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<'a> Schedule<'a> {
    /// What is due at this moment, on this ground.
    pub const fn new(
        lifetimes: &'a Lifetimes<'a>,
        asked: &'a [Asked],
        ground: &'a Ground,
        settings: Settings,
        now: Timestamp,
    ) -> Self {
        Self { lifetimes, asked, ground, settings, now, best: BinaryHeap::new(), many: 0 }
    }

    /// Takes a service; the order does not matter.
    pub fn take(&mut self, service: &Known) {
        if !self.ground.permits(service.key) {
            return;
        }
        let Some(due) = self.due(service) else { return };
        self.many += 1;
        self.best.push(Reverse(Ranked(due)));
        if self.best.len() > self.settings.limit.min(MAX_PROPOSED) {
            self.best.pop();
        }
    }

    fn due(&self, service: &Known) -> Option<Due> {
        let asked = self.asked.iter().filter(|asked| asked.holds(service.key)).map(|asked| asked.ended).max();
        let looked = asked.map_or(service.last_seen, |asked| asked.max(service.last_seen));
        let missed = super::lifetime::missed_at(self.asked, service).is_some();
        let ends = self.lifetimes.of(service);
        let weight = weight(service.severity);
        let age = self.now.since(looked);
        let after = self.after(service, &ends, weight, missed);
        if age < after {
            return None;
        }
        let gone = 1.0 - (-ends.rate * age.as_secs_f64()).exp();
        let since = looked.plus(after);
        let reason = Reason { age, ends, severity: service.severity, missed, plant: service.plant };
        Some(Due { key: service.key, gone, weight: gone * weight, since, reason })
    }

    /// How long after somebody looked a service is due again.
    fn after(&self, service: &Known, ends: &Ends, weight: f64, missed: bool) -> Duration {
        if missed {
            return self.settings.silent;
        }
        let soonest = if service.plant { SOONEST_PLANT } else { SOONEST };
        let seconds = -(1.0 - DUE / weight).ln() / ends.rate;
        let after = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        after.min(self.settings.oldest).max(soonest)
    }

    /// Those that are due most, in order, and how many are due in all.
    pub fn finish(self) -> (Vec<Due>, u64) {
        let sorted = self.best.into_sorted_vec();
        (sorted.into_iter().map(|Reverse(Ranked(due))| due).collect(), self.many)
    }
}
