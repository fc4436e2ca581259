//! Datagrams of real exporters, against what another decoder read from them.

use std::net::IpAddr;

use serde_json::Value;

use super::super::samples::sample;
use super::*;

/// Uptime is told modulo this; the other decoder did not notice when it wrapped, and wrote milliseconds.
const WRAP_US: i64 = (1 << 32) * 1_000;

/// Wide enough that clocks of the samples are taken as they are.
fn limits() -> Limits {
    let year = Duration::from_hours(366 * 24);
    Limits { future: year, past: 60 * year, clock_skew: year, ..Limits::default() }
}

fn exporter() -> SocketAddr {
    "192.0.2.1:9995".parse().expect("an address")
}

/// Seconds of the export, as the header tells them.
fn exported(datagram: &[u8]) -> Timestamp {
    let at = if datagram.starts_with(&[0, 10]) { 4 } else { 8 };
    let seconds = datagram.get(at..at + 4).expect("a header").try_into().expect("four bytes");
    Timestamp::from_micros(i64::from(u32::from_be_bytes(seconds)) * 1_000_000)
}

fn decode(files: &[&str]) -> Option<(Vec<FlowRecord>, Decoder)> {
    let mut decoder = Decoder::new(limits());
    let mut records = Vec::new();
    for file in files {
        let datagram = sample(&format!("decode/dat/{file}"))?;
        decoder.decode(exporter(), exported(&datagram), &datagram, &mut |record| records.push(record));
        assert_eq!(decoder.counts().unaccounted(), 0, "{file}");
    }
    decoder.finish();
    assert_eq!(decoder.counts().unaccounted(), 0);
    Some((records, decoder))
}

fn any<'a>(flow: &'a Value, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| flow.get(*name))
}

fn number(flow: &Value, names: &[&str]) -> Option<u64> {
    any(flow, names)?.as_u64()
}

fn address(flow: &Value, names: &[&str]) -> Option<IpAddr> {
    any(flow, names)?.as_str()?.parse().ok()
}

/// A time that the other decoder wrote, in microseconds.
fn time(flow: &Value, text: &str, seconds: &str, millis: &str) -> Option<i64> {
    let written = || flow.get(text)?.as_str()?.parse::<Timestamp>().ok().map(Timestamp::as_micros);
    let of = |name: &str, unit: i64| flow.get(name)?.as_i64().map(|time| time * unit);
    written().or_else(|| of(seconds, 1_000_000)).or_else(|| of(millis, 1_000))
}

/// The other decoder forgets to borrow a second when it subtracts an uptime's fraction (NetFlow v5 and v9). Where the
/// expectations were written by hand, a fraction of .999 stands for any.
fn same_time(ours: Timestamp, theirs: Option<i64>, version: &Value) -> bool {
    let Some(theirs) = theirs else { return true };
    let within = if theirs.rem_euclid(1_000_000) == 999_000 { 1_000_000 } else { 1_000 };
    let same = |theirs: i64| (ours.as_micros() - theirs + within - 1_000).rem_euclid(WRAP_US) < within;
    same(theirs) || ((*version == 5 || *version == 9) && same(theirs - 1_000_000))
}

/// Whether a record says what the other decoder read, as far as both say something.
fn agrees(record: &FlowRecord, flow: &Value) -> bool {
    let told = |ours: u64, names: &[&str]| number(flow, names).is_none_or(|theirs| theirs == ours);
    let uptimes = flow.get("flowEndSysUpTime").zip(flow.get("flowStartSysUpTime"));
    let lasted = uptimes.and_then(|(end, start)| Some(end.as_i64()? - start.as_i64()?));
    let ports = super::super::plan::has_ports(record.protocol);
    let post = number(flow, &["in_pkts"]) == Some(0) && number(flow, &["out_pkts"]).is_some_and(|out| out > 0);
    let volume = if post { (["out_pkts"], ["out_bytes"]) } else { (["in_pkts"], ["in_bytes"]) };
    Some(record.source) == address(flow, &["ipv4_src_addr", "sourceIPv4Address", "sourceIPv6Address"])
        && Some(record.destination)
            == address(flow, &["ipv4_dst_addr", "destinationIPv4Address", "destinationIPv6Address"])
        && told(u64::from(record.protocol), &["protocol", "protocolIdentifier"])
        && (!ports || told(u64::from(record.source_port), &["l4_src_port", "sourceTransportPort"]))
        && (!ports || told(u64::from(record.destination_port), &["l4_dst_port", "destinationTransportPort"]))
        && told(record.forward.packets, &[volume.0.as_slice(), &["packetDeltaCount"]].concat())
        && told(record.forward.bytes, &[volume.1.as_slice(), &["octetDeltaCount", "fwd_flow_delta_bytes"]].concat())
        && told(u64::from(record.forward.tcp_flags), &["tcp_flags", "tcpControlBits"])
        && same_time(
            record.start,
            time(flow, "first_switched", "flowStartSeconds", "flow_start_msec"),
            &flow["version"],
        )
        && same_time(record.end, time(flow, "last_switched", "flowEndSeconds", "event_time_msec"), &flow["version"])
        && lasted.is_none_or(|ms| record.end.as_micros() - record.start.as_micros() == ms * 1_000)
}

