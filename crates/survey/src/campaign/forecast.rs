//! What a campaign will do, told before it starts: packets, time and load by prefix.
//!
//! Pure arithmetic over the scope, the ports asked for and the opt-out list of the moment; nothing is sent. Packets have
//! three figures, for what a range holds is not known before:
//!
//! - *least*: every target refuses at once, one attempt each;
//! - *silent*: nothing answers, and every attempt is made;
//! - *most*: everything is there, answers at the last attempt, is taken back each time (frames answer with a reset), and
//!   takes every handshake that a grab may make; a twentieth more is asked of hosts known to answer (canaries).
//!
//! A packet is what the ledger counts: one connection or one datagram.

mod list;

use std::collections::BTreeMap;
use std::time::Duration;

use hinomi_model::address::{bounds, from_u128};
use hinomi_model::scope::{Probe, Rate, Scope, reserved_in};
use hinomi_model::{Timestamp, Transport};
use ipnet::IpNet;
use serde::Serialize;

use crate::config::Config;
use crate::error::SurveyError;
use crate::grab::hints;
use crate::sweep::SweepError;

/// The most prefixes that a forecast names.
pub const MAX_NAMED: usize = 16;

/// What is left of a scope's addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// In the ranges of the scope, overlaps counted once.
    pub named: u64,
    /// On the opt-out list.
    pub opted_out: u64,
    /// In special-purpose blocks that the scope does not name.
    pub reserved: u64,
    /// Excluded by the scope itself.
    pub excluded: u64,
    /// Those that may be probed.
    pub left: u64,
}

/// Least, silent and most, as in the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Packets {
    /// Every target refuses at once.
    pub least: u64,
    /// Nothing answers.
    pub silent: u64,
    /// Everything is there and is asked everything.
    pub most: u64,
}

impl Packets {
    const fn plus(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_add(other.least),
            silent: self.silent.saturating_add(other.silent),
            most: self.most.saturating_add(other.most),
        }
    }

    /// The greater of each figure.
    fn max(self, other: Self) -> Self {
        Self {
            least: self.least.max(other.least),
            silent: self.silent.max(other.silent),
            most: self.most.max(other.most),
        }
    }

    const fn times(self, factor: u64) -> Self {
        Self {
            least: self.least.saturating_mul(factor),
            silent: self.silent.saturating_mul(factor),
            most: self.most.saturating_mul(factor),
        }
    }
}

/// The rate of the scope that decides how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// `rate.total_pps`.
    Total,
    /// `rate.per_prefix_pps`.
    Prefix,
    /// `rate.per_host_pps`.
    Host,
}

/// How long a number of packets takes at the scope's rates, if every prefix is worked on at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Time {
    /// Seconds of sending.
    pub sending_s: u64,
    /// Seconds of the calendar, with the hours in which nothing may be sent.
    pub calendar_s: u64,
    /// Which rate binds.
    pub limit: Limit,
}

/// What one prefix is in for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Load {
    /// A /24 or /48.
    pub prefix: IpNet,
    /// Its addresses that may be probed.
    pub addresses: u64,
    /// Packets towards it over the whole campaign.
    pub packets: Packets,
    /// Packets a second on average, if nothing answers.
    pub average_pps: f64,
    /// Packets a second that are never exceeded.
    pub ceiling_pps: u32,
}

/// Everything that is told before a campaign starts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// What is left to probe.
    pub addresses: Addresses,
    /// Addresses times ports that the scope permits, or the targets of a list.
    pub targets: u64,
    /// Ports asked for that the scope does not permit: nothing is sent to them.
    pub ports_refused: usize,
    /// Over all targets.
    pub packets: Packets,
    /// Attempts at a silent target.
    pub attempts: u32,
    /// Connections that a grab may make to one service.
    pub handshakes: u32,
    /// If every target refuses at once.
    pub time_least: Time,
    /// If nothing answers.
    pub time_silent: Time,
    /// If everything is there.
    pub time_most: Time,
    /// How many /24 or /48 are touched.
    pub prefixes: u64,
    /// Those with most packets, at most [`MAX_NAMED`]; the first is the maximum.
    pub heaviest: Vec<Load>,
    /// Whether it can be over before the scope ends, if nothing answers.
    pub fits: bool,
}

