//! Fan-in that no capture has: real C&C flows under several subscribers, in real background, sampled.
//!
//! Cases made here are marked as composed. What is real stays real: sizes, durations, gaps and answers of each bot
//! are those of a captured one, moved in time by its own offset; background hosts keep their flows, copied under
//! several subscribers of which each keeps a part of the servers, so that servers have few or many clients.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_wire::flow::{FlowRecord, Volume};
use ipnet::{IpNet, Ipv4Net};

use super::Case;
use crate::detect::statistics::{Random, floor};
use crate::sketch::spread;

/// Subscribers of a composed case live here.
const PREFIX: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 0);
const PREFIX_LENGTH: u8 = 16;
/// A copy of the background keeps this part of its servers.
const KEPT: f64 = 0.4;
/// Flows of one bot that begin further apart than this belong to different sittings.
const SITTING: Duration = Duration::from_secs(60);
/// Flags of which something is left when few packets of a connection are looked at.
const ACK_PSH: u8 = 24;

/// Real flows of two kinds.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Of infected hosts to their C&C, and nothing else.
    pub cnc: &'a [FlowRecord],
    /// The C&C endpoints.
    pub truth: &'a BTreeSet<(IpAddr, u16)>,
    /// Of hosts that are not infected.
    pub background: &'a [FlowRecord],
    /// Whose lines the flows of both are.
    pub subscribers: &'a [IpNet],
}

/// What to make of them.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Subscribers that talk to the C&C.
    pub bots: u32,
    /// Subscribers in all; bots among them.
    pub population: u32,
    /// One of so many packets is looked at.
    pub sampling: u32,
    /// Over so long the flows are spread.
    pub span: Duration,
    /// Whether every second bot is told as an infected subscriber.
    pub told_infected: bool,
    /// The same number gives the same case.
    pub seed: u64,
}

/// Puts a case together.
pub fn fan_in(parts: &Parts<'_>, plan: &Plan) -> Case {
    let mut random = Random::new(plan.seed);
    let mut records = Vec::new();
    let is_own = |address: IpAddr| parts.subscribers.iter().any(|prefix| prefix.contains(&address));
    let mut cnc = parts.cnc.to_vec();
    cnc.sort_by_key(|record| record.start);
    for number in 0..plan.population {
        let line = line(number);
        for sitting in sittings(&cnc).filter(|_| number < plan.bots) {
            records.extend(moved(sitting, line, plan, &mut random, &is_own, |_| true));
        }
        let own = spread(plan.seed ^ u64::from(number));
        let keeps = |remote: IpAddr| Random::new(spread(own ^ hash(remote))).unit() < KEPT;
        records.extend(moved(parts.background, line, plan, &mut random, &is_own, keeps));
    }
    let records = sampled(records, plan.sampling, &mut random);
    let prefix = Ipv4Net::new(PREFIX, PREFIX_LENGTH).map(IpNet::V4);
    Case {
        name: format!("{} bots of {}, 1:{}", plan.bots, plan.population, plan.sampling),
        composed: true,
        records,
        subscribers: prefix.into_iter().collect(),
        truth: parts.truth.clone(),
        infected: (0..plan.bots).step_by(2).filter(|_| plan.told_infected).map(line).collect(),
    }
}

/// Flows in the order of their starts, cut where nothing begins for long.
fn sittings(flows: &[FlowRecord]) -> impl Iterator<Item = &[FlowRecord]> {
    flows.chunk_by(|one, next| next.start.since(one.start) <= SITTING)
}

fn line(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(PREFIX.to_bits() | (number & 0xffff).saturating_add(1)))
}

fn hash(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(four) => spread(u64::from(four.to_bits())),
        IpAddr::V6(six) => spread((six.to_bits() >> 64) as u64 ^ six.to_bits() as u64),
    }
}

