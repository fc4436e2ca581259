//! Packets written by hand, a real capture where it is at hand, and whatever a generator thinks of.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use hinomi_wire::capture::Capture;
use hinomi_wire::packet::{Fragment, TCP, Tcp, UDP};
use proptest::prelude::*;

use super::*;

const CLIENT: (IpAddr, u16) = (IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 40_000);
const SERVER: (IpAddr, u16) = (IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 2)), 1_337);

fn packet(from: (IpAddr, u16), to: (IpAddr, u16), flags: Option<u8>) -> Packet {
    let tcp = flags.map(|flags| Tcp { sequence: 0, acknowledgement: 0, flags, window: 0 });
    Packet {
        source: from.0,
        destination: to.0,
        source_port: from.1,
        destination_port: to.1,
        protocol: if tcp.is_some() { TCP } else { UDP },
        ttl: 64,
        ip_id: 0,
        total_bytes: 100,
        fragment: None,
        tcp,
        icmp: None,
        payload_at: 0,
        payload_len: 0,
        cut: None,
    }
}

fn there(flags: u8) -> Packet {
    packet(CLIENT, SERVER, Some(flags))
}

fn back(flags: u8) -> Packet {
    packet(SERVER, CLIENT, Some(flags))
}

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn run(config: MeterConfig, packets: &[(i64, Packet)]) -> (Vec<FlowRecord>, MeterCounts) {
    let mut meter = Meter::new(config);
    let mut given = Vec::new();
    for (seconds, packet) in packets {
        meter.packet(at(*seconds), packet, &mut |record| given.push(record));
        assert_eq!(meter.conversations.len(), meter.deadlines.len());
    }
    meter.finish(&mut |record| given.push(record));
    assert_eq!(meter.conversations(), 0);
    (given, meter.counts().clone())
}

fn run_default(packets: &[(i64, Packet)]) -> (Vec<FlowRecord>, MeterCounts) {
    run(MeterConfig::default(), packets)
}

fn ended(counts: &MeterCounts) -> Vec<(Ended, u64)> {
    counts.records.iter().map(|(ended, count)| (*ended, *count)).collect()
}

const SA: u8 = Tcp::SYN | Tcp::ACK;
const FA: u8 = Tcp::FIN | Tcp::ACK;

#[test]
fn a_connection_is_one_record_of_both_directions() {
    let packets = [
        (0, there(Tcp::SYN)),
        (1, back(SA)),
        (1, there(Tcp::ACK)),
        (2, there(FA)),
        (2, back(FA)),
        (3, there(Tcp::ACK)),
    ];
    let (records, counts) = run_default(&packets);
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.source, record.source_port), CLIENT);
    assert_eq!((record.destination, record.destination_port), SERVER);
    let all = Tcp::SYN | Tcp::ACK | Tcp::FIN;
    assert_eq!((record.forward.packets, record.forward.bytes, record.forward.tcp_flags), (4, 400, all));
    assert_eq!(record.reverse.map(|reverse| (reverse.packets, reverse.tcp_flags)), Some((2, all)));
    assert_eq!((record.start, record.end, record.sampling), (at(0), at(3), 1));
    assert_eq!((counts.frames, counts.packets, counts.bytes), (6, 6, 600));
}

#[test]
fn an_answer_is_not_who_began() {
    let (records, _) = run_default(&[(0, back(SA)), (1, there(Tcp::ACK))]);
    assert!(records.iter().all(|record| (record.source, record.source_port) == CLIENT));
    let (records, _) = run_default(&[(0, back(Tcp::ACK)), (1, there(Tcp::ACK))]);
    assert!(records.iter().all(|record| (record.source, record.source_port) == SERVER), "begun before the capture");
}

#[test]
fn silence_ends_a_record() {
    let (records, counts) = run_default(&[(0, there(Tcp::ACK)), (59, there(Tcp::ACK)), (119, back(Tcp::ACK))]);
    assert_eq!(records.len(), 2);
    assert_eq!(ended(&counts), [(Ended::Idle, 1), (Ended::Finished, 1)]);
    assert_eq!(records.first().map(|record| (record.start, record.end)), Some((at(0), at(59))));
}

#[test]
fn a_long_conversation_keeps_who_began() {
    let packets: Vec<_> =
        (0..=20).map(|turn| (turn * 50, if turn == 6 { back(Tcp::ACK) } else { there(Tcp::ACK) })).collect();
    let (records, counts) = run_default(&packets);
    assert_eq!(ended(&counts), [(Ended::Active, 3), (Ended::Finished, 1)]);
    assert!(records.iter().all(|record| (record.source, record.source_port) == CLIENT), "turn 6 began a record");
}

