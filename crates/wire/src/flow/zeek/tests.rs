//! Real logs where they are at hand, and hostile ones.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::flow::file::MAX_LINE_BYTES;
use crate::flow::samples::{sample, unpacked_sample};
use crate::packet::Tcp;

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
    #open\t2021-04-28-16-25-22\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\t\
    duration\torig_bytes\tresp_bytes\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n#types\ttime\n";
const LINE: &str = "1596790190.457917\tC1\t10.8.0.61\t39404\t195.113.214.206\t443\ttcp\tssl\t1.138356\t1188\t1633463\t\
    ShADadttFr\t661\t37548\t1230\t1712796\n";

fn read_all(log: &[u8]) -> (Vec<FlowRecord>, Vec<FileError>, Counts) {
    let mut reader = Connections::new(log);
    let (mut flows, mut errors) = (Vec::new(), Vec::new());
    for item in reader.by_ref() {
        match item {
            Ok(flow) => flows.push(flow),
            Err(error) => errors.push(error),
        }
    }
    (flows, errors, reader.counts().clone())
}

fn one(log: &str) -> FlowRecord {
    let (flows, errors, _) = read_all(log.as_bytes());
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(flows.len(), 1);
    flows[0]
}

fn reason(log: &str) -> Reason {
    let (flows, errors, _) = read_all(log.as_bytes());
    assert!(flows.is_empty());
    assert_eq!(errors.len(), 1);
    errors[0].reason().unwrap()
}

fn flow() -> FlowRecord {
    let all = Tcp::SYN | Tcp::ACK | Tcp::PSH | Tcp::FIN;
    let back = Tcp::SYN | Tcp::ACK | Tcp::PSH | Tcp::RST;
    FlowRecord {
        source: "10.8.0.61".parse().unwrap(),
        destination: "195.113.214.206".parse().unwrap(),
        source_port: 39_404,
        destination_port: 443,
        protocol: 6,
        forward: Volume { packets: 661, bytes: 37_548, tcp_flags: all },
        reverse: Some(Volume { packets: 1_230, bytes: 1_712_796, tcp_flags: back }),
        start: Timestamp::from_micros(1_596_790_190_457_917),
        end: Timestamp::from_micros(1_596_790_191_596_273),
        sampling: 1,
    }
}

#[test]
fn a_connection_is_read_from_both_forms() {
    assert_eq!(one(&format!("{HEADER}{LINE}#close\t2021-04-28-16-25-22\n")), flow());
    let json = |ts: &str| {
        format!(
            "{{\"_path\":\"conn\",\"ts\":{ts},\"uid\":\"C1\",\"id.orig_h\":\"10.8.0.61\",\"id.orig_p\":39404,\
            \"id.resp_h\":\"195.113.214.206\",\"id.resp_p\":443,\"proto\":\"tcp\",\"duration\":1.138356,\
            \"history\":\"ShADadttFr\",\"orig_bytes\":1188,\"orig_pkts\":661,\"orig_ip_bytes\":37548,\
            \"resp_pkts\":1230,\"resp_ip_bytes\":1712796,\"tags\":[{{\"a\":1}}]}}"
        )
    };
    assert_eq!(one(&json("1596790190.457917")), flow());
    assert_eq!(one(&json("\"2020-08-07T08:49:50.457917Z\"")), flow());
    let (flows, errors, _) = read_all(format!("{HEADER}{LINE}{}\n{LINE}", json("1596790190.457917")).as_bytes());
    assert_eq!((flows, errors.len()), (vec![flow(); 3], 0), "joined logs");
}

#[test]
fn values_may_be_unset() {
    let line =
        LINE.replace("1.138356", "-").replace("37548", "-").replace("ShADadttFr", "-").replace("\t1712796", "\t-");
    let flow = one(&format!("{HEADER}{line}"));
    assert_eq!(flow.end, flow.start);
    assert_eq!(flow.forward, Volume { packets: 661, bytes: 1_188, tcp_flags: 0 });
    assert_eq!(flow.reverse, Some(Volume { packets: 1_230, bytes: 1_633_463, tcp_flags: 0 }));
}

#[test]
fn headers_may_change_in_the_middle() {
    let again = "#separator ,\n#unset_field,?\n#fields,proto,id.resp_p,id.resp_h,id.orig_p,id.orig_h,ts,label\n\
        udp,53,2001:db8::1,4000,2001:db8::2,5.5,Benign   x\n";
    let (flows, errors, counts) = read_all(format!("{HEADER}{LINE}{again}").replace('\n', "\r\n").as_bytes());
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(flows[1].source, "2001:db8::2".parse::<IpAddr>().unwrap());
    assert_eq!((flows[1].destination_port, flows[1].start.as_micros()), (53, 5_500_000));
    assert_eq!((counts.records, counts.other), (2, 11));
}

