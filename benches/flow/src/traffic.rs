//! A carrier's traffic as one router tells it: IPFIX, each direction of a session in a record of its own.
//!
//! A million lines; half of the sessions go to a thousand popular servers, a third to 200,000 others, the rest anywhere.
//! One session in ten is not answered. The answer's record comes some thousand records after the question's. Everything
//! follows from the number of the session, so that no list is kept and any number of records can be made.

use std::net::Ipv4Addr;

pub const LINES: u32 = 1_000_000;
const POPULAR: u32 = 1_000;
const OTHERS: u32 = 200_000;
/// The answer comes so many sessions later.
const BEHIND: u64 = 4_000;
/// Records a second of the time that the records tell.
pub const PER_SECOND: u64 = 1_000_000;
pub const RECORDS_A_DATAGRAM: u64 = 26;
/// The moment of the first record.
pub const BEGIN_SECONDS: u32 = 1_763_769_600;

const TEMPLATE_ID: u16 = 300;
const FIELDS: [(u16, u16); 10] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (2, 8), (1, 8), (152, 8), (153, 8)];
const RECORD_BYTES: u64 = 46;
const PORTS: [u16; 8] = [443, 443, 443, 80, 53, 123, 8_080, 5_223];

/// Writes datagrams one after another.
pub struct Traffic {
    session: u64,
    records: u64,
}

struct Session {
    line: u32,
    server: u32,
    line_port: u16,
    port: u16,
    protocol: u8,
    random: u64,
}

impl Session {
    fn of(number: u64) -> Self {
        let random = spread(number);
        let kind = random % 100;
        let choice = spread(random);
        let (server, port) = match kind {
            // Squared: the first of them are far more popular.
            0..50 => {
                let at = (choice % u64::from(POPULAR)) * (choice >> 32 & 0x3ff) / 1_024;
                (0x0800_0000 + at as u32 * 7, 443)
            }
            50..82 => {
                let at = choice as u32 % OTHERS;
                (0x2000_0000 + at * 5_003, PORTS[at as usize % PORTS.len()])
            }
            _ => (0x4000_0000 | (choice as u32 & 0x3fff_ffff), PORTS[(choice >> 40) as usize % PORTS.len()]),
        };
        let line = 0x0a00_0000 + (spread(choice) % u64::from(LINES)) as u32;
        let protocol = if port == 53 || port == 123 { 17 } else { 6 };
        Self { line, server, line_port: 32_768 | (random >> 48) as u16, port, protocol, random }
    }

    fn is_answered(&self) -> bool {
        self.random >> 8 & 0xff > 25
    }
}

impl Traffic {
    pub const fn new() -> Self {
        Self { session: 0, records: 0 }
    }

    /// Records written so far.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// The moment at which the next datagram is sent, in microseconds.
    pub const fn now_us(&self) -> i64 {
        BEGIN_SECONDS as i64 * 1_000_000 + (self.records * 1_000_000 / PER_SECOND) as i64
    }

    /// Writes the next datagram.
    pub fn datagram(&mut self, out: &mut Vec<u8>) {
        out.clear();
        let seconds = (self.now_us() / 1_000_000) as u32;
        out.extend([0, 10, 0, 0]);
        out.extend(seconds.to_be_bytes());
        out.extend((self.records as u32).to_be_bytes());
        out.extend(1_u32.to_be_bytes());
        if self.records.is_multiple_of(RECORDS_A_DATAGRAM * 10_000) {
            template(out);
        }
        let set = out.len();
        out.extend(TEMPLATE_ID.to_be_bytes());
        out.extend([0, 0]);
        for _ in 0..RECORDS_A_DATAGRAM / 2 {
            self.one(out);
            self.one(out);
        }
        let (set_bytes, bytes) = ((out.len() - set) as u16, out.len() as u16);
        out[set + 2..set + 4].copy_from_slice(&set_bytes.to_be_bytes());
        out[2..4].copy_from_slice(&bytes.to_be_bytes());
    }

    /// The next record: a question, or the answer to one before it.
    fn one(&mut self, out: &mut Vec<u8>) {
        let now_ms = (self.now_us() / 1_000) as u64;
        let is_answer = self.records % 2 == 1;
        self.records += 1;
        if is_answer && self.session > BEHIND {
            let session = Session::of(self.session - BEHIND);
            if session.is_answered() {
                return record(out, &session, false, now_ms);
            }
        }
        self.session += 1;
        record(out, &Session::of(self.session), true, now_ms);
    }
}

fn record(out: &mut Vec<u8>, session: &Session, question: bool, now_ms: u64) {
    let mut bytes = [0; RECORD_BYTES as usize];
    let (line, server) = ((session.line, session.line_port), (session.server, session.port));
    let (from, to) = if question { (line, server) } else { (server, line) };
    bytes[0..4].copy_from_slice(&from.0.to_be_bytes());
    bytes[4..8].copy_from_slice(&to.0.to_be_bytes());
    bytes[8..10].copy_from_slice(&from.1.to_be_bytes());
    bytes[10..12].copy_from_slice(&to.1.to_be_bytes());
    bytes[12] = session.protocol;
    bytes[13] = if session.protocol == 17 {
        0
    } else if session.is_answered() {
        0x1b
    } else {
        2
    };
    let packets = 1 + (session.random >> 16 & 0x1f);
    bytes[14..22].copy_from_slice(&packets.to_be_bytes());
    let each = if question { 90 } else { 700 };
    bytes[22..30].copy_from_slice(&(packets * each).to_be_bytes());
    let lasted = session.random >> 24 & 0xfff;
    bytes[30..38].copy_from_slice(&(now_ms - lasted - u64::from(question)).to_be_bytes());
    bytes[38..46].copy_from_slice(&now_ms.to_be_bytes());
    out.extend(bytes);
}

fn template(out: &mut Vec<u8>) {
    out.extend(2_u16.to_be_bytes());
    out.extend((8 + FIELDS.len() as u16 * 4).to_be_bytes());
    out.extend(TEMPLATE_ID.to_be_bytes());
    out.extend((FIELDS.len() as u16).to_be_bytes());
    for (id, length) in FIELDS {
        out.extend(id.to_be_bytes());
        out.extend(length.to_be_bytes());
    }
}

/// Where the lines are, as a list of prefixes.
pub fn subscribers() -> String {
    format!("{}/8", Ipv4Addr::new(10, 0, 0, 0))
}

/// The finaliser of SplitMix64.
fn spread(value: u64) -> u64 {
    let mixed = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
