//! The same through NetGauze, which knows IPFIX and NetFlow v9.

use bytes::BytesMut;
use netgauze_flow_pkt::codec::FlowInfoCodec;
use netgauze_flow_pkt::{FlowInfo, ie, ipfix, netflow};
use netgauze_parse_utils::WritablePduWithOneInput;
use tokio_util::codec::Decoder;

use crate::export::{Export, Format};
use crate::peer::{Seen, from_bytes};

/// Decodes all and says what it read; none where it does not know the protocol.
pub fn read(export: &Export) -> Option<Vec<Seen>> {
    if export.format == Format::NetFlow5 {
        return None;
    }
    let mut codec = FlowInfoCodec::new();
    let mut seen = Vec::new();
    for datagram in &export.datagrams {
        let mut bytes = BytesMut::from(datagram.as_slice());
        match codec.decode(&mut bytes).expect("well formed").expect("whole") {
            FlowInfo::IPFIX(packet) => packet.sets().iter().for_each(|set| {
                if let ipfix::Set::Data { records, .. } = set {
                    seen.extend(records.iter().map(|record| of(export, record.fields())));
                }
            }),
            FlowInfo::NetFlowV9(packet) => packet.sets().iter().for_each(|set| {
                if let netflow::Set::Data { records, .. } = set {
                    seen.extend(records.iter().map(|record| of(export, record.fields())));
                }
            }),
        }
    }
    Some(seen)
}

fn of(export: &Export, fields: &[ie::Field]) -> Seen {
    from_bytes(export, |at| {
        let mut bytes = Vec::new();
        let width = export.format.fields()[at].1;
        fields[at].write(&mut bytes, Some(width)).expect("a value");
        bytes
    })
}
