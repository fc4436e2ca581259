//! What devices do by themselves: ask the time, register, report to their maker's cloud. All of it by the clock, which
//! is what makes it look like a botnet's.

use super::Router;
use super::clock::{Block, Daily, Timer};
use super::line::Line;
use super::people::ask;
use super::places::{self, service};
use super::session::{Remote, SYN, Session, TCP, UDP, WHOLE, amount};

/// How a device keeps in touch with its maker.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// A short report, so many bytes, each so many seconds.
    Report { period_s: f64, bytes: u64 },
    /// A line kept open for hours, with a ping each so many seconds.
    KeepOpen { hours: f64, ping_s: f64 },
}

/// A maker's cloud.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cloud {
    pub(super) maker: &'static str,
    pub(super) remote: Remote,
    pub(super) manner: Manner,
    /// When it is being worked on: devices ask in vain, again and again.
    pub(super) down: Option<Daily>,
}

const fn report(period_s: f64, bytes: u64) -> Manner {
    Manner::Report { period_s, bytes }
}

const fn keep_open(hours: f64, ping_s: f64) -> Manner {
    Manner::KeepOpen { hours, ping_s }
}

const fn cloud(maker: &'static str, remote: Remote, manner: Manner) -> Cloud {
    Cloud { maker, remote, manner, down: None }
}

/// A device asks again after so long where its cloud does not answer.
const AGAIN_SECONDS: f64 = 60.0;

/// The makers of the town's devices that have a cloud.
pub(super) const CLOUDS: [Cloud; 10] = [
    cloud("Hoshimi Kogaku", service(230, 443, TCP), report(600.0, 9_000)),
    cloud("Yoimachi Keibi", service(231, 32_100, UDP), keep_open(6.0, 25.0)),
    cloud("Hinata Energy", service(232, 9_999, TCP), report(300.0, 700)),
    cloud("Tsutae IoT", service(233, 8_883, TCP), keep_open(8.0, 60.0)),
    cloud("Fukurou Lock", service(234, 8_883, TCP), keep_open(10.0, 240.0)),
    cloud("Hakari Keiki", service(235, 5_684, UDP), report(900.0, 300)),
    cloud("Mimamori Home", service(236, 1_883, TCP), keep_open(3.0, 30.0)),
    Cloud {
        maker: "Inazuma Dengen",
        remote: service(237, 4_433, TCP),
        manner: report(600.0, 1_100),
        down: Some(Daily { from_minute: 60, to_minute: 190 }),
    },
    cloud("Maneki Vision", service(238, 443, TCP), report(900.0, 2_600)),
    cloud("Kurabako Storage", service(239, 6_443, TCP), keep_open(11.0, 120.0)),
];

/// Makers whose telephones register with a carrier of calls.
const TELEPHONES: [&str; 2] = ["Yobiko Denwa", "Wataribashi"];

/// Everything that the device of one home begins in one block.
pub(super) fn live(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    if line.kind.is_none() {
        return;
    }
    time(town, line, block, sessions);
    register(town, line, block, sessions);
    if let Some(cloud) = CLOUDS.iter().find(|cloud| cloud.maker == line.maker) {
        match cloud.manner {
            Manner::Report { period_s, bytes } => reports(town, line, block, (cloud, period_s, bytes), sessions),
            Manner::KeepOpen { hours, ping_s } => lines(town, line, block, (cloud, hours, ping_s), sessions),
        }
    }
}

/// Half of the devices ask each 68 minutes, the others twice a day.
fn time(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    let period_s = if town.has(line, "often", 2) { 4_096.0 } else { 43_200.0 };
    let timer = Timer { period_s, jitter: 0.01, key: town.key(line, "time") };
    let Some(remote) = places::TIME.get(town.trait_of(line, "time server").below(4) as usize).copied() else { return };
    for start in timer.ticks(block) {
        let mut dice = town.dice(line, "time", block);
        sessions.push(ask(line, remote, (start, 0.02), (amount(1, 76, 0), amount(1, 76, 0)), &mut dice));
    }
}

fn register(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    if !TELEPHONES.contains(&line.maker) {
        return;
    }
    let timer = Timer { period_s: 900.0, jitter: 0.02, key: town.key(line, "register") };
    for start in timer.ticks(block) {
        let mut dice = town.dice(line, "register", block);
        let session = ask(line, places::CALLS, (start, 0.08), (amount(2, 1_150, 0), amount(2, 1_020, 0)), &mut dice);
        sessions.push(Session { line_port: 5_060, ..session });
    }
}

fn reports(
    town: &Router,
    line: &Line,
    block: Block,
    (cloud, period_s, bytes): (&Cloud, f64, u64),
    sessions: &mut Vec<Session>,
) {
    let is_down = |start: &f64| cloud.down.is_some_and(|down| down.contains(*start));
    let timer = Timer { period_s, jitter: 0.03, key: town.key(line, "cloud") };
    let mut dice = town.dice(line, "cloud", block);
    let flags = if cloud.remote.protocol == TCP { WHOLE } else { 0 };
    for start in timer.ticks(block).filter(|start| !is_down(start)) {
        let more = dice.below(bytes / 4 + 1);
        let (out, back) = (amount(6 + bytes / 1_200, bytes + more, flags), amount(6, 1_900, flags));
        sessions.push(ask(line, cloud.remote, (start, 0.4 + dice.unit()), (out, back), &mut dice));
    }
    let again = Timer { period_s: AGAIN_SECONDS, jitter: 0.05, key: town.key(line, "again") };
    for start in again.ticks(block).filter(is_down) {
        sessions.push(ask(line, cloud.remote, (start, 7.0), (amount(4, 240, SYN), amount(0, 0, 0)), &mut dice));
    }
}

fn lines(
    town: &Router,
    line: &Line,
    block: Block,
    (cloud, hours, ping_s): (&Cloud, f64, f64),
    sessions: &mut Vec<Session>,
) {
    let timer = Timer { period_s: hours * 3_600.0, jitter: 0.004, key: town.key(line, "cloud") };
    let flags = if cloud.remote.protocol == TCP { WHOLE } else { 0 };
    for start in timer.ticks(block) {
        let mut dice = town.dice(line, "cloud", block);
        let lasts = hours * 3_600.0 * 0.993;
        let pings = (lasts / ping_s) as u64;
        let (out, back) = (amount(pings, pings * 74, flags), amount(pings, pings * 70, flags));
        sessions.push(ask(line, cloud.remote, (start, lasts), (out, back), &mut dice));
    }
}
