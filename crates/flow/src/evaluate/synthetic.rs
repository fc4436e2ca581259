//! Made-up traffic with a known answer: lawful clockwork, people, attacks, and botnets of several kinds.
//!
//! Nothing here is modelled on one capture. Parameters are drawn from wide ranges, the same seed gives the same day.
//! Cases made here are marked as composed. Remote addresses are those for documentation and benchmarks, which belong
//! to nobody.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_wire::flow::{FlowRecord, Volume};
use ipnet::{IpNet, Ipv4Net};

use super::Case;
use crate::detect::statistics::{Random, as_f64, floor};

const SYN: u8 = 2;
const RST: u8 = 4;
const WHOLE: u8 = 27;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Subscribers live here.
const PREFIX: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 0);
/// Servers are given out from 198.18.0.0/15 upward (RFC 2544), victims and scanned hosts from 203.0.113.0 (RFC 5737).
const SERVERS: u32 = 0xc612_0000;
const VICTIMS: u32 = 0xcb00_7100;

/// What a made-up day holds.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    /// Subscribers.
    pub subscribers: u32,
    /// Days.
    pub days: u32,
    /// Botnets, of kinds in turn: beacon, failed beacon, keep-alive, attacker.
    pub botnets: u32,
    /// Bots of each.
    pub bots: u32,
    /// Gaps vary by this part of the period.
    pub jitter: f64,
    /// This part of the flows is lost on the way.
    pub loss: f64,
    /// The same number gives the same day.
    pub seed: u64,
}

impl Default for Day {
    fn default() -> Self {
        Self { subscribers: 60, days: 2, botnets: 8, bots: 6, jitter: 0.1, loss: 0.0, seed: 1 }
    }
}

/// A made-up day with its answer. Botnets' endpoints are also told by family, for training.
pub fn day(plan: &Day) -> Case {
    let mut town = Town::new(plan);
    town.people();
    town.clockwork();
    town.peers();
    town.nuisance();
    for number in 0..plan.botnets {
        town.botnet(number);
    }
    let mut random = Random::new(plan.seed ^ 0x10_55);
    town.case.records.retain(|_| random.unit() >= plan.loss);
    town.case
}

struct Town {
    plan: Day,
    random: Random,
    case: Case,
    next_server: u32,
    origin: Timestamp,
    length_seconds: f64,
}

/// One connection to make.
#[derive(Clone, Copy)]
struct Ask {
    line: u32,
    server: (IpAddr, u16, u8),
    at: f64,
    lasts: f64,
    out: Volume,
    back: Volume,
}

impl Town {
    fn new(plan: &Day) -> Self {
        let prefix = Ipv4Net::new(PREFIX, 16).map(IpNet::V4);
        let name = format!("made-up day, seed {}", plan.seed);
        Self {
            plan: *plan,
            random: Random::new(plan.seed),
            case: Case { name, composed: true, subscribers: prefix.into_iter().collect(), ..Case::default() },
            next_server: 0,
            origin: Timestamp::from_micros(1_767_225_600_000_000),
            length_seconds: f64::from(plan.days.max(1)) * 86_400.0,
        }
    }

    fn server(&mut self) -> IpAddr {
        // Spread over networks, so that neighbours mean nothing.
        self.next_server += 1;
        IpAddr::V4(Ipv4Addr::from_bits(SERVERS + self.next_server.wrapping_mul(257) % 0x2_0000))
    }

    fn ask(&mut self, ask: Ask) {
        let own = IpAddr::V4(Ipv4Addr::from_bits(PREFIX.to_bits() | (ask.line + 1)));
        let at = |seconds: f64| self.origin.plus(Duration::from_secs_f64(seconds.max(0.0)));
        let (address, port, protocol) = ask.server;
        let (start, end) = (at(ask.at), at(ask.at + ask.lasts));
        let source_port = 32_768 + u16::try_from(self.random.below(28_000)).unwrap_or(0);
        self.case.records.push(FlowRecord {
            source: own,
            destination: address,
            source_port,
            destination_port: port,
            protocol,
            forward: ask.out,
            reverse: Some(ask.back),
            start,
            end,
            sampling: 1,
        });
    }

    /// Visits at a period with jitter, from a random phase on.
    fn clock(&mut self, period: f64, jitter: f64, mut each: impl FnMut(&mut Self, f64)) {
        let mut now = self.random.unit() * period;
        while now < self.length_seconds {
            let moved = now + (self.random.unit() - 0.5) * jitter * period;
            each(self, moved);
            now += period;
        }
    }

