//! Real files where they are at hand, and hostile ones.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::flow::samples::sample;

const HEADER: &str =
    "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n";
const LINE: &str =
    "2018/12/18 14:00:00.527012,0.699716,tcp,216.73.23.146,52798,   ->,147.32.81.58,445,S_RA,0,0,2,134,70,\n";

fn read_all(file: &[u8]) -> (Vec<FlowRecord>, Vec<FileError>, Counts) {
    let mut reader = Flows::new(file);
    let (mut flows, mut errors) = (Vec::new(), Vec::new());
    for item in reader.by_ref() {
        match item {
            Ok(flow) => flows.push(flow),
            Err(error) => errors.push(error),
        }
    }
    (flows, errors, reader.counts().clone())
}

fn one(line: &str) -> FlowRecord {
    let (flows, errors, _) = read_all(format!("{HEADER}{line}").as_bytes());
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(flows.len(), 1);
    flows[0]
}

fn reason(file: &str) -> Reason {
    let (flows, errors, _) = read_all(file.as_bytes());
    assert!(flows.is_empty());
    assert_eq!(errors.len(), 1);
    errors[0].reason().unwrap()
}

#[test]
fn a_refused_connection_is_read() {
    let flow = one(LINE);
    let start = "2018-12-18T14:00:00.527012Z".parse::<Timestamp>().unwrap();
    assert_eq!(flow.source, "216.73.23.146".parse::<IpAddr>().unwrap());
    assert_eq!(flow.destination, "147.32.81.58".parse::<IpAddr>().unwrap());
    assert_eq!((flow.source_port, flow.destination_port, flow.protocol), (52_798, 445, 6));
    assert_eq!((flow.start, flow.end.since(flow.start).as_micros()), (start, 699_716));
    assert_eq!(flow.forward, Volume { packets: 1, bytes: 70, tcp_flags: Tcp::SYN });
    assert_eq!(flow.reverse, Some(Volume { packets: 1, bytes: 64, tcp_flags: Tcp::RST | Tcp::ACK }));
}

#[test]
fn an_arrow_to_the_left_turns_the_flow() {
    let flow = one(&LINE.replace("   ->", "  <-"));
    assert_eq!((flow.source_port, flow.destination_port), (445, 52_798));
    assert_eq!((flow.forward.bytes, flow.forward.tcp_flags), (64, Tcp::RST | Tcp::ACK));
    assert_eq!(flow.reverse, Some(Volume { packets: 1, bytes: 70, tcp_flags: Tcp::SYN }));
    assert_eq!(one(&LINE.replace("   ->", "  <?")).source_port, 445);
    for both in ["  <->", "  <?>", "   ?>", "  who", "", " get_message  ->"] {
        assert_eq!(one(&LINE.replace("   ->", both)).source_port, 52_798, "{both}");
    }
}

#[test]
fn packets_told_only_together_are_halved() {
    assert_eq!(split([None, None], Some(5), [true, true]), [3, 2]);
    assert_eq!(split([None, None], Some(5), [false, true]), [0, 5]);
    assert_eq!(split([None, None], Some(5), [false, false]), [5, 0]);
    assert_eq!(split([Some(1), None], Some(5), [true, true]), [1, 4]);
    assert_eq!(split([None, Some(1)], Some(5), [true, true]), [4, 1]);
    assert_eq!(split([Some(7), None], Some(5), [true, true]), [7, 0]);
    assert_eq!(split([Some(7), Some(2)], None, [true, true]), [7, 2]);
}

#[test]
fn the_short_names_are_read() {
    let header = "pkSeqID,stime,flgs,proto,saddr,sport,daddr,dport,pkts,bytes,state,ltime,spkts,dpkts,sbytes,dbytes\n";
    let line = "1,1526344121.18,e,tcp,192.168.100.147,0xc3b0,192.168.100.3,80,8,1000,CON,1526344122.5,5,3,700,300\n";
    let (flows, errors, _) = read_all(format!("{header}{line}{header}{line}").as_bytes());
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(flows.len(), 2);
    assert_eq!((flows[0].source_port, flows[0].start.as_micros()), (0xc3b0, 1_526_344_121_180_000));
    assert_eq!(flows[0].end.since(flows[0].start).as_micros(), 1_320_000);
    assert_eq!(flows[0].reverse.map(|back| (back.packets, back.bytes)), Some((3, 300)));
}