impl Forecast {
    /// Reckons what a campaign under this scope would do if it started now.
    ///
    /// # Errors
    /// When nothing is left to probe.
    pub fn new(
        scope: &Scope,
        ports: &[(Transport, u16)],
        opt_out: &[IpNet],
        config: &Config,
        now: Timestamp,
    ) -> Result<Self, SurveyError> {
        let (addresses, left) = addresses(scope, opt_out);
        let each: Vec<Packets> = ports.iter().filter_map(|port| of_port(scope, *port, config)).collect();
        let of_address = each.iter().copied().fold(Packets::default(), Packets::plus);
        if addresses.left == 0 || each.is_empty() {
            return Err(SweepError::Empty.into());
        }
        let by_prefix = Prefixes::of(&left);
        let sums = Sums {
            total: of_address.times(addresses.left),
            prefix: of_address.times(by_prefix.fullest()),
            host: of_address,
        };
        let heaviest = by_prefix.heaviest();
        let loads = heaviest.into_iter().map(|(prefix, count)| (prefix, count, of_address.times(count)));
        let targets = addresses.left.saturating_mul(as_u64(each.len()));
        let base = Self::reckoned(scope, config, now, &sums, loads);
        Ok(Self { addresses, targets, ports_refused: ports.len() - each.len(), prefixes: by_prefix.count, ..base })
    }

    /// What follows from sums of packets.
    fn reckoned(
        scope: &Scope,
        config: &Config,
        now: Timestamp,
        sums: &Sums,
        loads: impl Iterator<Item = (IpNet, u64, Packets)>,
    ) -> Self {
        let time = |pick: fn(&Packets) -> u64| time(scope, (pick(&sums.total), pick(&sums.prefix), pick(&sums.host)));
        let (time_least, time_silent, time_most) = (time(|p| p.least), time(|p| p.silent), time(|p| p.most));
        let starts = now.max(scope.valid_from);
        let load = |(prefix, addresses, packets): (IpNet, u64, Packets)| Load {
            prefix,
            addresses,
            packets,
            average_pps: as_f64(packets.silent) / as_f64(time_silent.sending_s.max(1)),
            ceiling_pps: scope.rate.per_prefix_pps.min(scope.rate.total_pps),
        };
        Self {
            addresses: Addresses::default(),
            targets: 0,
            ports_refused: 0,
            packets: with_canaries(sums.total),
            attempts: config.attempts,
            handshakes: config.handshakes,
            time_least,
            time_silent,
            time_most,
            prefixes: 0,
            heaviest: loads.map(load).collect(),
            fits: starts.plus(Duration::from_secs(time_silent.calendar_s)) <= scope.valid_until,
        }
    }
}

/// Packets in total, to the prefix that gets most, and to the host that does.
struct Sums {
    total: Packets,
    prefix: Packets,
    host: Packets,
}

/// The addresses that scope and opt-out list leave.
pub(crate) fn left_of(scope: &Scope, opt_out: &[IpNet]) -> Spans {
    addresses(scope, opt_out).1
}

/// Whether the scope lets anything be sent to this port.
pub(crate) fn sends_at(scope: &Scope, port: (Transport, u16), config: &Config) -> bool {
    of_port(scope, port, config).is_some()
}

/// Engines of frames ask hosts that are known to answer again and again, a twentieth of what they send at most.
const fn with_canaries(packets: Packets) -> Packets {
    Packets { most: packets.most.saturating_add(packets.most / 20), ..packets }
}

/// What one address is sent for one port; `None` when the scope permits nothing there.
fn of_port(scope: &Scope, (transport, port): (Transport, u16), config: &Config) -> Option<Packets> {
    let attempts = u64::from(config.attempts.max(1));
    let grab = u64::from(config.handshakes);
    match transport {
        Transport::Tcp => {
            let permitted = scope.tcp.contains(port) && scope.probes.contains(&Probe::Connect);
            permitted.then_some(Packets { least: 1, silent: attempts, most: 2 * attempts + grab })
        }
        Transport::Udp => {
            let probes = as_u64(hints::udp(scope, port).len());
            let permitted = scope.udp.contains(port) && probes > 0;
            // Behind a first answer: one more question, one acknowledgement, and what its description takes.
            permitted.then_some(Packets { least: 1, silent: attempts * probes, most: attempts * probes + grab + 2 })
        }
    }
}

