//! What people do: hours of the day, bursts, much of it.

use super::Router;
use super::clock::{self, Block, Daily, Timer};
use super::dice::Dice;
use super::line::Line;
use super::places;
use super::session::{Amount, Remote, SYN, Session, TCP, UDP, WHOLE, amount};

/// Pages asked for in ten minutes of the busiest hour by an average home.
const WEB: f64 = 0.45;
const NAMES: f64 = 0.5;
const PEERS: f64 = 5.0;
/// One line in so many has it.
const PUBLIC_NAMES_ONE_IN: u64 = 3;
const MAIL_ONE_IN: u64 = 32;
const VPN_ONE_IN: u64 = 48;
const PEERS_ONE_IN: u64 = 64;
/// Office hours.
const OFFICE: Daily = Daily { from_minute: 9 * 60, to_minute: 18 * 60 };
const AWAKE: Daily = Daily { from_minute: 6 * 60 + 30, to_minute: 23 * 60 + 30 };

/// Everything that the people of one home begin in one block.
pub(super) fn live(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    web(town, line, block, sessions);
    names(town, line, block, sessions);
    updates(town, line, block, sessions);
    mail(town, line, block, sessions);
    office(town, line, block, sessions);
    peers(town, line, block, sessions);
}

fn web(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    let mut dice = town.dice(line, "web", block);
    let keen = 0.3 + 1.4 * town.trait_of(line, "keen").unit();
    for start in block.moments(&mut dice, WEB * keen * block.busy()) {
        let remote = places::web(line, &mut dice);
        let is_film = dice.chance(0.04);
        let bytes =
            if is_film { dice.between(4_000_000, 160_000_000) } else { 1_500 + dice.exponential(90_000.0) as u64 };
        let lasts = if is_film { 60.0 + dice.exponential(600.0) } else { 0.3 + dice.exponential(18.0) };
        let flags = if remote.protocol == TCP { WHOLE } else { 0 };
        let out = amount(bytes / 24_000 + 9, 1_400 + bytes / 60, flags);
        let back = amount(bytes / 1_350 + 7, bytes, flags);
        sessions.push(ask(line, remote, (start, lasts), (out, back), &mut dice));
    }
}

fn names(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    if !town.has(line, "public-names", PUBLIC_NAMES_ONE_IN) {
        return;
    }
    let mut dice = town.dice(line, "names", block);
    for start in block.moments(&mut dice, NAMES * block.busy()) {
        let Some(remote) = places::NAMES.get(dice.below(2) as usize).copied() else { continue };
        let answer = dice.between(90, 400);
        sessions.push(ask(line, remote, (start, 0.03), (amount(1, 72, 0), amount(1, answer, 0)), &mut dice));
    }
}

fn updates(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    let timer = Timer { period_s: 43_200.0, jitter: 0.25, key: town.key(line, "updates") };
    for start in timer.ticks(block) {
        let mut dice = town.dice(line, "update", block);
        let Some(remote) = places::UPDATES.get(dice.below(3) as usize).copied() else { continue };
        let bytes = if dice.chance(0.2) { dice.between(20_000_000, 300_000_000) } else { dice.between(4_000, 60_000) };
        let (out, back) =
            (amount(bytes / 30_000 + 10, 2_200 + bytes / 70, WHOLE), amount(bytes / 1_400 + 8, bytes, WHOLE));
        sessions.push(ask(line, remote, (start, 2.0 + bytes as f64 / 2e6), (out, back), &mut dice));
    }
}

fn mail(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    if !town.has(line, "mail", MAIL_ONE_IN) {
        return;
    }
    let timer = Timer { period_s: 900.0, jitter: 0.05, key: town.key(line, "mail") };
    let remote = places::MAIL.get(town.trait_of(line, "mail server").below(3) as usize).copied();
    for (start, remote) in timer.ticks(block).filter(|start| AWAKE.contains(*start)).zip(remote.into_iter().cycle()) {
        let mut dice = town.dice(line, "mail", block);
        let bytes = 3_800 + if dice.chance(0.15) { dice.between(20_000, 900_000) } else { 0 };
        let (out, back) = (amount(14 + bytes / 30_000, 1_900, WHOLE), amount(13 + bytes / 1_400, bytes, WHOLE));
        sessions.push(ask(line, remote, (start, 1.2), (out, back), &mut dice));
    }
}

