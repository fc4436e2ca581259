//! What exporters do, and what hostile ones do.

use proptest::prelude::*;

use super::build::{ipfix, options, set, template, v5, v9};
use super::*;
use crate::flow::{Part, Unit, Volume};

/// Types and lengths.
type Fields = [(u16, u16)];

const NOW: u32 = 1_700_000_000;
/// Addresses, ports, protocol, bytes, packets, flags: 23 bytes.
const FLOW: [(u16, u16); 8] = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4), (6, 2)];

fn router() -> SocketAddr {
    "192.0.2.9:2055".parse().expect("an address")
}

fn at(seconds: u32) -> Timestamp {
    Timestamp::from_micros(i64::from(seconds) * 1_000_000)
}

/// 192.0.2.1:1000 -> 198.51.100.2:443, TCP, 77 bytes in 3 packets, SYN and ACK.
fn flow() -> Vec<u8> {
    let ports = [1_000_u16, 443].map(u16::to_be_bytes);
    [&[192, 0, 2, 1, 198, 51, 100, 2], ports.as_flattened(), &[6, 0, 0, 0, 77, 0, 0, 0, 3, 0, 18]].concat()
}

/// A decoder and what came out of it.
struct Bench {
    decoder: Decoder,
    records: Vec<FlowRecord>,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        Self { decoder: Decoder::new(limits), records: Vec::new() }
    }

    fn hear_at(&mut self, exporter: SocketAddr, received: Timestamp, datagram: &[u8]) -> &mut Self {
        self.decoder.decode(exporter, received, datagram, &mut |record| self.records.push(record));
        assert_eq!(self.decoder.counts().unaccounted(), 0);
        self
    }

    fn hear(&mut self, datagram: &[u8]) -> &mut Self {
        self.hear_at(router(), at(NOW), datagram)
    }

    fn counts(&self) -> &Counts {
        self.decoder.counts()
    }

    fn of_router(&self) -> ExporterCounts {
        *self.decoder.exporters().find(|(address, _)| *address == router()).expect("it was heard").1
    }
}

fn bench() -> Bench {
    Bench::new(Limits::default())
}

fn teach(fields: &[(u16, u16)]) -> Vec<u8> {
    ipfix(NOW, 0, 1, &[set(2, &template(256, fields))])
}

fn tell(number: u32, body: &[u8]) -> Vec<u8> {
    ipfix(NOW, number, 1, &[set(256, body)])
}

#[test]
fn a_record_is_projected() {
    let mut bench = bench();
    bench.hear(&teach(&FLOW)).hear(&tell(0, &flow()));
    let record = bench.records[0];
    assert_eq!(
        (record.source.to_string(), record.destination.to_string()),
        ("192.0.2.1".into(), "198.51.100.2".into())
    );
    assert_eq!((record.source_port, record.destination_port, record.protocol), (1_000, 443, 6));
    assert_eq!(record.forward, Volume { packets: 3, bytes: 77, tcp_flags: 18 });
    assert_eq!((record.reverse, record.start, record.end, record.sampling), (None, at(NOW), at(NOW), 0));
}

#[test]
fn icmp_has_no_ports_and_udp_no_flags() {
    let mut bench = bench();
    bench.hear(&teach(&FLOW));
    for protocol in [1, 58, 17] {
        let mut other = flow();
        other[12] = protocol;
        bench.hear(&tell(0, &other));
    }
    let ports: Vec<_> = bench.records.iter().map(|record| (record.source_port, record.destination_port)).collect();
    assert_eq!(ports, [(0, 0), (0, 0), (1_000, 443)]);
    assert!(bench.records.iter().all(|record| record.forward.tcp_flags == 0));
}

#[test]
fn biflows_tell_the_reverse_direction() {
    let mut bench = bench();
    let reverse = [[0x80, 1, 0, 8, 0, 0, 0x72, 0x79], [0x80, 2, 0, 3, 0, 0, 0x72, 0x79]].concat();
    let mut record = template(256, &FLOW);
    record[3] += 2;
    record.extend(reverse);
    let data = [flow(), 9_000_u64.to_be_bytes().to_vec(), vec![0, 1, 2]].concat();
    bench.hear(&ipfix(NOW, 0, 1, &[set(2, &record), set(256, &data)]));
    assert_eq!(bench.records[0].reverse, Some(Volume { packets: 258, bytes: 9_000, tcp_flags: 0 }));
}

