//! The same through netflow_parser.

use std::net::IpAddr;

use hinomi_wire::flow::FlowRecord;
use netflow_parser::variable_versions::{ipfix, v9};
use netflow_parser::{FieldValue, NetflowPacket, NetflowParser};

use crate::export::Export;

/// What both decoders say about a flow.
#[derive(Debug, PartialEq)]
pub struct Seen {
    source: IpAddr,
    destination: IpAddr,
    ports: (u16, u16),
    protocol: u8,
    packets: u64,
    bytes: u64,
    flags: u8,
    lasted_ms: i64,
}

impl Seen {
    pub fn of(record: &FlowRecord) -> Self {
        Self {
            source: record.source,
            destination: record.destination,
            ports: (record.source_port, record.destination_port),
            protocol: record.protocol,
            packets: record.forward.packets,
            bytes: record.forward.bytes,
            flags: record.forward.tcp_flags,
            lasted_ms: (record.end.as_micros() - record.start.as_micros()) / 1_000,
        }
    }
}

pub fn parser() -> NetflowParser {
    NetflowParser::default()
}

/// Decodes all and counts the records.
pub fn count(parser: &mut NetflowParser, export: &Export) -> usize {
    export
        .datagrams
        .iter()
        .map(|datagram| parser.parse_bytes(datagram).packets.iter().map(records).sum::<usize>())
        .sum()
}

fn records(packet: &NetflowPacket) -> usize {
    match packet {
        NetflowPacket::V5(packet) => packet.flowsets.len(),
        NetflowPacket::V9(packet) => packet.flowsets.iter().map(|set| v9_fields(&set.body).len()).sum(),
        NetflowPacket::IPFix(packet) => packet.flowsets.iter().map(|set| ipfix_fields(&set.body).len()).sum(),
        _ => 0,
    }
}

fn v9_fields(body: &v9::FlowSetBody) -> &[v9::V9FlowRecord] {
    match body {
        v9::FlowSetBody::Data(data) => &data.fields,
        _ => &[],
    }
}

fn ipfix_fields(body: &ipfix::FlowSetBody) -> &[ipfix::IPFixFlowRecord] {
    match body {
        ipfix::FlowSetBody::Data(data) => &data.fields,
        _ => &[],
    }
}

/// Decodes all and says what it read.
pub fn read(export: &Export) -> Vec<Seen> {
    let mut parser = parser();
    let packets = export.datagrams.iter().flat_map(|datagram| parser.parse_bytes(datagram).packets);
    packets.flat_map(|packet| seen(export, &packet)).collect()
}

fn seen(export: &Export, packet: &NetflowPacket) -> Vec<Seen> {
    let of = |values: Vec<&FieldValue>| from_fields(export, &values);
    match packet {
        NetflowPacket::V5(packet) => packet.flowsets.iter().map(from_v5).collect(),
        NetflowPacket::V9(packet) => {
            let records = packet.flowsets.iter().flat_map(|set| v9_fields(&set.body));
            records.map(|record| of(record.iter().map(|(_, value)| value).collect())).collect()
        }
        NetflowPacket::IPFix(packet) => {
            let records = packet.flowsets.iter().flat_map(|set| ipfix_fields(&set.body));
            records.map(|record| of(record.iter().map(|(_, value)| value).collect())).collect()
        }
        _ => vec![],
    }
}

fn from_v5(flow: &netflow_parser::static_versions::v5::FlowSet) -> Seen {
    Seen {
        source: flow.src_addr.into(),
        destination: flow.dst_addr.into(),
        ports: (flow.src_port, flow.dst_port),
        protocol: flow.protocol_number,
        packets: flow.d_pkts.into(),
        bytes: flow.d_octets.into(),
        flags: flow.tcp_flags,
        lasted_ms: i64::from(flow.last) - i64::from(flow.first),
    }
}

/// Values stand in the order of the template.
fn from_fields(export: &Export, values: &[&FieldValue]) -> Seen {
    let find = |ids: &[u16]| {
        let at = export.format.fields().iter().position(|(id, _)| ids.contains(id)).expect("a field of the template");
        let mut bytes = Vec::new();
        values[at].write_be_bytes(&mut bytes).expect("a value");
        bytes
    };
    let number = |ids: &[u16]| find(ids).iter().fold(0_u64, |number, &byte| (number << 8) | u64::from(byte));
    let address = |ids: &[u16]| match find(ids).as_slice() {
        &[a, b, c, d] => IpAddr::from([a, b, c, d]),
        long => IpAddr::from(<[u8; 16]>::try_from(long).expect("an address")),
    };
    Seen {
        source: address(&[8, 27]),
        destination: address(&[12, 28]),
        ports: (number(&[7]) as u16, number(&[11]) as u16),
        protocol: number(&[4]) as u8,
        packets: number(&[2]),
        bytes: number(&[1]),
        flags: number(&[6]) as u8,
        lasted_ms: number(&[153, 21]) as i64 - number(&[152, 22]) as i64,
    }
}