    /// Pages in bursts by day, on servers of which few are popular.
    fn people(&mut self) {
        let web: Vec<IpAddr> = (0..300).map(|_| self.server()).collect();
        for line in 0..self.plan.subscribers {
            let sittings = 4 * self.plan.days.max(1);
            for _ in 0..sittings {
                let day = f64::from(u32::try_from(self.random.below(self.plan.days.max(1) as usize)).unwrap_or(0));
                let mut now = day * 86_400.0 + 25_000.0 + self.random.unit() * 55_000.0;
                for _ in 0..30 {
                    now += self.random.exponential(40.0);
                    // A power law of popularity.
                    let place = floor(as_f64(web.len()) * self.random.unit().powi(3));
                    let Some(address) = web.get(place).copied() else { continue };
                    let bytes = 2_000 + self.random.below(400_000) as u64;
                    let lasts = self.random.exponential(20.0);
                    let (out, back) = (volume(12, 3_000, WHOLE), volume(bytes / 1_200 + 4, bytes, WHOLE));
                    self.ask(Ask { line, server: (address, 443, TCP), at: now, lasts, out, back });
                }
            }
        }
    }

    /// Push, time, updates, telemetry: by the clock, and lawful.
    fn clockwork(&mut self) {
        let push = [self.server(), self.server()];
        let ntp = [self.server(), self.server(), self.server()];
        let updates = [self.server(), self.server()];
        let telemetry: Vec<IpAddr> = (0..12).map(|_| self.server()).collect();
        for line in 0..self.plan.subscribers {
            for (address, port) in push.into_iter().zip([5228, 8883]) {
                self.clock(1_700.0, 0.01, |town, at| {
                    let (out, back) = (volume(30, 2_400, 24), volume(28, 2_200, 24));
                    town.ask(Ask { line, server: (address, port, TCP), at, lasts: 1_650.0, out, back });
                });
            }
            let address = ntp[line as usize % ntp.len()];
            self.clock(1_024.0, 0.02, |town, at| {
                let one = volume(1, 76, 0);
                town.ask(Ask { line, server: (address, 123, UDP), at, lasts: 0.03, out: one, back: one });
            });
            let address = updates[line as usize % updates.len()];
            self.clock(21_600.0, 0.3, |town, at| {
                let bytes = 200_000 + town.random.below(9_000_000) as u64;
                let (out, back) = (volume(bytes / 20_000 + 9, 4_000, WHOLE), volume(bytes / 1_300, bytes, WHOLE));
                town.ask(Ask { line, server: (address, 443, TCP), at, lasts: 30.0, out, back });
            });
            // Each maker's devices stand in few homes.
            let address = telemetry[line as usize % telemetry.len()];
            let period = 30.0 * f64::from(1 + line % 20);
            self.clock(period.max(240.0), 0.05, |town, at| {
                let (out, back) = (volume(9, 1_900, WHOLE), volume(7, 4_300, WHOLE));
                town.ask(Ask { line, server: (address, 443, TCP), at, lasts: 1.0, out, back });
            });
        }
    }

    /// Peers on high ports, each met a few times.
    fn peers(&mut self) {
        for line in (0..self.plan.subscribers).step_by(6) {
            for _ in 0..120 {
                let address = self.server();
                let port = 10_000 + u16::try_from(self.random.below(50_000)).unwrap_or(0);
                let answers = self.random.unit() < 0.4;
                for _ in 0..1 + self.random.below(4) {
                    let at = self.random.unit() * self.length_seconds;
                    let back = if answers { volume(40, 30_000, 0) } else { Volume::default() };
                    let out = volume(if answers { 38 } else { 2 }, if answers { 20_000 } else { 180 }, 0);
                    self.ask(Ask { line, server: (address, port, UDP), at, lasts: 30.0, out, back });
                }
            }
        }
    }

    /// One subscriber scans; one floods; strangers' backscatter comes in.
    fn nuisance(&mut self) {
        let begin = self.random.unit() * self.length_seconds * 0.5;
        self.scan(2, 445, begin);
        let victim = IpAddr::V4(Ipv4Addr::from_bits(VICTIMS));
        self.flood(3, (victim, 80), begin + 900.0);
        for number in 0..200_u32 {
            let from = IpAddr::V4(Ipv4Addr::from_bits(VICTIMS + 0x100 + number % 5));
            let at = self.origin.plus(Duration::from_secs_f64(begin + f64::from(number)));
            let to = IpAddr::V4(Ipv4Addr::from_bits(PREFIX.to_bits() | (number % 50 + 1)));
            self.case.records.push(FlowRecord {
                source: from,
                destination: to,
                source_port: 80,
                destination_port: 20_000 + u16::try_from(number).unwrap_or(0),
                protocol: TCP,
                forward: volume(1, 60, 18),
                reverse: Some(Volume::default()),
                start: at,
                end: at,
                sampling: 1,
            });
        }
    }

