//! Clients that come by the clock.
//!
//! Four signs, of which the strongest of each kind over all clients counts:
//!
//! - *regular*: gaps gather around one length, more than a person's or a burst's do. Gaps of all clients are pooled,
//!   so many clients with few visits each tell as much as one with many (aggregated beacons, ACSAC 2023);
//! - *period*: the spectrum has a line that shuffled times do not reach and the autocorrelation confirms
//!   ([`super::spectrum`]), for timers that a gap does not show: several at once, with jitter or loss;
//! - *failed*: connections in vain, one after another at equal gaps, while the server is down or refuses: what devices
//!   of a botnet do whose server was taken, and what few lawful programs keep up;
//! - *keep-alive*: a line open for many minutes on which next to nothing passes.
//!
//! That times are regular can be certain and still say little: push services, time servers and updaters are regular
//! too. The ratios are therefore bounded by how often harmless servers show the same, not by the significance of the
//! test.

use super::rhythm::{self, Rhythm};
use super::spectrum;
use super::statistics::{along, as_f64, ln_binomial_tail, quantile, seconds, sorted};
use super::view::{self, Pair, ServerView};
use super::{Code, Evidence};
use crate::server::Contact;

/// Gaps within this part of the commonest gap are the same gap.
const SAME_GAP: f64 = 0.15;
/// Chance that a gap of a random or bursty train lies that near a given centre (log-normal with deviation 1.5: 0.08;
/// the exponential: 0.11; rounded up, for the centre is chosen after looking).
const CHANCE_OF_SAME: f64 = 0.15;
/// Gaps beyond this are not looked at: a day.
const LONGEST_GAP_SECONDS: f64 = 86_400.0;
/// Gaps below this are retries of one visit or a page with its parts.
const SHORTEST_GAP_SECONDS: f64 = 2.0;
/// Clients whose spectrum is computed, those with most visits.
const PAIRS_BY_SPECTRUM: usize = 3;
/// Connections in vain in a row that are needed.
const MIN_FAILED_RUN: usize = 4;
/// A line this long is kept open on purpose.
const LONG_SECONDS: f64 = 600.0;
/// Retries of one connection by the operating system stop within about two minutes; a run must outlive them.
const MIN_FAILED_SPAN_SECONDS: f64 = 60.0;

/// Certainty that gaps are regular (-ln p) against what it says: harmless servers reach it in about one of twenty
/// cases.
const REGULAR: [(f64, f64); 4] = [(4.0, 0.0), (8.0, 0.8), (14.0, 1.6), (30.0, 2.4)];
/// Autocorrelation at the period.
const PERIOD: [(f64, f64); 4] = [(0.2, 0.0), (0.4, 0.8), (0.7, 1.6), (1.0, 2.2)];
/// Length of the run of connections in vain.
const FAILED: [(f64, f64); 5] = [(3.0, 0.0), (4.0, 2.0), (6.0, 4.0), (12.0, 4.8), (40.0, 5.3)];
/// Bytes a second on a long line, falling: the inverse is looked up.
const QUIET: [(f64, f64); 3] = [(0.002, 0.0), (0.02, 1.4), (0.1, 2.6)];

/// Signs of beacons to this server.
pub(crate) fn look(server: &ServerView) -> Vec<Evidence> {
    [regular(server), period(server), failed(server), keep_alive(server)].into_iter().flatten().collect()
}

fn usable(gap: &f64) -> bool {
    (SHORTEST_GAP_SECONDS..LONGEST_GAP_SECONDS).contains(gap)
}

/// Pooled gaps of all clients around their commonest length.
fn regular(server: &ServerView) -> Option<Evidence> {
    let all: Vec<f64> = server.pairs.iter().flat_map(Pair::gaps).collect();
    let gaps = sorted(all.into_iter().filter(usable));
    let (center, near) = commonest(&gaps);
    if near < rhythm::MIN_GAPS {
        return None;
    }
    // A centre chosen by looking costs as many tries as there are places for it.
    let tries = as_f64(gaps.len()).ln();
    let certainty = -ln_binomial_tail(near as u64, gaps.len() as u64, CHANCE_OF_SAME) - tries;
    let clients = server.pairs.iter().filter(|pair| visits_at(pair, center)).count();
    let shape = best_rhythm(server).map_or(0.0, |rhythm| rhythm.score());
    // What only part of the gaps shows says less, however certain it is.
    let part = as_f64(near) / as_f64(gaps.len());
    let ratio = along(&REGULAR, certainty) * along(&[(0.15, 0.0), (0.6, 1.0)], part);
    let ratio = (ratio * trusted(server) + shared_by(clients)).min(3.0);
    let values = [("score", shape), ("gap_seconds", center), ("sessions", as_f64(near)), ("clients", as_f64(clients))];
    (along(&REGULAR, certainty) > 0.0).then(|| Evidence::new(Code::BeaconRegular, ratio, &values))
}

/// The middle of the gaps around that with most others near it, and how many those are.
fn commonest(sorted: &[f64]) -> (f64, usize) {
    let mut best = (0.0, 0);
    let mut low = 0;
    let mut high = 0;
    for center in sorted {
        while sorted.get(low).is_some_and(|gap| *gap < center * (1.0 - SAME_GAP)) {
            low += 1;
        }
        while sorted.get(high).is_some_and(|gap| *gap <= center * (1.0 + SAME_GAP)) {
            high += 1;
        }
        if high - low > best.1 {
            best = (quantile(sorted.get(low..high).unwrap_or_default(), 0.5), high - low);
        }
    }
    best
}

