//! The planted botnets: three servers of different habits, and the lines whose devices obey them.
//!
//! - *Kogarashi*: devices call in every few minutes, late by a drawn part; each night and each noon their server is
//!   away for hours, and they knock in vain. Now and then one of them scans by itself.
//! - *Tsurara*: bots keep one line open for hours on which next to nothing passes, until all of them flood one victim.
//! - *Hibana*: small. Each evening strangers get into a few devices by Telnet; these fetch an implant, meet their server
//!   for the first time, and begin to scan within seconds of each other when it says so. In the morning the devices
//!   are switched off and on, and clean again.

use super::Router;
use super::clock::{self, BLOCK_SECONDS, Block, Daily, Timer};
use super::dice::Dice;
use super::line::Line;
use super::people::ask;
use super::places::{elsewhere, rented, scanned};
use super::session::{Amount, Remote, SYN, Session, TCP, WHOLE, amount};

pub(super) const KOGARASHI: Remote = rented(45, 3_778, TCP);
pub(super) const TSURARA: Remote = rented(112, 1_312, TCP);
pub(super) const HIBANA: Remote = rented(201, 47_808, TCP);
/// Where Hibana's implant is fetched, and who tries the passwords.
pub(super) const LOADER: Remote = rented(77, 80, TCP);
pub(super) const BREAKER: Remote = elsewhere(7, 0, TCP);
/// Whom Tsurara floods.
pub(super) const VICTIM: Remote = elsewhere(250, 80, TCP);

/// Kogarashi's devices call in so often, and so often while nobody answers.
pub(super) const CALL_SECONDS: f64 = 170.0;
const KNOCK_SECONDS: f64 = 55.0;
const DOWN: [Daily; 2] = [
    Daily { from_minute: 2 * 60 + 20, to_minute: 5 * 60 + 10 },
    Daily { from_minute: 12 * 60, to_minute: 13 * 60 + 30 },
];
/// Tsurara's pings.
pub(super) const PING_SECONDS: f64 = 60.0;
const TSURARA_HOURS: f64 = 5.0;
/// Hibana: when strangers get in, when the orders come, when devices are clean again (hour and minute in Japan).
const BREAK_IN: (u32, u32) = (19, 25);
const ORDERS: [(u32, u32); 2] = [(20, 5), (22, 40)];
pub(super) const HIBANA_SECONDS: f64 = 215.0;
/// Blocks of an evening's infection, from the break-in on.
const CLEAN_AFTER_SECONDS: f64 = 10.0 * 3_600.0;
/// Hosts that one order's scan tries, and how fast.
const SCANNED: u32 = 260;
const SCANS_A_SECOND: f64 = 4.0;
const TELNET: u16 = 23;
/// The flood.
const FLOOD: (u32, u32) = (21, 30);

/// The lines of each botnet.
#[derive(Clone, Debug, Default)]
pub(super) struct Bots {
    pub(super) kogarashi: Vec<u32>,
    pub(super) tsurara: Vec<u32>,
    pub(super) hibana: Vec<u32>,
}

impl Bots {
    /// Taken from the front of the lines in the order of their weakness. Hibana's are never more than four: fewer than
    /// the export gate lets through.
    pub(super) fn of(by_weakness: &[u32], lines: usize) -> Self {
        let mut left = by_weakness.iter().copied();
        let mut take = |count: usize| left.by_ref().take(count).collect();
        Self { hibana: take(4), tsurara: take((lines / 110).max(6)), kogarashi: take((lines / 40).max(8)) }
    }
}

/// Everything that bots begin in one block.
pub(super) fn obey(town: &Router, block: Block, sessions: &mut Vec<Session>) {
    for line in town.lines_of(&town.bots().kogarashi) {
        call_in(town, line, block, sessions);
        scan_alone(town, line, block, sessions);
    }
    for line in town.lines_of(&town.bots().tsurara) {
        keep_line(town, line, block, sessions);
        flood(town, line, block, sessions);
    }
    for line in town.lines_of(&town.bots().hibana) {
        // An evening's infection lasts into the next day.
        let today = clock::day(block.start_seconds());
        for day in [today.saturating_sub(1), today] {
            Evening { town, line, day }.pass(block, sessions);
        }
    }
}

fn is_down(start: &f64) -> bool {
    DOWN.iter().any(|down| down.contains(*start))
}

fn call_in(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    let timer = Timer { period_s: CALL_SECONDS, jitter: 0.12, key: town.key(line, "kogarashi") };
    let mut dice = town.dice(line, "kogarashi", block);
    for start in timer.ticks(block).filter(|start| !is_down(start)) {
        let order = if dice.chance(0.02) { dice.between(200, 1_400) } else { 0 };
        let (out, back) = (amount(6, 410 + dice.below(40), WHOLE), amount(5, 320 + order, WHOLE));
        sessions.push(ask(line, KOGARASHI, (start, 0.4 + dice.unit()), (out, back), &mut dice));
    }
    let knock = Timer { period_s: KNOCK_SECONDS, jitter: 0.12, key: town.key(line, "knock") };
    for start in knock.ticks(block).filter(is_down) {
        sessions.push(ask(line, KOGARASHI, (start, 3.0), (amount(3, 180, SYN), amount(0, 0, 0)), &mut dice));
    }
}

