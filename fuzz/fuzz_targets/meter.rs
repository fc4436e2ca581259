//! Packets at any times, made into flows: every packet is in exactly one record, every frame that is in none is counted.
#![no_main]

use std::time::Duration;

use hinomi_flow::meter::{Meter, MeterConfig, MeterCounts};
use hinomi_model::Timestamp;
use hinomi_wire::flow::{FlowRecord, Volume};
use hinomi_wire::packet::Link;
use libfuzzer_sys::fuzz_target;

const LINKS: [Option<Link>; 4] = [Some(Link::Ip), Some(Link::Ethernet), Some(Link::Cooked), None];

/// Frames, each behind its link, the seconds that passed (or went back), and its length.
fn run(config: MeterConfig, mut bytes: &[u8]) -> (Vec<FlowRecord>, MeterCounts) {
    let (mut meter, mut given) = (Meter::new(config), Vec::new());
    let mut seconds = 1_764_000_000_i64;
    while let [link, passed, length, rest @ ..] = bytes {
        let (frame, after) = rest.split_at(rest.len().min(usize::from(*length)));
        seconds += i64::from(passed.cast_signed());
        let time = Timestamp::from_micros(seconds * 1_000_000);
        meter.frame(time, LINKS[usize::from(*link) % LINKS.len()], frame, &mut |record| given.push(record));
        assert!(meter.conversations() <= config.max_conversations);
        bytes = after;
    }
    meter.finish(&mut |record| given.push(record));
    assert_eq!(meter.conversations(), 0);
    (given, meter.counts().clone())
}

fuzz_target!(|bytes: &[u8]| {
    let [idle, active, most, rest @ ..] = bytes else { return };
    let seconds = |byte: &u8| Duration::from_secs(u64::from(*byte));
    let max_conversations = 1 + usize::from(*most % 8);
    let config = MeterConfig { idle: seconds(idle), active: seconds(active), max_conversations };
    let (given, counts) = run(config, rest);
    assert_eq!(counts.frames, counts.packets + counts.unread.values().sum::<u64>());
    assert_eq!(counts.records.values().sum::<u64>(), given.len() as u64);
    let both = |of: fn(&Volume) -> u64| -> u64 {
        given.iter().map(|record| of(&record.forward) + record.reverse.as_ref().map_or(0, of)).sum()
    };
    assert_eq!((both(|side| side.packets), both(|side| side.bytes)), (counts.packets, counts.bytes));
    assert!(given.iter().all(|record| record.start <= record.end && record.sampling == 1));
    assert_eq!(run(config, rest).0, given, "the same packets give the same records in the same order");
});