/// Work from home: one long line in the morning and one after noon, some of them idle.
fn office(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    if !town.has(line, "office", VPN_ONE_IN) {
        return;
    }
    let Some(remote) = places::VPN.get(town.trait_of(line, "gateway").below(4) as usize).copied() else { return };
    let timer = Timer { period_s: 14_400.0, jitter: 0.1, key: town.key(line, "office") };
    for start in timer.ticks(block).filter(|start| OFFICE.contains(*start)) {
        let mut dice = town.dice(line, "office", block);
        let lasts = 4_000.0 + dice.exponential(4_000.0).min(9_000.0);
        let is_idle = dice.chance(0.3);
        let packets = if is_idle { lasts / 20.0 } else { lasts * (2.0 + 30.0 * dice.unit()) } as u64;
        let bytes = packets * if is_idle { 110 } else { 640 };
        let flags = if remote.protocol == TCP { WHOLE } else { 0 };
        let (out, back) = (amount(packets, bytes, flags), amount(packets, bytes * 3 / 2, flags));
        sessions.push(ask(line, remote, (start, lasts), (out, back), &mut dice));
    }
}

/// Sharing of files among peers: many ends, high ports, half of them gone.
fn peers(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    if !town.has(line, "peers", PEERS_ONE_IN) {
        return;
    }
    let mut dice = town.dice(line, "peers", block);
    let own_port = 20_000 + town.trait_of(line, "peer port").below(30_000) as u16;
    for start in block.moments(&mut dice, PEERS * block.busy()) {
        let remote = places::peer(line, &mut dice);
        let flags = if remote.protocol == TCP { WHOLE } else { 0 };
        let answers = dice.chance(0.55);
        let bytes = 2_000 + dice.exponential(300_000.0) as u64;
        let (out, back) = match answers {
            true => (amount(bytes / 900 + 4, bytes, flags), amount(bytes / 1_000 + 4, bytes * 4 / 3, flags)),
            false => (amount(3, 190, flags & SYN), amount(0, 0, 0)),
        };
        let lasts = if answers { 4.0 + dice.exponential(120.0) } else { 6.0 };
        let asked = dice.chance(0.75) || !answers;
        let line_port = if remote.protocol == UDP { own_port } else { dice.ephemeral() };
        let session = ask(line, remote, (start, lasts), (out, back), &mut dice);
        sessions.push(Session { line_port, begun_by_line: asked, ..session });
    }
}

/// A session that the line begins, from a port of its own.
pub(super) fn ask(
    line: &Line,
    remote: Remote,
    (start, lasts): (f64, f64),
    (out, back): (Amount, Amount),
    dice: &mut Dice,
) -> Session {
    let line_port = if remote.port == 123 { 123 } else { dice.ephemeral() };
    Session { line: *line, line_port, remote, begun_by_line: true, start, lasts, out, back }
}

/// Telephones in the home are lines to a push service, kept for hours while their owners are there.
pub(super) fn push(town: &Router, line: &Line, block: Block, sessions: &mut Vec<Session>) {
    if town.has(line, "no telephone", 7) {
        return;
    }
    let Some(remote) = places::PUSH.get(usize::from(town.has(line, "telephone", 2))).copied() else { return };
    let timer = Timer { period_s: 13_000.0, jitter: 0.02, key: town.key(line, "push") };
    for start in timer.ticks(block) {
        let mut dice = town.dice(line, "push", block);
        let hour = clock::hour_of_day(start);
        if (8..18).contains(&hour) && dice.chance(0.6) {
            continue;
        }
        let lasts = 12_400.0 * (0.4 + 0.6 * dice.unit());
        let pings = (lasts / 850.0) as u64 + dice.below(24) + 6;
        let (out, back) = (amount(pings, pings * 86, WHOLE), amount(pings, pings * 190, WHOLE));
        sessions.push(ask(line, remote, (start, lasts), (out, back), &mut dice));
    }
}