/// Time for so many packets in total, to the fullest prefix, and to one host.
fn time(scope: &Scope, (total, prefix, host): (u64, u64, u64)) -> Time {
    let Rate { total_pps, per_prefix_pps, per_host_pps, .. } = scope.rate;
    let micros = |packets: u64, pps: u32| u128::from(packets) * 1_000_000 / u128::from(pps.max(1));
    let each = [
        (micros(total, total_pps), Limit::Total),
        (micros(prefix, per_prefix_pps), Limit::Prefix),
        (micros(host, per_host_pps), Limit::Host),
    ];
    let slowest = each.iter().fold((0, Limit::Total), |worst, next| if next.0 > worst.0 { *next } else { worst });
    let sending_s = u64::try_from(slowest.0.div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let minutes = u64::from(scope.hours.minutes_a_day().max(1));
    let calendar_s = sending_s.saturating_mul(24 * 60).div_ceil(minutes);
    Time { sending_s, calendar_s, limit: slowest.1 }
}

/// How many addresses each rule leaves, in the order the rules are asked, and which are left.
fn addresses(scope: &Scope, opt_out: &[IpNet]) -> (Addresses, Spans) {
    let named = Spans::of(&scope.ranges);
    let after_opt_out = named.without(&Spans::of(opt_out));
    let mut unreserved = Spans::default();
    let mut earlier = Spans::default();
    // The first range that holds an address decides whether its block is named.
    for range in &scope.ranges {
        let own = Spans::of(&[*range]);
        let fresh = own.without(&earlier).without(&Spans::of(opt_out));
        unreserved = unreserved.with(&fresh.without(&Spans::of(&reserved_in(*range))));
        earlier = earlier.with(&own);
    }
    let left = unreserved.without(&Spans::of(&scope.exclude));
    let counts = Addresses {
        named: named.count(),
        opted_out: named.count().saturating_sub(after_opt_out.count()),
        reserved: after_opt_out.count().saturating_sub(unreserved.count()),
        excluded: unreserved.count().saturating_sub(left.count()),
        left: left.count(),
    };
    (counts, left)
}

/// Sets of addresses: disjoint runs, rising, with the number after the last; IPv6 apart from IPv4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<(bool, u128, u128)>);

impl Spans {
    fn of(prefixes: &[IpNet]) -> Self {
        let runs = IpNet::aggregate(&prefixes.to_vec()).into_iter().map(|prefix| {
            let (first, last) = bounds(prefix);
            (matches!(prefix, IpNet::V6(_)), first, last.saturating_add(1))
        });
        Self(runs.collect()).joined()
    }

    fn joined(mut self) -> Self {
        self.0.sort_unstable();
        let mut joined: Vec<(bool, u128, u128)> = Vec::with_capacity(self.0.len());
        for (is_v6, from, to) in self.0 {
            match joined.last_mut() {
                Some(last) if last.0 == is_v6 && from <= last.2 => last.2 = last.2.max(to),
                _ => joined.push((is_v6, from, to)),
            }
        }
        Self(joined)
    }

    fn with(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).copied().collect()).joined()
    }

    fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut place = 0;
        for (is_v6, from, to) in &self.0 {
            let mut at = *from;
            let before = |run: &(bool, u128, u128)| (run.0, run.2) <= (*is_v6, *from);
            while other.0.get(place).is_some_and(before) {
                place += 1;
            }
            let over = other.0.iter().skip(place).take_while(|run| run.0 == *is_v6 && run.1 < *to);
            for (_, cut_from, cut_to) in over {
                if at < *cut_from {
                    left.push((*is_v6, at, *cut_from));
                }
                at = at.max(*cut_to);
            }
            if at < *to {
                left.push((*is_v6, at, *to));
            }
        }
        Self(left)
    }

    /// The runs.
    pub(crate) fn runs(&self) -> &[(bool, u128, u128)] {
        &self.0
    }

    /// How many of the addresses from this one to before that one are in them.
    pub(crate) fn count_in(&self, is_v6: bool, from: u128, to: u128) -> u64 {
        let first = self.0.partition_point(|(of_v6, _, end)| (*of_v6, *end) <= (is_v6, from));
        let runs = self.0.iter().skip(first).take_while(|(of_v6, start, _)| *of_v6 == is_v6 && *start < to);
        let sum = runs.fold(0_u128, |sum, (_, start, end)| sum.saturating_add(*end.min(&to) - *start.max(&from)));
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    /// Whether an address, as its number, is in them.
    pub(crate) fn hold(&self, is_v6: bool, number: u128) -> bool {
        let after = self.0.partition_point(|(of_v6, from, _)| (*of_v6, *from) <= (is_v6, number));
        let run = after.checked_sub(1).and_then(|at| self.0.get(at));
        run.is_some_and(|(of_v6, _, to)| *of_v6 == is_v6 && number < *to)
    }

    pub(crate) fn count(&self) -> u64 {
        let all = self.0.iter().fold(0_u128, |sum, (_, from, to)| sum.saturating_add(to - from));
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

/// How many addresses each /24 or /48 has: those that are cut into one by one, whole ones as a number.
#[derive(Debug, Default)]
struct Prefixes {
    partial: BTreeMap<(bool, u128), u64>,
    /// First whole prefix of each run, and how many follow one another.
    whole: Vec<(bool, u128, u64)>,
    count: u64,
}

impl Prefixes {
    fn of(spans: &Spans) -> Self {
        let mut prefixes = Self::default();
        for (is_v6, from, to) in &spans.0 {
            let bits = shift(*is_v6);
            let (first_whole, end_whole) = (from.div_ceil(1 << bits), to >> bits);
            if first_whole > end_whole {
                prefixes.add(*is_v6, from >> bits, to - from);
                continue;
            }
            if from >> bits < first_whole {
                prefixes.add(*is_v6, from >> bits, (first_whole << bits) - from);
            }
            if first_whole < end_whole {
                prefixes.whole.push((*is_v6, first_whole, u64::try_from(end_whole - first_whole).unwrap_or(u64::MAX)));
            }
            if end_whole << bits < *to {
                prefixes.add(*is_v6, end_whole, to - (end_whole << bits));
            }
        }
        let whole = prefixes.whole.iter().fold(0_u64, |sum, (_, _, many)| sum.saturating_add(*many));
        prefixes.count = whole.saturating_add(as_u64(prefixes.partial.len()));
        prefixes
    }

    fn add(&mut self, is_v6: bool, prefix: u128, addresses: u128) {
        let addresses = u64::try_from(addresses).unwrap_or(u64::MAX);
        let sum = self.partial.entry((is_v6, prefix)).or_default();
        *sum = sum.saturating_add(addresses);
    }

    fn fullest(&self) -> u64 {
        let whole = self.whole.iter().map(|(is_v6, _, _)| size(*is_v6)).max();
        whole.max(self.partial.values().copied().max()).unwrap_or(0)
    }

    /// Those with most addresses, at most [`MAX_NAMED`], the fullest first.
    fn heaviest(&self) -> Vec<(IpNet, u64)> {
        let whole = self.whole.iter().flat_map(|(is_v6, first, many)| {
            (0..u128::from(*many)).take(MAX_NAMED).map(move |place| ((*is_v6, first + place), size(*is_v6)))
        });
        let mut all: Vec<_> =
            whole.take(MAX_NAMED).chain(self.partial.iter().map(|(prefix, count)| (*prefix, *count))).collect();
        all.sort_unstable_by_key(|(prefix, count)| (std::cmp::Reverse(*count), *prefix));
        all.truncate(MAX_NAMED);
        all.into_iter().filter_map(|((is_v6, prefix), count)| Some((named(is_v6, prefix)?, count))).collect()
    }
}

/// Bits of an address below a /24 or /48.
const fn shift(is_v6: bool) -> u32 {
    if is_v6 { 80 } else { 8 }
}

fn size(is_v6: bool) -> u64 {
    1_u64.checked_shl(shift(is_v6)).unwrap_or(u64::MAX)
}

fn named(is_v6: bool, prefix: u128) -> Option<IpNet> {
    let first = prefix << shift(is_v6);
    let address = if is_v6 { std::net::IpAddr::V6(first.into()) } else { from_u128(first) };
    IpNet::new(address, if is_v6 { 48 } else { 24 }).ok()
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
