//! TCP, UDP and ICMP headers, as much of them as the snapshot holds.

use super::{Cut, ICMP, ICMP6, Packet, TCP, Tcp, UDP};
use crate::malformed::Malformed;
use crate::read::Reader;

/// Protocols whose header begins with two ports: DCCP, SCTP, UDP-Lite.
const WITH_PORTS: [u8; 3] = [33, 132, 136];

/// Adds to the packet what its payload's first header says.
pub(super) fn read(packet: &mut Packet, frame: &[u8]) {
    if packet.cut.is_some() {
        return;
    }
    let mut reader = Reader::new(packet.payload(frame));
    let header = match packet.protocol {
        TCP => tcp(packet, &mut reader),
        UDP => ports(packet, &mut reader).and_then(|()| reader.take(4, "UDP header").map(drop)),
        ICMP | ICMP6 => icmp(packet, &mut reader),
        other if WITH_PORTS.contains(&other) => ports(packet, &mut reader),
        _ => Ok(()),
    };
    packet.cut = header.err().map(|reason| match reason {
        Malformed::Truncated { .. } => Cut::Truncated,
        _ => Cut::Malformed,
    });
    packet.payload_at += reader.at();
    packet.payload_len -= reader.at();
}

fn ports(packet: &mut Packet, reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let [a, b, c, d] = reader.array("ports")?;
    packet.source_port = u16::from_be_bytes([a, b]);
    packet.destination_port = u16::from_be_bytes([c, d]);
    Ok(())
}

fn tcp(packet: &mut Packet, reader: &mut Reader<'_>) -> Result<(), Malformed> {
    ports(packet, reader)?;
    let sequence = reader.u32("sequence")?;
    let acknowledgement = reader.u32("acknowledgement")?;
    let at = reader.at();
    let length = usize::from(reader.u8("data offset")? >> 4) * 4;
    let flags = reader.u8("flags")?;
    let window = reader.u16("window")?;
    packet.tcp = Some(Tcp { sequence, acknowledgement, flags, window });
    let rest =
        length.checked_sub(16).filter(|rest| *rest >= 4).ok_or(Malformed::Invalid { what: "data offset", at })?;
    reader.take(rest, "TCP options").map(drop)
}

fn icmp(packet: &mut Packet, reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let [kind, code] = reader.array("ICMP header")?;
    packet.icmp = Some((kind, code));
    reader.take(2, "ICMP checksum").map(drop)
}