#[test]
fn fields_of_variable_length_are_skipped() {
    let mut bench = bench();
    let fields = [&[(96, u16::MAX)], &FLOW[..4], &[(82, u16::MAX)], &FLOW[4..]].concat();
    let long = [[255, 1, 4].as_slice(), &[b'x'; 260]].concat();
    let (head, tail) = (flow()[..12].to_vec(), flow()[12..].to_vec());
    let short = [&[2, b'o', b'k'], head.as_slice(), &[0], &tail].concat();
    let data = [short, long, head, vec![1, 7], tail, vec![0, 0, 0]].concat();
    bench.hear(&teach(&fields)).hear(&tell(0, &data));
    assert_eq!(bench.records.len(), 2);
    assert!(bench.records.iter().all(|record| record.forward.bytes == 77 && record.destination_port == 443));
    assert_eq!(bench.counts().part(Part::Padding), 3);
    bench.hear(&tell(2, &[200; 40]));
    assert_eq!(bench.counts().refused(Reason::TruncatedRecord).bytes, 40);
}

/// Each way to say when, for a flow that began 5 s and ended 2 s before the export.
#[test]
fn every_way_to_tell_time() {
    let (start, end) = (u64::from(NOW) - 5, u64::from(NOW) - 2);
    let ntp = |seconds: u64| (seconds + 2_208_988_800) << 32;
    let boot = (u64::from(NOW) - 100) * 1_000;
    let ways: [(&Fields, Vec<u64>); 8] = [
        (&[(150, 4), (151, 4)], vec![start, end]),
        (&[(152, 8), (153, 8)], vec![start * 1_000, end * 1_000]),
        (&[(154, 8), (155, 8)], vec![ntp(start), ntp(end)]),
        (&[(156, 8), (157, 8)], vec![ntp(start), ntp(end)]),
        (&[(158, 4), (159, 4)], vec![5_000_000, 2_000_000]),
        (&[(160, 8), (22, 4), (21, 4)], vec![boot, 95_000, 98_000]),
        (&[(152, 8), (161, 4)], vec![start * 1_000, 3_000]),
        (&[(153, 8), (162, 4)], vec![end * 1_000, 3_000_000]),
    ];
    for (fields, values) in ways {
        let mut bench = bench();
        let widths = fields.iter().map(|&(_, width)| usize::from(width));
        let told: Vec<u8> =
            values.iter().zip(widths).flat_map(|(value, width)| value.to_be_bytes()[8 - width..].to_vec()).collect();
        bench.hear(&teach(&[&FLOW[..], fields].concat())).hear(&tell(0, &[flow(), told].concat()));
        assert_eq!((bench.records[0].start, bench.records[0].end), (at(NOW - 5), at(NOW - 2)), "{fields:?}");
    }
}

#[test]
fn uptime_of_v9_is_made_absolute() {
    let mut bench = bench();
    let fields = [&FLOW[..], &[(22, 4), (21, 4)]].concat();
    let data = [flow(), [u32::MAX, 1_000].map(u32::to_be_bytes).as_flattened().to_vec()].concat();
    bench.hear(&v9(4_000, NOW, 0, 7, &[set(0, &template(300, &fields)), set(300, &data)]));
    assert_eq!(
        (at(NOW).since(bench.records[0].start).as_millis(), at(NOW).since(bench.records[0].end).as_millis()),
        (4_001, 3_000)
    );
}