#[test]
fn closed_ports_are_used_again() {
    let packets =
        [(0, there(Tcp::SYN)), (0, back(Tcp::RST | Tcp::ACK)), (1, there(Tcp::SYN)), (1, back(Tcp::RST | Tcp::ACK))];
    let (records, counts) = run_default(&packets);
    assert_eq!(records.len(), 2, "every retry is a record");
    assert_eq!(ended(&counts), [(Ended::Closed, 1), (Ended::Finished, 1)]);
    // A while after closing the record is given, long before the idle time.
    let other = packet((CLIENT.0, 9), (SERVER.0, 9), None);
    let (records, counts) = run_default(&[(0, there(Tcp::RST)), (5, other), (6, there(Tcp::ACK))]);
    assert_eq!((records.len(), counts.records.get(&Ended::Closed)), (3, Some(&1)));
}

#[test]
fn a_full_table_gives_the_longest_silent() {
    let config = MeterConfig { max_conversations: 2, ..MeterConfig::default() };
    let to = |port| packet(CLIENT, (SERVER.0, port), None);
    let (records, counts) = run(config, &[(0, to(1)), (1, to(2)), (2, to(1)), (3, to(3)), (4, to(4))]);
    let ports: Vec<u16> = records.iter().map(|record| record.destination_port).collect();
    assert_eq!(ports, [2, 1, 3, 4]);
    assert_eq!(ended(&counts), [(Ended::Evicted, 2), (Ended::Finished, 2)]);
}

#[test]
fn fragments_join_their_first_one() {
    let first = Packet { fragment: Some(Fragment { offset: 0, more: true }), ip_id: 7, ..packet(CLIENT, SERVER, None) };
    let later = Packet {
        fragment: Some(Fragment { offset: 1_480, more: false }),
        source_port: 0,
        destination_port: 0,
        cut: Some(Cut::LaterFragment),
        ..first
    };
    let (records, counts) = run_default(&[(0, first), (0, later)]);
    assert_eq!((records.len(), counts.orphans), (1, 0));
    let (records, counts) = run_default(&[(0, later), (0, first), (100, later)]);
    let ports: BTreeSet<u16> = records.iter().map(|record| record.destination_port).collect();
    assert_eq!((ports, counts.orphans), (BTreeSet::from([0, 1_337]), 2), "out of order, and too late");
}

#[test]
fn frames_that_are_no_packets_are_counted() {
    let mut meter = Meter::new(MeterConfig::default());
    let mut give = |_| panic!("no record");
    meter.frame(at(0), None, &[0; 60], &mut give);
    meter.frame(at(0), Some(Link::Ip), &[0x45; 10], &mut give);
    let expected = BTreeMap::from([(Unmetered::Link, 1), (Unmetered::Frame(Unread::Truncated), 1)]);
    assert_eq!((meter.counts().frames, meter.counts().packets, &meter.counts().unread), (2, 0, &expected));
}

#[test]
fn a_wrong_clock_only_empties_the_table() {
    let far = i64::from(u32::MAX);
    let (records, counts) = run_default(&[(0, there(Tcp::ACK)), (far, back(Tcp::ACK)), (1, there(Tcp::ACK))]);
    assert_eq!(records.iter().map(|record| record.forward.packets).sum::<u64>(), 3 - 1);
    assert_eq!((records.len(), counts.late), (2, 1));
}

/// The capture of a periodic client, unpacked with the system's gzip.
fn capture() -> Option<Vec<u8>> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = std::env::var_os("HINOMI_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join("flow/background/periodic-probe.pcap.gz");
    let output = Command::new("gzip").arg("-dc").arg(&path).output().ok().filter(|output| output.status.success());
    if output.is_none() {
        assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here: no {}", path.display());
        println!("stands aside: no {} or no gzip; set HINOMI_DATA", path.display());
    }
    output.map(|output| output.stdout)
}