#[test]
fn icmp_has_no_ports() {
    let line = LINE.replace("\ttcp\t", "\ticmp\t");
    let flow = one(&format!("{HEADER}{line}"));
    assert_eq!((flow.protocol, flow.source_port, flow.destination_port, flow.forward.tcp_flags), (1, 0, 0, 0));
    let line = line.replace("10.8.0.61", "fe80::1").replace("195.113.214.206", "ff02::1");
    assert_eq!(one(&format!("{HEADER}{line}")).protocol, 58);
    let line = LINE.replace("\ttcp\t", "\tunknown_transport\t");
    assert_eq!(one(&format!("{HEADER}{line}")).protocol, UNKNOWN_PROTOCOL);
}

#[test]
fn what_cannot_be_read_says_why() {
    assert_eq!(reason(LINE), Reason::NoHeader);
    assert_eq!(reason("#path\thttp\n"), Reason::OtherLog);
    assert_eq!(reason("#fields\tts\tid.orig_h\n"), Reason::MissingColumn("id.orig_p"));
    assert_eq!(reason(&format!("{HEADER}1.0\tC1\t10.8.0.61\n")), Reason::MissingValue("id.orig_p"));
    assert_eq!(reason(&format!("{HEADER}{}", LINE.replace("39404", "65536"))), Reason::BadValue("id.orig_p"));
    assert_eq!(reason(&format!("{HEADER}{}", LINE.replace("10.8.0.61", "host"))), Reason::BadValue("id.orig_h"));
    assert_eq!(reason(&format!("{HEADER}{}", LINE.replace("661", "x"))), Reason::BadValue("orig_pkts"));
    assert_eq!(reason("{\"ts\":1}"), Reason::Json);
    assert_eq!(reason("\u{1f}\u{fffd}"), Reason::NoHeader);
    let (_, errors, _) = read_all(b"\x1f\x8b\x08");
    assert_eq!(errors[0].reason(), Some(Reason::Gzip));
}

#[test]
fn a_bad_line_does_not_stop_the_next() {
    let long = "x".repeat(MAX_LINE_BYTES + 7);
    let (flows, errors, counts) = read_all(format!("{HEADER}{LINE}{long}\n{LINE}garbage\n{LINE}").as_bytes());
    assert_eq!(flows.len(), 3);
    let reasons: Vec<_> = errors.iter().filter_map(FileError::reason).collect();
    assert_eq!(reasons, [Reason::TooLong, Reason::MissingValue("id.orig_h")]);
    assert_eq!(errors[0].to_string(), "line 10: this record was left out: longer than we read");
    assert_eq!((counts.records, counts.left_out_in_all()), (3, 2));
}

#[test]
fn the_remote_control_sample_is_read_whole() {
    let Some(log) = sample("cc/003-androidtester-rat-conn.log") else { return };
    let (flows, errors, counts) = read_all(&log);
    assert!(errors.is_empty(), "{errors:?}");
    let headers = log.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"#")).count();
    let lines = log.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(flows.len(), lines - headers);
    assert_eq!((counts.records, counts.other), (361, 9));
    let to = |address: &str, port| {
        let address: IpAddr = address.parse().unwrap();
        flows
            .iter()
            .filter(|flow| (flow.destination, flow.destination_port, flow.protocol) == (address, port, 6))
            .count()
    };
    assert_eq!(to("147.32.83.234", 1_337), 12);
    assert_eq!(to("8.8.8.8", 853), 46);
}

#[test]
fn the_background_samples_are_read_whole() {
    let Some(log) = unpacked_sample("background/008-conn.log.labeled.gz") else { return };
    let (flows, errors, counts) = read_all(&log);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!((flows.len(), counts.records), (5_663, 5_663));
    let lines = log.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(counts.other, u64::try_from(lines - 5_663).unwrap());

    let Some(log) = sample("scan/vertical-conn.log") else { return };
    let (flows, errors, _) = read_all(&log);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(flows.len(), 50);
    let target: IpAddr = "45.33.32.156".parse().unwrap();
    assert!(flows.iter().filter(|flow| flow.destination == target).count() > 40);

    let Some(log) = unpacked_sample("background/benign-http.log.gz") else { return };
    let (flows, errors, _) = read_all(&log);
    assert_eq!((flows.len(), errors[0].reason()), (0, Some(Reason::OtherLog)), "a log of requests is no log of flows");
}

proptest! {
    #[test]
    fn any_text_ends(lines in prop::collection::vec("[\\t -~]{0,60}|\\PC{0,20}", 0..20)) {
        let log = format!("{HEADER}{}", lines.join("\n"));
        let (flows, errors, counts) = read_all(log.as_bytes());
        prop_assert_eq!(counts.records, u64::try_from(flows.len()).unwrap());
        prop_assert_eq!(counts.left_out_in_all(), u64::try_from(errors.len()).unwrap());
        let total = counts.records + counts.other + counts.left_out_in_all();
        let ended = errors.iter().any(FileError::ends_the_file);
        prop_assert!(ended || total == u64::try_from(log.lines().count()).unwrap());
    }

    #[test]
    fn a_changed_line_is_safe(at in 0..LINE.len(), byte in any::<u8>()) {
        let mut log = format!("{HEADER}{LINE}{LINE}").into_bytes();
        log[HEADER.len() + at] = byte;
        let (flows, errors, _) = read_all(&log);
        prop_assert!(flows.len() + errors.len() >= 1);
    }
}