fn visits_at(pair: &Pair, center: f64) -> bool {
    pair.gaps().iter().filter(|gap| (*gap - center).abs() <= center * SAME_GAP).count() >= 2
}

/// Several clients with the same clock: not one person's habit.
fn shared_by(clients: usize) -> f64 {
    along(&[(1.0, 0.0), (3.0, 0.4), (10.0, 0.8)], as_f64(clients))
}

fn best_rhythm(server: &ServerView) -> Option<Rhythm> {
    let (from, to) = (seconds(server.first.as_micros()), seconds(server.last.as_micros()));
    let all = server.pairs.iter().filter_map(|pair| rhythm::of(pair, from, to));
    all.max_by(|one, other| one.score().total_cmp(&other.score()))
}

/// A period in the times of the client with most visits.
fn period(server: &ServerView) -> Option<Evidence> {
    let mut busiest: Vec<&Pair> = server.pairs.iter().collect();
    busiest.sort_by_key(|pair| std::cmp::Reverse(pair.contacts.len()));
    let found: Vec<_> = busiest
        .iter()
        .take(PAIRS_BY_SPECTRUM)
        .filter_map(|pair| spectrum::periods(&pair.starts(), server.seed()).first().copied())
        .collect();
    let best = found.iter().max_by(|one, other| one.strength.total_cmp(&other.strength))?;
    let agreeing = found.iter().filter(|other| (other.seconds - best.seconds).abs() <= best.seconds * SAME_GAP).count();
    let ratio = along(&PERIOD, best.strength) * trusted(server) + shared_by(agreeing);
    let values = [("period_seconds", best.seconds), ("strength", best.strength), ("clients", as_f64(agreeing))];
    (best.strength > 0.2).then(|| Evidence::new(Code::BeaconPeriod, ratio, &values))
}

/// The longest run of connections in vain at equal gaps.
fn failed(server: &ServerView) -> Option<Evidence> {
    if server.remote.protocol != 6 {
        return None;
    }
    let runs: Vec<(usize, f64)> = server.pairs.iter().filter_map(|pair| failed_run(&pair.contacts)).collect();
    let (run, gap) = runs.iter().copied().max_by_key(|(run, _)| *run)?;
    let clients = runs.len();
    let ratio = (along(&FAILED, as_f64(run)) * answer_visible(server) + shared_by(clients)).min(5.3);
    let values = [("gap_seconds", gap), ("run", as_f64(run)), ("clients", as_f64(clients))];
    Some(Evidence::new(Code::BeaconFailed, ratio, &values))
}

/// How many connections in vain follow one another at about equal gaps, and the gap.
fn failed_run(contacts: &[Contact]) -> Option<(usize, f64)> {
    let mut best: Option<(usize, f64)> = None;
    for stretch in contacts.split(|contact| !view::in_vain(contact)) {
        let starts: Vec<f64> = stretch.iter().map(view::start_seconds).collect();
        let gaps = view::differences(&starts);
        let all = sorted(gaps.iter().copied().filter(usable));
        let (center, near) = commonest(&all);
        // A back-off that doubles is an operating system's own; equal gaps are a program's loop.
        let span = as_f64(near) * center;
        let enough = near + 1 >= MIN_FAILED_RUN && span >= MIN_FAILED_SPAN_SECONDS && near * 2 > all.len();
        if enough && best.is_none_or(|(run, _)| near + 1 > run) {
            best = Some((near + 1, center));
        }
    }
    best
}

/// Long lines on which little passes. The quieter the line, the more it says.
fn keep_alive(server: &ServerView) -> Option<Evidence> {
    let sampling = f64::from(server.seen.sampling);
    let mut quietest: Vec<(f64, f64)> = Vec::new();
    let mut clients = 0;
    for pair in &server.pairs {
        let long = pair.contacts.iter().filter(|contact| view::duration_seconds(contact) >= LONG_SECONDS);
        let rates = long.map(|contact| {
            let bytes = f64::from(contact.bytes_out) + f64::from(contact.bytes_back);
            (bytes * sampling / view::duration_seconds(contact), view::duration_seconds(contact))
        });
        let before = quietest.len();
        quietest.extend(rates);
        clients += usize::from(quietest.len() > before);
    }
    let rate = quantile(&sorted(quietest.iter().map(|(rate, _)| *rate)), 0.5);
    let duration = quantile(&sorted(quietest.iter().map(|(_, duration)| *duration)), 0.5);
    let ratio = along(&QUIET, 1.0 / rate.max(1e-3));
    let values = [("duration_seconds", duration), ("bytes_per_second", rate), ("clients", as_f64(clients))];
    (!quietest.is_empty() && ratio > 0.0)
        .then(|| Evidence::new(Code::BeaconKeepAlive, ratio + shared_by(clients) / 2.0, &values))
}

/// Lost visits make gaps longer: what is left of the trust in gaps when one visit is seen with that chance.
fn trusted(server: &ServerView) -> f64 {
    server.visit_seen().sqrt()
}

/// That no answer was seen means little when most packets are not looked at.
fn answer_visible(server: &ServerView) -> f64 {
    server.seen.chance(3.0)
}

#[cfg(test)]
mod tests;