#[test]
fn sampling_comes_from_the_sampler_the_domain_or_the_record() {
    let mut bench = bench();
    let rates = |id: u8, rate: u8| vec![id, 0, rate];
    let everything = options(400, 1, &[(149, 1), (305, 1), (306, 2)]);
    let sampler = options(401, 1, &[(302, 1), (34, 2)]);
    let flows = template(256, &[&FLOW[..], &[(48, 1)]].concat());
    let own = template(257, &[&FLOW[..], &[(50, 2)]].concat());
    bench.hear(&ipfix(NOW, 0, 1, &[set(3, &[everything, sampler].concat()), set(2, &[flows, own].concat())]));
    let data = |sampler: u8| [flow(), vec![sampler]].concat();
    bench.hear(&tell(0, &data(5)));
    bench.hear(&ipfix(NOW, 1, 1, &[set(400, &[1, 1, 0, 99]), set(401, &[rates(5, 10), rates(6, 20)].concat())]));
    bench.hear(&tell(4, &[data(5), data(6), data(5), data(7)].concat()));
    bench.hear(&ipfix(NOW, 8, 1, &[set(257, &[flow(), vec![1, 0]].concat())]));
    let sampling: Vec<_> = bench.records.iter().map(|record| record.sampling).collect();
    assert_eq!(sampling, [0, 10, 20, 10, 100, 256], "not known before the option came; all, where the sampler is not");
    assert_eq!(bench.of_router().loss(Unit::Records).lost, 0, "options count as data records");
}

#[test]
fn interfaces_can_have_rates() {
    let mut bench = bench();
    let fields = [&FLOW[..], &[(10, 4), (14, 4)]].concat();
    // NetFlow v9: scope 2 is an interface; lengths are in bytes.
    let scope = [400, 4, 4, 2, 4, 34, 4].map(u16::to_be_bytes).as_flattened().to_vec();
    let rate = [9_u32, 512].map(u32::to_be_bytes).as_flattened().to_vec();
    let data = |from: u32, to: u32| [flow(), [from, to].map(u32::to_be_bytes).as_flattened().to_vec()].concat();
    let sets = [set(1, &scope), set(400, &rate), set(0, &template(256, &fields))];
    bench.hear(&v9(9_000, NOW, 0, 0, &sets));
    bench.hear(&v9(9_000, NOW, 1, 0, &[set(256, &[data(9, 1), data(1, 9), data(1, 2)].concat())]));
    assert_eq!(bench.records.iter().map(|record| record.sampling).collect::<Vec<_>>(), [512, 512, 0]);
}

#[test]
fn exporters_and_domains_do_not_mix() {
    let mut bench = bench();
    let other: SocketAddr = "192.0.2.9:2056".parse().expect("an address");
    let swapped = [(12, 4), (8, 4), (11, 2), (7, 2), (4, 1), (1, 4), (2, 4), (6, 2)];
    bench.hear(&teach(&FLOW)).hear(&ipfix(NOW, 0, 2, &[set(2, &template(256, &swapped))]));
    bench.hear_at(other, at(NOW), &tell(0, &flow()));
    assert!(bench.records.is_empty(), "another port is another exporter");
    bench.hear(&tell(0, &flow())).hear(&ipfix(NOW, 0, 2, &[set(256, &flow())]));
    assert_eq!(bench.records.iter().map(|record| record.source_port).collect::<Vec<_>>(), [1_000, 443]);
    bench.hear_at(other, at(NOW), &teach(&FLOW));
    assert_eq!(bench.counts().sets_replayed, 1);
}

#[test]
fn templates_change_and_are_withdrawn() {
    let mut bench = bench();
    bench.hear(&teach(&FLOW)).hear(&teach(&FLOW));
    assert_eq!((bench.counts().templates, bench.counts().templates_changed), (2, 0));
    bench.hear(&teach(&FLOW[..5])).hear(&tell(0, &flow()[..13]));
    assert_eq!((bench.counts().templates_changed, bench.records.len()), (1, 1));
    bench.hear(&ipfix(NOW, 1, 1, &[set(2, &[1, 0, 0, 0])])).hear(&tell(1, &flow()[..13]));
    assert_eq!((bench.counts().templates_withdrawn, bench.records.len()), (1, 1));
    bench.hear(&teach(&FLOW[..5])).hear(&ipfix(NOW, 2, 1, &[set(2, &[0, 2, 0, 0])]));
    assert_eq!((bench.counts().templates_withdrawn, bench.decoder.kept().templates), (2, 0), "all of them at once");
}

