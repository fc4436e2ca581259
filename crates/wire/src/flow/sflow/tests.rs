//! Datagrams of an agent that samples, counts and drops.

use std::net::SocketAddr;

use hinomi_model::Timestamp;

use crate::flow::{Decoder, FlowRecord, Part, Reason, Unit, Volume};

fn words(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A sample or a record: its format, its length, its content.
fn framed(format: u32, content: &[u8]) -> Vec<u8> {
    [words(&[format, u32::try_from(content.len()).expect("short")]), content.to_vec()].concat()
}

fn datagram(number: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(samples.len()).expect("few");
    [words(&[5, 1, 0x0a00_0001, 0, number, 1_000, count]), samples.concat()].concat()
}

/// A packet sample of interface 3, one of 512.
fn sample(drops: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(records.len()).expect("few");
    framed(1, &[words(&[1, 3, 512, 9_999, drops, 3, 4, count]), records.concat()].concat())
}

fn sampled_ipv4(protocol: u32) -> Vec<u8> {
    framed(3, &words(&[60, protocol, 0xc000_0201, 0xc633_6402, 5_000, 443, 2, 0]))
}

fn sampled_ipv6() -> Vec<u8> {
    let hosts = [0x2001_0db8, 0, 0, 1, 0x2001_0db8, 0, 0, 2];
    framed(4, &words(&[&[80, 17], &hosts[..], &[5_353, 53, 0, 0]].concat()))
}

fn hear(decoder: &mut Decoder, datagram: &[u8]) -> Vec<FlowRecord> {
    let mut records = Vec::new();
    let agent: SocketAddr = "192.0.2.9:6343".parse().expect("an address");
    decoder.decode(agent, Timestamp::from_micros(77), datagram, &mut |record| records.push(record));
    assert_eq!(decoder.counts().unaccounted(), 0);
    records
}

#[test]
fn packets_told_without_their_header_are_read() {
    let mut decoder = Decoder::default();
    let both = [sample(0, &[framed(1_001, &[0; 16]), sampled_ipv4(6)]), sample(0, &[sampled_ipv6()])];
    let records = hear(&mut decoder, &datagram(1, &both));
    let [ipv4, ipv6] = records[..] else { panic!("two records") };
    assert_eq!((ipv4.source.to_string(), ipv4.destination.to_string()), ("192.0.2.1".into(), "198.51.100.2".into()));
    assert_eq!((ipv4.source_port, ipv4.destination_port, ipv4.protocol, ipv4.sampling), (5_000, 443, 6, 512));
    assert_eq!(ipv4.forward, Volume { packets: 1, bytes: 60, tcp_flags: 2 });
    assert_eq!((ipv4.start.as_micros(), ipv4.end.as_micros()), (77, 77));
    assert_eq!((ipv6.source.to_string(), ipv6.destination_port), ("2001:db8::1".into(), 53));
}

#[test]
fn expanded_samples_are_read_and_icmp_has_no_ports() {
    let mut decoder = Decoder::default();
    let head = words(&[1, 0, 70_000, 64, 9_999, 0, 0, 1, 0, 2, 1]);
    let records = hear(&mut decoder, &datagram(1, &[framed(3, &[head, sampled_ipv4(1)].concat())]));
    assert_eq!((records[0].sampling, records[0].source_port, records[0].destination_port), (64, 0, 0));
}

#[test]
fn counters_and_what_is_not_read_are_counted() {
    let mut decoder = Decoder::default();
    let arp = [&[0xff; 12][..], &[8, 6], &[0; 28]].concat();
    let raw = framed(1, &[words(&[1, 64, 4, 42]), arp, vec![0, 0]].concat());
    let samples = [framed(2, &[0; 40]), framed(4, &[0; 44]), framed(99, &[0; 12]), sample(0, &[raw]), sample(0, &[])];
    assert!(hear(&mut decoder, &datagram(1, &samples)).is_empty());
    let counts = decoder.counts();
    assert_eq!((counts.counter_samples, counts.part(Part::Counter)), (2, 84));
    assert_eq!(counts.refused(Reason::UnknownSample).bytes, 12);
    assert_eq!(counts.refused(Reason::UnreadablePacket).items, 2);
}

#[test]
fn a_sample_or_record_that_does_not_end_is_refused() {
    let mut decoder = Decoder::default();
    let whole = datagram(1, &[sample(0, &[sampled_ipv4(6)])]);
    for end in 28..whole.len() {
        assert!(hear(&mut decoder, &whole[..end]).is_empty());
    }
    let torn = sample(0, &[words(&[3, 900, 0])]);
    assert!(hear(&mut decoder, &datagram(1, &[torn])).is_empty());
    let bad = decoder.counts().refused(Reason::BadSample).items;
    assert_eq!(usize::try_from(bad).expect("fits"), whole.len() - 28 + 1);
}

#[test]
fn datagrams_and_dropped_samples_are_missed() {
    let mut decoder = Decoder::default();
    for (number, drops) in [(10, 100), (11, 103), (15, 110)] {
        hear(&mut decoder, &datagram(number, &[sample(drops, &[sampled_ipv4(6)])]));
    }
    let counts = *decoder.exporters().next().expect("an agent").1;
    assert_eq!((counts.loss(Unit::Datagrams).lost, counts.loss(Unit::Datagrams).received), (3, 3));
    assert_eq!((counts.loss(Unit::Samples).lost, counts.loss(Unit::Samples).received), (10, 3));
    assert!((counts.lost_share() - 10.0 / 13.0).abs() < 1e-9);
}