/// About once in two days, at any time.
fn scan_alone(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    let mut dice = town.dice(line, "alone", block);
    if dice.chance(1.0 / 288.0) {
        let start = block.start_seconds() + dice.unit() * BLOCK_SECONDS as f64;
        scan(line, (2_323, 120), start, &mut dice, sessions);
    }
}

fn keep_line(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    let timer = Timer { period_s: TSURARA_HOURS * 3_600.0, jitter: 0.01, key: town.key(line, "tsurara") };
    for start in timer.ticks(block) {
        let mut dice = town.dice(line, "tsurara", block);
        let lasts = TSURARA_HOURS * 3_600.0 * (0.93 + 0.05 * dice.unit());
        let pings = (lasts / PING_SECONDS) as u64 + 6;
        let (out, back) = (amount(pings, pings * 54, WHOLE), amount(pings, pings * 56, WHOLE));
        sessions.push(ask(line, TSURARA, (start, lasts), (out, back), &mut dice));
    }
}

/// Every second evening, a minute long, begun within three seconds.
fn flood(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    let day = clock::day(block.start_seconds());
    let order = clock::on_day(day, FLOOD.0, FLOOD.1);
    if !day.is_multiple_of(2) || Block::of(clock::at(order)) != block {
        return;
    }
    let mut dice = town.dice(line, "flood", block);
    let begin = order + 3.0 * dice.unit();
    for part in 0..4_u32 {
        let packets = dice.between(40_000, 70_000);
        let (out, back) = (amount(packets, packets * 60, SYN), amount(90, 5_400, super::session::RST));
        sessions.push(ask(line, VICTIM, (begin + 15.0 * f64::from(part), 14.5), (out, back), &mut dice));
    }
}

/// So many hosts on a port, one after another.
fn scan(line: &Line, (port, hosts): (u16, u32), start: f64, dice: &mut Dice, sessions: &mut Vec<Session>) {
    for number in 0..hosts {
        let remote = scanned(dice, port);
        let (back, lasts) =
            if dice.chance(0.07) { (amount(1, 40, super::session::RST), 0.1) } else { (Amount::default(), 0.0) };
        let moment = start + f64::from(number) / SCANS_A_SECOND;
        sessions.push(ask(line, remote, (moment, lasts), (amount(1, 60, SYN), back), dice));
    }
}

/// One of Hibana's bots from one evening to the next morning.
struct Evening<'a> {
    town: &'a Router,
    line: &'a Line,
    day: u64,
}

impl Evening<'_> {
    fn pass(&self, block: Block, sessions: &mut Vec<Session>) {
        let mut dice = self.town.draws("hibana", &[u64::from(self.line.number), self.day]);
        let broken_in = clock::on_day(self.day, BREAK_IN.0, BREAK_IN.1) + 900.0 * dice.unit();
        let fetched = broken_in + 20.0 + 40.0 * dice.unit();
        let met = fetched + 10.0 + 20.0 * dice.unit();
        let begins_here = |moment: f64| Block::of(clock::at(moment)) == block;
        if begins_here(broken_in) {
            sessions.push(self.break_in(broken_in, &mut dice));
        }
        if begins_here(fetched) {
            let (out, back) = (amount(40, 2_300, WHOLE), amount(66, 88_000, WHOLE));
            sessions.push(ask(self.line, LOADER, (fetched, 2.0), (out, back), &mut dice));
        }
        self.stay_in_touch(block, (met, broken_in + CLEAN_AFTER_SECONDS), sessions);
        for (hour, minute) in ORDERS {
            let start = clock::on_day(self.day, hour, minute) + 2.0 * dice.unit();
            if begins_here(start) {
                scan(self.line, (TELNET, SCANNED), start, &mut dice, sessions);
            }
        }
    }

    fn break_in(&self, start: f64, dice: &mut Dice) -> Session {
        let remote = Remote { port: dice.ephemeral(), ..BREAKER };
        let (out, back) = (amount(28, 2_900, WHOLE), amount(33, 2_100, WHOLE));
        Session { line: *self.line, line_port: TELNET, remote, begun_by_line: false, start, lasts: 16.0, out, back }
    }

    /// The server drops whoever has nothing to say after some minutes; bots come back at once.
    fn stay_in_touch(&self, block: Block, (from, to): (f64, f64), sessions: &mut Vec<Session>) {
        let key = Dice::of(&[self.town.key(self.line, "hibana"), self.day]).next();
        let timer = Timer { period_s: HIBANA_SECONDS, jitter: 0.05, key };
        let is_on = |start: &f64| (from..to).contains(start);
        let first = (Block::of(clock::at(from)) == block).then_some(from);
        let mut dice = self.town.dice(self.line, "hibana", block);
        for start in first.into_iter().chain(timer.ticks(block).filter(is_on)) {
            let lasts = HIBANA_SECONDS * (0.85 + 0.08 * dice.unit());
            let (out, back) = (amount(11, 620, WHOLE), amount(10, 560 + dice.below(60), WHOLE));
            sessions.push(ask(self.line, HIBANA, (start, lasts), (out, back), &mut dice));
        }
    }
}