#[test]
fn what_waits_is_bounded_ages_and_is_given_up() {
    let kept = Kept { held_bytes: 1_000, ..Limits::default().per_exporter };
    let mut bench = Bench::new(Limits { per_exporter: kept, ..Limits::default() });
    for number in 0..10 {
        bench.hear(&tell(number, &flow()));
    }
    let counts = bench.counts();
    assert_eq!((counts.sets_before_template, counts.refused(Reason::MissingTemplate).items), (10, 6));
    assert_eq!((counts.held_bytes, bench.decoder.kept().held_bytes), (92, 860));
    bench.hear_at(router(), at(NOW + 3_600), &v5(1, NOW, 0, 0));
    assert_eq!((bench.counts().held_bytes, bench.counts().refused(Reason::MissingTemplate).items), (0, 10));
    bench.hear_at(router(), at(NOW + 3_600), &tell(10, &flow()));
    bench.decoder.finish();
    assert_eq!((bench.counts().held_bytes, bench.counts().unaccounted()), (0, 0));
    assert_eq!(bench.decoder.kept().held_bytes, 0);
}

#[test]
fn what_waits_is_given_up_also_when_every_exporter_is_silent() {
    let (mut bench, age) = (bench(), u32::try_from(Limits::default().held_age.as_secs()).expect("short"));
    bench.hear(&tell(0, &flow()));
    let held = bench.decoder.kept().held_bytes;
    assert!(held > 0);
    for seconds in [30, 120, age] {
        bench.decoder.tick(at(NOW + seconds));
        assert_eq!(bench.decoder.kept().held_bytes, held, "after {seconds} s");
    }
    bench.decoder.tick(at(NOW + age + 61));
    assert_eq!(bench.decoder.kept().held_bytes, 0);
    assert_eq!((bench.counts().held_bytes, bench.counts().refused(Reason::MissingTemplate).items), (0, 1));
    assert_eq!(bench.counts().unaccounted(), 0);
}

#[test]
fn a_bomb_of_templates_costs_its_sender_only() {
    let mut bench = bench();
    let victim: SocketAddr = "198.51.100.9:1".parse().expect("an address");
    let bomb: Vec<Vec<u8>> = (256..8_000).map(|id| template(id, &[(8, 4), (12, 4)])).collect();
    for domain in 0..200 {
        bench.hear(&ipfix(NOW, 0, domain, &[set(2, &bomb[..5_000].concat())]));
    }
    let counts = bench.counts();
    assert_eq!((counts.templates, counts.refused(Reason::TooManyTemplates).items), (4_096, 1_000_000 - 4_096));
    assert_eq!(bench.decoder.kept().templates, 4_096);
    bench.hear_at(victim, at(NOW), &teach(&FLOW)).hear_at(victim, at(NOW), &tell(0, &flow()));
    assert_eq!(bench.records.len(), 1);
    assert!(bench.decoder.forget(router()).is_some());
    assert_eq!(bench.decoder.kept().templates, 1);
}

#[test]
fn domains_exporters_and_selectors_are_bounded() {
    let few = Kept { domains: 2, templates: 9, selectors: 1, held_bytes: 0 };
    let mut bench = Bench::new(Limits { exporters: 2, per_exporter: few, ..Limits::default() });
    for domain in 0..5 {
        bench.hear(&ipfix(NOW, 0, domain, &[set(3, &options(400, 1, &[(302, 1), (34, 1)]))]));
    }
    assert_eq!(bench.counts().refused(Reason::TooManyDomains).items, 3);
    bench.hear(&tell(0, &flow())).hear(&ipfix(NOW, 0, 1, &[set(400, &[1, 10, 2, 20, 1, 30])]));
    assert_eq!(bench.counts().refused(Reason::MissingTemplate).items, 1);
    assert_eq!((bench.counts().selectors_refused, bench.decoder.kept().selectors), (1, 1));
    for port in 1..5 {
        bench.hear_at(SocketAddr::new(router().ip(), port), at(NOW), &v5(0, NOW, 0, 1));
    }
    assert_eq!(bench.counts().refused(Reason::TooManyExporters).items, 3);
    let later = at(NOW + 3 * 3_600);
    bench.hear_at("198.51.100.1:1".parse().expect("an address"), later, &v5(0, NOW, 0, 1));
    assert_eq!((bench.decoder.exporters().count(), bench.counts().forgotten), (1, 2));
    assert_eq!(bench.decoder.kept(), Kept { domains: 1, ..Kept::default() });
}