/// Flows under another subscriber, all moved by the same offset, round the end of the span.
fn moved(
    flows: &[FlowRecord],
    line: IpAddr,
    plan: &Plan,
    random: &mut Random,
    is_own: &impl Fn(IpAddr) -> bool,
    keeps: impl Fn(IpAddr) -> bool,
) -> Vec<FlowRecord> {
    let first = flows.iter().map(|record| record.start).min().unwrap_or_default();
    // Midnight of an ordinary day, so that epochs of a day fall the same in every case.
    let origin = Timestamp::from_micros(1_767_225_600_000_000);
    let offset = plan.span.mul_f64(random.unit());
    let place = |time: Timestamp| {
        let since = (time.since(first) + offset).as_micros() % plan.span.as_micros().max(1);
        origin.plus(Duration::from_micros(u64::try_from(since).unwrap_or(0)))
    };
    let own_side = |record: &FlowRecord| (is_own(record.source), is_own(record.destination));
    let mut copies = Vec::new();
    for record in flows {
        let copy = match own_side(record) {
            (true, false) if keeps(record.destination) => FlowRecord { source: line, ..*record },
            (false, true) if keeps(record.source) => FlowRecord { destination: line, ..*record },
            _ => continue,
        };
        let start = place(record.start);
        copies.push(FlowRecord { start, end: start.plus(record.end.since(record.start)), ..copy });
    }
    copies
}

/// What is left when one of so many packets is looked at.
pub(crate) fn sampled(records: Vec<FlowRecord>, one_of: u32, random: &mut Random) -> Vec<FlowRecord> {
    if one_of <= 1 {
        return records;
    }
    records.into_iter().filter_map(|record| thinned(&record, one_of, random)).collect()
}

fn thinned(record: &FlowRecord, one_of: u32, random: &mut Random) -> Option<FlowRecord> {
    let forward = thin(record.forward, one_of, random);
    let reverse = record.reverse.and_then(|volume| thin(volume, one_of, random));
    let seen = forward.map_or(0, |volume| volume.packets) + reverse.map_or(0, |volume| volume.packets);
    let (start, end) = between(record, seen, random);
    let base = FlowRecord { start, end, sampling: one_of, ..*record };
    // An exporter tells each direction for itself: of one that was not met nothing is known.
    match (forward, reverse) {
        (None, None) => None,
        (Some(forward), reverse) => Some(FlowRecord { forward, reverse, ..base }),
        (None, Some(reverse)) => Some(FlowRecord {
            source: record.destination,
            destination: record.source,
            source_port: record.destination_port,
            destination_port: record.source_port,
            forward: reverse,
            reverse: None,
            ..base
        }),
    }
}

/// Times of the first and last packet looked at, of so many spread evenly over the flow.
fn between(record: &FlowRecord, packets: u64, random: &mut Random) -> (Timestamp, Timestamp) {
    let length = record.end.since(record.start);
    let draws: Vec<f64> = (0..packets.clamp(1, 16)).map(|_| random.unit()).collect();
    let (low, high) = draws.iter().fold((1.0_f64, 0.0_f64), |(low, high), draw| (low.min(*draw), high.max(*draw)));
    (record.start.plus(length.mul_f64(low)), record.start.plus(length.mul_f64(high)))
}

fn thin(volume: Volume, one_of: u32, random: &mut Random) -> Option<Volume> {
    let packets = binomial(volume.packets, 1.0 / f64::from(one_of), random);
    if packets == 0 {
        return None;
    }
    let bytes = volume.bytes / volume.packets.max(1) * packets;
    let tcp_flags = if packets >= volume.packets { volume.tcp_flags } else { volume.tcp_flags & ACK_PSH };
    Some(Volume { packets, bytes, tcp_flags })
}

/// Successes of so many tries: by trying where they are few, by the normal approximation where they are many.
fn binomial(tries: u64, chance: f64, random: &mut Random) -> u64 {
    if tries <= 512 {
        return (0..tries).filter(|_| random.unit() < chance).count() as u64;
    }
    let mean = tries as f64 * chance;
    if mean < 30.0 {
        // Poisson by waiting times.
        let mut waited = random.exponential(1.0);
        let mut count = 0;
        while waited < mean && count < tries {
            count += 1;
            waited += random.exponential(1.0);
        }
        return count;
    }
    let normal = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    floor(mean + normal * (mean * (1.0 - chance)).sqrt()) as u64
}
