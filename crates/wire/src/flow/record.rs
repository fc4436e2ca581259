//! The one form that every source of flows is read into.

use std::fmt;
use std::net::IpAddr;

use hinomi_model::Timestamp;

/// What one flow record says, as far as it may be read at all.
///
/// Every source is projected onto these fields; what else an exporter tells never leaves its datagram. `Debug` does not
/// print addresses: a subscriber must not end up in a log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FlowRecord {
    /// Who sent the forward packets.
    pub source: IpAddr,
    /// Who they were sent to.
    pub destination: IpAddr,
    /// Port of the source; 0 where the protocol has none.
    pub source_port: u16,
    /// Port of the destination; 0 where the protocol has none.
    pub destination_port: u16,
    /// IANA protocol number: 6 TCP, 17 UDP, 1 and 58 ICMP.
    pub protocol: u8,
    /// From source to destination.
    pub forward: Volume,
    /// From destination to source, where the record tells both directions (Zeek, Argus, IPFIX biflows of RFC 5103).
    pub reverse: Option<Volume>,
    /// When the first packet was seen; the time of receipt where the exporter does not say.
    pub start: Timestamp,
    /// When the last packet was seen; not before `start`.
    pub end: Timestamp,
    /// One of so many packets was looked at; 1 is all of them, 0 is not known.
    pub sampling: u32,
}

/// What went in one direction, as counted by the exporter: not multiplied by the sampling rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes, of the IP packets where the source tells them, otherwise of their payload.
    pub bytes: u64,
    /// Union of the TCP flags seen (FIN 1, SYN 2, RST 4, PSH 8, ACK 16); 0 where not known or not TCP.
    pub tcp_flags: u8,
}

impl fmt::Debug for FlowRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FlowRecord")
            .field("source_port", &self.source_port)
            .field("destination_port", &self.destination_port)
            .field("protocol", &self.protocol)
            .field("forward", &self.forward)
            .field("reverse", &self.reverse)
            .field("start", &self.start)
            .field("end", &self.end)
            .field("sampling", &self.sampling)
            .finish_non_exhaustive()
    }
}