#[test]
fn impossible_templates_are_named() {
    let mut bench = bench();
    let many: Vec<(u16, u16)> = (0..600).map(|field| (field, 1)).collect();
    bench.hear(&teach(&[(8, 0), (12, 0)]));
    bench.hear(&teach(&many));
    bench.hear(&ipfix(NOW, 0, 1, &[set(2, &[1, 0, 255, 255, 0, 8, 0, 4])]));
    bench.hear(&ipfix(NOW, 0, 1, &[set(77, &[1, 2, 3]), vec![1, 0, 0, 3, 9]]));
    let refused = |reason| bench.counts().refused(reason).items;
    assert_eq!((refused(Reason::ImpossibleTemplate), refused(Reason::TooManyFields)), (1, 1));
    assert_eq!((refused(Reason::BadTemplate), refused(Reason::ReservedSet), refused(Reason::BadSetLength)), (1, 1, 1));
}

#[test]
fn fields_of_no_length_are_passed_over() {
    let mut bench = bench();
    bench.hear(&teach(&[&[(8, 0), (1, 0)], &FLOW[..]].concat())).hear(&tell(0, &flow()));
    assert_eq!((bench.records[0].forward.bytes, bench.records[0].source.to_string()), (77, "192.0.2.1".into()));
}

#[test]
fn a_reboot_forgets_what_was_said_before_it() {
    let mut bench = bench();
    let day_ms = 86_400_000;
    bench.hear(&v9(30 * day_ms, NOW, 900, 0, &[set(0, &template(256, &FLOW)), set(256, &flow())]));
    bench.hear(&v9(30 * day_ms - 80_000, NOW, 901, 0, &[set(256, &flow())]));
    assert_eq!((bench.records.len(), bench.of_router().reboots), (2, 0), "80 s back is a late datagram");
    bench.hear(&v9(3_000, NOW, 0, 0, &[set(256, &flow())]));
    assert_eq!((bench.records.len(), bench.of_router().reboots, bench.decoder.kept().templates), (2, 1, 0));
    bench.hear(&v9(4_000, NOW, 1, 0, &[set(0, &template(256, &FLOW))]));
    assert_eq!((bench.records.len(), bench.counts().sets_replayed), (3, 1));
    assert_eq!(bench.of_router().loss(Unit::Packets).lost, 0);
}

#[test]
fn loss_is_counted_by_each_protocols_own_rule() {
    let mut bench = bench();
    bench.hear(&v5(0, NOW, 100, 3)).hear(&v5(0, NOW, 110, 2));
    assert_eq!(bench.of_router().loss(Unit::Flows).lost, 7);
    bench.hear(&v9(0, NOW, 5, 0, &[])).hear(&v9(0, NOW, 8, 0, &[])).hear(&v9(0, NOW, 7, 0, &[]));
    assert_eq!((bench.of_router().loss(Unit::Packets).lost, bench.of_router().late), (1, 1), "one came late");
    bench.hear(&teach(&FLOW)).hear(&tell(0, &[flow(), flow()].concat())).hear(&tell(12, &flow()));
    assert_eq!(bench.of_router().loss(Unit::Records).lost, 10);
    assert!((bench.of_router().loss(Unit::Records).share() - 10.0 / 13.0).abs() < 1e-9);
}

#[test]
fn records_without_hosts_are_named_and_counted() {
    let mut bench = bench();
    bench.hear(&teach(&FLOW[1..])).hear(&tell(0, &flow()[4..])).hear(&tell(2, &flow()[4..]));
    assert_eq!(bench.counts().refused(Reason::NoAddresses).items, 2);
    assert_eq!(bench.of_router().loss(Unit::Records).lost, 1, "they are data records all the same");
}

/// The bytes of one field of [`flow`].
fn piece(index: usize) -> Vec<u8> {
    let start: usize = FLOW[..index].iter().map(|&(_, width)| usize::from(width)).sum();
    flow()[start..start + usize::from(FLOW[index].1)].to_vec()
}