    fn scan(&mut self, line: u32, port: u16, begin: f64) {
        for number in 0..150_u32 {
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x2d00_0000 + number.wrapping_mul(65_551) + line));
            let at = begin + f64::from(number) * 0.4;
            let (out, back) = (volume(1, 60, SYN), Volume::default());
            self.ask(Ask { line, server: (address, port, TCP), at, lasts: 0.0, out, back });
        }
    }

    fn flood(&mut self, line: u32, (victim, port): (IpAddr, u16), begin: f64) {
        for number in 0..4 {
            let at = begin + f64::from(number) * 15.0;
            let (out, back) = (volume(40_000, 2_400_000, SYN), volume(300, 18_000, RST));
            self.ask(Ask { line, server: (victim, port, TCP), at, lasts: 14.0, out, back });
        }
    }

    /// One C&C with its bots, on a port of its own.
    fn botnet(&mut self, number: u32) {
        // Every second one on a port that no list knows.
        let ports = [1337, 48_211, 7173, 1_983, 47_015, 666, 30_121, 38_241];
        let port = ports.get(number as usize % ports.len()).copied().unwrap_or(1337);
        let address = self.server();
        self.case.truth.insert((address, port));
        let period = 30.0 + self.random.unit() * 270.0;
        let onset = 0.6 * self.length_seconds;
        for bot in 0..self.plan.bots {
            let line = (5 + number * 7 + bot * 3) % self.plan.subscribers.max(1);
            let server = (address, port, TCP);
            match number % 4 {
                0 => self.beacons(line, server, period),
                1 => self.knocks(line, server, period),
                2 => self.kept_lines(line, server),
                _ => {
                    self.kept_lines(line, server);
                    let begin = onset + self.random.unit() * 4.0;
                    self.scan(line, 2323, begin);
                }
            }
        }
    }

    fn beacons(&mut self, line: u32, server: (IpAddr, u16, u8), period: f64) {
        self.clock(period, self.plan.jitter, |town, at| {
            let (out, back) = (volume(6, 420, WHOLE), volume(5, 330, WHOLE));
            town.ask(Ask { line, server, at, lasts: 0.6, out, back });
        });
    }

    /// Down for most of the time: attempts in vain, at times a session.
    fn knocks(&mut self, line: u32, server: (IpAddr, u16, u8), period: f64) {
        let length = self.length_seconds;
        self.clock(period, self.plan.jitter, |town, at| {
            let is_up = (at / length * 5.0).fract() > 0.8;
            let (out, back) = match is_up {
                true => (volume(14, 900, WHOLE), volume(12, 2_000, WHOLE)),
                false => (volume(3, 180, SYN), Volume::default()),
            };
            town.ask(Ask { line, server, at, lasts: if is_up { 60.0 } else { 7.0 }, out, back });
        });
    }

    fn kept_lines(&mut self, line: u32, server: (IpAddr, u16, u8)) {
        let mut now = self.random.unit() * 3_000.0;
        while now < self.length_seconds {
            let lasts = 1_200.0 + self.random.exponential(6_000.0);
            let beats = floor(lasts / 60.0) as u64 + 2;
            let (out, back) = (volume(beats, beats * 54, WHOLE), volume(beats, beats * 54, WHOLE));
            self.ask(Ask { line, server, at: now, lasts, out, back });
            now += lasts + 5.0 + self.random.exponential(30.0);
        }
    }
}

const fn volume(packets: u64, bytes: u64, tcp_flags: u8) -> Volume {
    Volume { packets, bytes, tcp_flags }
}

/// Endpoints of a case's truth as a list, for runs with seeds; every other one where `half`.
pub fn as_list(truth: &BTreeSet<(IpAddr, u16)>, half: bool) -> Vec<u8> {
    let step = if half { 2 } else { 1 };
    let lines =
        truth.iter().step_by(step).map(|(address, port)| format!("{}\n", std::net::SocketAddr::new(*address, *port)));
    lines.collect::<String>().into_bytes()
}