#[test]
fn a_real_capture_is_in_its_records() {
    let Some(bytes) = capture() else { return };
    let mut capture = Capture::open(bytes.as_slice()).unwrap();
    let mut meter = Meter::new(MeterConfig::default());
    let (mut records, mut frames) = (Vec::new(), 0);
    while let Some(frame) = capture.next_frame().unwrap() {
        meter.frame(frame.time, frame.link, frame.bytes, &mut |record| records.push(record));
        frames += 1;
    }
    meter.finish(&mut |record| records.push(record));
    assert_eq!((frames, meter.counts().frames, meter.counts().packets), (1_084, 1_084, 1_084));
    assert_eq!(sums(&records), (1_084, meter.counts().bytes));
    let given: u64 = meter.counts().records.values().sum();
    assert_eq!(given, u64::try_from(records.len()).unwrap());
}

fn sums(records: &[FlowRecord]) -> (u64, u64) {
    let volumes = records.iter().flat_map(|record| [Some(record.forward), record.reverse]).flatten();
    volumes.fold((0, 0), |(packets, bytes), volume| (packets + volume.packets, bytes + volume.bytes))
}

/// Few ends, so that conversations meet; any flags, times that also go back.
fn any_packet() -> impl Strategy<Value = (i64, Packet)> {
    let cut = prop::option::weighted(0.1, Just(Cut::LaterFragment));
    (0..2_000_i64, 0..4_u8, 0..4_u8, 0..3_u16, 0..2_u16, any::<u8>(), 20..1_500_u32, any::<bool>(), cut, 0..3_u32)
        .prop_map(|(time, from, to, source_port, destination_port, flags, total_bytes, udp, cut, ip_id)| {
            let end = |last, port| (IpAddr::from([192, 0, 2, last]), port);
            let fragment = match (cut, ip_id) {
                (Some(_), _) => Some(Fragment { offset: 8, more: false }),
                (None, 0) => Some(Fragment { offset: 0, more: true }),
                _ => None,
            };
            let plain = packet(end(from, source_port), end(to, destination_port), (!udp).then_some(flags));
            (time, Packet { total_bytes, cut, fragment, ip_id, ..plain })
        })
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(
        packets in prop::collection::vec(any_packet(), 0..300),
        max_conversations in 1..20_usize,
        idle in 1..200_u64,
        active in 1..400_u64,
        sorted in any::<bool>(),
    ) {
        let mut packets = packets;
        if sorted {
            packets.sort_by_key(|(time, _)| *time);
        }
        let [idle, active] = [idle, active].map(Duration::from_secs);
        let config = MeterConfig { idle, active, max_conversations };
        let (records, counts) = run(config, &packets);
        let bytes = packets.iter().map(|(_, packet)| u64::from(packet.total_bytes)).sum();
        prop_assert_eq!(sums(&records), (u64::try_from(packets.len()).unwrap(), bytes));
        prop_assert_eq!((counts.packets, counts.bytes), sums(&records));
        prop_assert_eq!(counts.records.values().sum::<u64>(), u64::try_from(records.len()).unwrap());
        for record in &records {
            prop_assert!(record.start <= record.end);
            prop_assert!(sums(&[*record]).0 > 0, "a record without packets");
        }
        prop_assert_eq!(&run(config, &packets).0, &records, "the same packets, the same records in the same order");
    }

    #[test]
    fn the_table_is_bounded(packets in prop::collection::vec(any_packet(), 0..100), max_conversations in 1..5_usize) {
        let mut meter = Meter::new(MeterConfig { max_conversations, ..MeterConfig::default() });
        for (time, packet) in &packets {
            meter.packet(at(*time), packet, &mut |_| ());
            prop_assert!(meter.conversations() <= max_conversations);
            prop_assert_eq!(meter.conversations.len(), meter.deadlines.len());
        }
    }
}

#[test]
fn ports_for_fragments_are_forgotten_by_time_and_at_the_end() {
    let fragment = Some(Fragment { offset: 0, more: true });
    let mut meter = Meter::new(MeterConfig::default());
    let first = |id| Packet { fragment, ip_id: id, ..packet(CLIENT, SERVER, None) };
    meter.packet(at(100), &first(1), &mut |_| {});
    meter.packet(at(130), &first(2), &mut |_| {});
    meter.advance(at(160), &mut |_| {});
    assert_eq!(meter.fragments.held(), 2);
    meter.advance(at(161), &mut |_| {});
    assert_eq!(meter.fragments.held(), 1);
    meter.advance(at(60), &mut |_| {});
    assert_eq!(meter.fragments.held(), 0, "a clock that was set back");
    meter.packet(at(60), &first(3), &mut |_| {});
    meter.finish(&mut |_| {});
    assert_eq!(meter.fragments.held(), 0);
}
