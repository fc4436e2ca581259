//! What comes from outside unasked: scanners, and answers to packets that somebody forged.

use super::Router;
use super::clock::{BLOCK_SECONDS, Block};
use super::dice::Dice;
use super::places::elsewhere;
use super::session::{ACK, Amount, RST, Remote, SYN, Session, TCP, WHOLE, amount};

/// Addresses that scan.
const SCANNERS: u64 = 24;
/// Scanners at work in an hour.
const AT_WORK: u64 = 2;
/// Share of the lines that a scanner tries in a block.
const TRIED: f64 = 0.03;
const PORTS: [u16; 9] = [23, 2323, 80, 81, 445, 3389, 8080, 5555, 7547];
const TELNET: [u16; 2] = [23, 2323];
/// Victims elsewhere whose answers stray in, and how many answers in a block.
const VICTIMS: u64 = 8;
const STRAYS: f64 = 3.0;

/// Everything that strangers begin in one block.
pub(super) fn come(town: &Router, block: Block, sessions: &mut Vec<Session>) {
    for turn in 0..AT_WORK {
        scan(town, block, turn, sessions);
    }
    backscatter(town, block, sessions);
}

fn scan(town: &Router, block: Block, turn: u64, sessions: &mut Vec<Session>) {
    let mut hourly = town.draws("scanner", &[block.0 / 6, turn]);
    let scanner = 10 + hourly.below(SCANNERS) as u8;
    let port = PORTS.get(hourly.below(PORTS.len() as u64) as usize).copied().unwrap_or(23);
    let mut dice = town.draws("scan", &[block.0, turn]);
    for line in town.lines() {
        if !dice.chance(TRIED) {
            continue;
        }
        let start = moment(block, &mut dice);
        let opens = line.is_open && TELNET.contains(&port);
        let (back, out, lasts) = match (opens, dice.chance(0.2)) {
            // A login that fails: nobody gets in.
            (true, _) => (amount(14, 900, WHOLE), amount(12, 1_300, WHOLE), 9.0),
            (false, true) => (amount(1, 60, SYN), amount(1, 40, RST | ACK), 0.01),
            (false, false) => (amount(1, 60, SYN), amount(0, 0, 0), 0.0),
        };
        let remote = Remote { port: dice.ephemeral(), ..elsewhere(scanner, 0, TCP) };
        sessions.push(Session { line: *line, line_port: port, remote, begun_by_line: false, start, lasts, out, back });
    }
}

/// Somebody floods a victim elsewhere with forged sources; its answers go to those whose addresses were forged.
fn backscatter(town: &Router, block: Block, sessions: &mut Vec<Session>) {
    let mut dice = town.draws("backscatter", &[block.0]);
    for start in block.moments(&mut dice, STRAYS) {
        let victim = 240 + (Dice::of(&[block.0 / 36]).below(VICTIMS)) as u8;
        let Some(line) = town.lines().get(dice.below(town.lines().len() as u64) as usize) else { continue };
        let flags = if dice.chance(0.8) { SYN | ACK } else { RST | ACK };
        let remote = elsewhere(victim, if dice.chance(0.7) { 80 } else { 443 }, TCP);
        let line_port = dice.ephemeral();
        let (out, back) = (Amount::default(), amount(1, 44, flags));
        sessions.push(Session { line: *line, line_port, remote, begun_by_line: false, start, lasts: 0.0, out, back });
    }
}

fn moment(block: Block, dice: &mut Dice) -> f64 {
    block.start_seconds() + dice.unit() * BLOCK_SECONDS as f64
}