/// Sets of any kind, whole or not, often for templates that are known.
fn any_sets() -> impl Strategy<Value = Vec<u8>> {
    let fields = prop::collection::vec((0_u16..400, prop_oneof![0_u16..17, Just(u16::MAX), any::<u16>()]), 0..12);
    let id = prop_oneof![0_u16..5, 256_u16..260];
    let taught = (256_u16..260, fields, any::<bool>()).prop_map(|(id, fields, scoped)| match scoped {
        true => [set(3, &options(id, 1, &fields)), set(1, &options(id, 4, &fields))].concat(),
        false => [set(2, &template(id, &fields)), set(0, &template(id, &fields))].concat(),
    });
    let told = (id, prop::collection::vec(any::<u8>(), 0..120)).prop_map(|(id, body)| set(id, &body));
    let torn = prop::collection::vec(any::<u8>(), 0..9);
    prop::collection::vec(prop_oneof![taught, told, torn], 0..6).prop_map(|sets| sets.concat())
}

fn any_datagram() -> impl Strategy<Value = Vec<u8>> {
    let words = || (any::<u32>(), 0_u32..3);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (words(), any_sets()).prop_map(|((number, domain), sets)| ipfix(NOW, number, domain, &[sets])),
        (words(), any_sets()).prop_map(|((number, source), sets)| v9(number, NOW, number, source, &[sets])),
        (words(), 0_u16..5, 0_usize..60).prop_map(|((number, _), count, cut)| {
            let whole = v5(number, NOW, number, count);
            whole[..whole.len().saturating_sub(cut)].to_vec()
        }),
        (1_u32..4, prop::collection::vec(any::<u8>(), 0..160)).prop_map(|(format, body)| {
            let length = u32::try_from(body.len()).expect("short");
            let words = [5, 1, 0x0a00_0001, 0, 1, 1, 2, format, length].map(u32::to_be_bytes);
            [words.as_flattened(), &body].concat()
        }),
    ]
}

proptest! {
    /// Bytes in are parts, refusals and what waits, at every moment and at the end; a limit never gives way.
    #[test]
    fn no_byte_is_lost(datagrams in prop::collection::vec((any_datagram(), 1_u16..4, 0_u32..9_000), 1..30)) {
        let kept = Kept { domains: 3, templates: 4, selectors: 2, held_bytes: 700 };
        let limits = Limits { exporters: 2, per_exporter: kept, total: kept, ..Limits::default() };
        let mut decoder = Decoder::new(limits);
        let mut given = 0_u64;
        for (datagram, port, later) in &datagrams {
            let exporter = SocketAddr::new(router().ip(), *port);
            decoder.decode(exporter, at(NOW + later), datagram, &mut |record| {
                assert!(record.start <= record.end);
                given += 1;
            });
            prop_assert_eq!(decoder.counts().unaccounted(), 0);
            prop_assert_eq!(decoder.counts().records, given);
            let now = decoder.kept();
            prop_assert!(now.domains <= 3 && now.templates <= 4 && now.selectors <= 2 && now.held_bytes <= 700);
        }
        let sent: usize = datagrams.iter().map(|(datagram, ..)| datagram.len()).sum();
        prop_assert_eq!(decoder.counts().bytes, u64::try_from(sent).expect("fits"));
        let known: Vec<_> = decoder.exporters().map(|(address, _)| address).collect();
        for exporter in known {
            decoder.forget(exporter);
        }
        prop_assert_eq!((decoder.counts().held_bytes, decoder.counts().unaccounted()), (0, 0));
        prop_assert_eq!(decoder.kept(), Kept::default());
    }

    /// Fixed and variable length, and any order of fields, read the same.
    #[test]
    fn order_of_fields_does_not_matter(
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        variable in 0_usize..9,
    ) {
        let mut fields: Vec<(u16, u16)> = order.iter().map(|&index| FLOW[index]).collect();
        let mut data: Vec<Vec<u8>> = order.iter().map(|&index| piece(index)).collect();
        fields.insert(variable, (96, u16::MAX));
        data.insert(variable, vec![3, 1, 2, 3]);
        let (mut shuffled, mut plain) = (bench(), bench());
        shuffled.hear(&teach(&fields)).hear(&tell(0, &data.concat()));
        plain.hear(&teach(&FLOW)).hear(&tell(0, &flow()));
        prop_assert_eq!(shuffled.records, plain.records);
    }
}