#[test]
fn samples_are_read_as_another_decoder_reads_them() {
    let Some(expected) = sample("decode/expected.json") else { return };
    let cases: Vec<Value> = serde_json::from_slice(&expected).expect("JSON");
    let mut compared = 0;
    for case in &cases {
        let files: Vec<&str> = case["files"].as_array().expect("files").iter().filter_map(Value::as_str).collect();
        let (records, decoder) = decode(&files).expect("the samples stand together");
        let counts = decoder.counts();
        let events = case["events"].as_array().expect("events").iter().map(|event| &event["netflow"]);
        for flow in
            events.filter(|flow| any(flow, &["ipv4_src_addr", "sourceIPv4Address", "sourceIPv6Address"]).is_some())
        {
            assert!(records.iter().any(|record| agrees(record, flow)), "{files:?}: {flow}\n{records:?}");
            compared += 1;
        }
        let all = counts.records + counts.option_records + counts.refused(Reason::NoAddresses).items;
        if let Some(count) = case["expected_event_count"].as_u64().filter(|_| files != ["netflow5.dat"]) {
            assert_eq!(all, count, "{files:?}: {counts:#?}");
        }
    }
    assert_eq!(compared, 35);
}

#[test]
fn several_datagrams_in_one_are_all_read() {
    let Some((records, _)) = decode(&["netflow5.dat"]) else { return };
    assert_eq!(records.len(), 30);
}

#[test]
fn a_count_that_does_not_fit_is_refused() {
    for file in ["netflow5_test_invalid01.dat", "netflow5_test_invalid02.dat"] {
        let Some((records, decoder)) = decode(&[file]) else { return };
        assert!(records.is_empty(), "{file}");
        let refused = decoder.counts().refused(Reason::LengthMismatch);
        assert_eq!((refused.items, refused.bytes), (1, 1_464), "{file}");
    }
}

#[test]
fn without_its_template_nothing_is_read_and_the_miss_is_counted() {
    for file in ["netflow9_test_cisco_aci_data256.dat", "ipfix_test_barracuda_data256.dat"] {
        let Some((records, decoder)) = decode(&[file]) else { return };
        assert!(records.is_empty(), "{file}");
        let counts = decoder.counts();
        assert!(counts.sets_before_template > 0, "{file}");
        assert_eq!(counts.refused(Reason::MissingTemplate).items, counts.sets_before_template, "{file}");
    }
}

/// Data first, template after: the same records as the other way round.
#[test]
fn data_that_came_first_are_replayed() {
    let data = ["ipfix_test_mikrotik_data258.dat", "ipfix_test_mikrotik_data259.dat"];
    let Some((late, decoder)) = decode(&[&data[..], &["ipfix_test_mikrotik_tpl.dat"]].concat()) else { return };
    let Some((early, _)) = decode(&[&["ipfix_test_mikrotik_tpl.dat"], &data[..]].concat()) else { return };
    assert_eq!((late.len(), decoder.counts().sets_replayed), (46, 2));
    assert_eq!(late, early);
}

/// The IP packets of a capture that go to sFlow's port, without their headers; Ethernet and IPv4 only.
fn captured(file: &str) -> Option<Vec<Vec<u8>>> {
    let bytes = sample(&format!("sflow/{file}"))?;
    let mut rest = bytes.get(24..)?;
    let mut datagrams = Vec::new();
    while let Some(header) = rest.first_chunk::<16>() {
        let length = usize::try_from(u32::from_le_bytes([header[8], header[9], header[10], header[11]])).ok()?;
        let (packet, after) = rest.split_at_checked(16 + length)?;
        datagrams.push(packet.get(16 + 14 + 20 + 8..)?.to_vec());
        rest = after;
    }
    Some(datagrams)
}

#[test]
fn sflow_samples_become_records() {
    let files = [
        ("data-1140.pcap", 5),
        ("data-discard-interface.pcap", 1),
        ("data-encap-vxlan.pcap", 1),
        ("data-icmpv4.pcap", 1),
        ("data-icmpv6.pcap", 1),
        ("data-local-interface.pcap", 1),
        ("data-multiple-interfaces.pcap", 1),
        ("data-qinq.pcap", 1),
        ("data-sflow-expanded-sample.pcap", 1),
        ("data-sflow-ipv4-data.pcap", 1),
        ("data-sflow-raw-ipv4.pcap", 2),
    ];
    for (file, expected) in files {
        let Some(datagrams) = captured(file) else { return };
        let mut decoder = Decoder::default();
        let mut records = Vec::new();
        for datagram in &datagrams {
            decoder.decode(exporter(), Timestamp::default(), datagram, &mut |record| records.push(record));
        }
        let counts = decoder.counts();
        assert_eq!(records.len(), expected, "{file}: {counts:?}");
        assert_eq!(counts.unaccounted(), 0, "{file}");
        if file == "data-1140.pcap" {
            assert!(records.iter().all(|record| record.sampling == 1_024));
        }
    }
}