#[test]
fn icmp_and_missing_ports() {
    let icmp = one(&LINE.replace(",tcp,", ",icmp,").replace("52798", "0x0008").replace(",445,", ",0x0f72,"));
    assert_eq!((icmp.protocol, icmp.source_port, icmp.destination_port, icmp.forward.tcp_flags), (1, 0, 0, 0));
    assert_eq!(one(&LINE.replace("52798", "")).source_port, 0);
    assert_eq!(one(&LINE.replace("S_RA", "REQ")).forward.tcp_flags, Tcp::SYN);
    assert_eq!(one(&LINE.replace("S_RA", "CON")).forward.tcp_flags, 0);
    assert_eq!(one(&LINE.replace(",0.699716,", ",,")).end, one(LINE).start);
}

#[test]
fn what_cannot_be_read_says_why() {
    let with = |from: &str, to: &str| reason(&format!("{HEADER}{}", LINE.replace(from, to)));
    assert_eq!(reason(LINE), Reason::NoHeader);
    assert_eq!(reason("StartTime,SrcAddr,DstAddr\n"), Reason::MissingColumn("Proto"));
    assert_eq!(with(",tcp,", ",man,"), Reason::Management);
    assert_eq!(with(",tcp,", ",arp,"), Reason::NotIp);
    assert_eq!(with(",tcp,", ",new,"), Reason::BadValue("Proto"));
    assert_eq!(with(",445,", ",microsoft-ds,"), Reason::NamedPort("Dport"));
    assert_eq!(with(",445,", ",65536,"), Reason::BadValue("Dport"));
    assert_eq!(with("2018/12", "2018/13"), Reason::BadValue("StartTime"));
    assert_eq!(with("216.73.23.146", "216.73.23.256"), Reason::BadValue("SrcAddr"));
    assert_eq!(with("216.73.23.146", ""), Reason::MissingValue("SrcAddr"));
    assert_eq!(with(",134,", ",-1,"), Reason::BadValue("TotBytes"));
}

#[test]
fn the_scan_samples_are_read_whole() {
    let Some(file) = sample("scan/test4-malicious.binetflow") else { return };
    let (flows, errors, counts) = read_all(&file);
    assert_eq!(flows.len() + errors.len(), 394);
    assert_eq!(counts.left_out.into_iter().collect::<Vec<_>>(), [(Reason::NotIp, 2)], "two flows of ARP");
    let scanned = |flows: &[FlowRecord], source: &str, port| {
        let source: IpAddr = source.parse().unwrap();
        let hosts = flows.iter().filter(|flow| (flow.source, flow.destination_port) == (source, port));
        hosts.map(|flow| flow.destination).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((scanned(&flows, "192.168.2.12", 81), scanned(&flows, "192.168.2.12", 23)), (64, 45));

    let Some(file) = sample("scan/test3-mixed.binetflow") else { return };
    let (flows, errors, counts) = read_all(&file);
    assert!(errors.is_empty(), "{errors:?}");
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!((flows.len(), counts.other), (lines - 1, 1));
    assert_eq!((scanned(&flows, "46.166.151.160", 3_389), scanned(&flows, "216.73.23.146", 445)), (28, 11));
}

proptest! {
    #[test]
    fn any_text_ends(lines in prop::collection::vec("[,.:/ 0-9a-zA-Z_<>?-]{0,80}|\\PC{0,20}", 0..20)) {
        let file = format!("{HEADER}{}", lines.join("\n"));
        let (flows, errors, counts) = read_all(file.as_bytes());
        prop_assert_eq!(counts.records, u64::try_from(flows.len()).unwrap());
        prop_assert_eq!(counts.left_out_in_all(), u64::try_from(errors.len()).unwrap());
        let total = counts.records + counts.other + counts.left_out_in_all();
        let ended = errors.iter().any(FileError::ends_the_file);
        prop_assert!(ended || total == u64::try_from(file.lines().count()).unwrap());
    }

    #[test]
    fn a_changed_line_keeps_the_sums(packets in 0..1_000_u64, bytes in 0..100_000_u64, of_source in 0..100_000_u64) {
        let of_source = of_source.min(bytes);
        let flow = one(&LINE.replace(",2,134,70,", &format!(",{packets},{bytes},{of_source},")));
        let back = flow.reverse.unwrap();
        prop_assert_eq!((flow.forward.packets + back.packets, flow.forward.bytes + back.bytes), (packets, bytes));
    }
}
