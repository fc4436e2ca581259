//! One conversation as far as it has gone.

use std::net::IpAddr;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_wire::flow::{FlowRecord, Volume};
use hinomi_wire::packet::{Packet, Tcp};

use super::{Deadline, LINGER};

#[derive(Clone, Copy)]
pub(super) struct Conversation {
    /// Who began.
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    forward: Volume,
    reverse: Volume,
    start: Timestamp,
    end: Timestamp,
    /// By RST, or by FIN from both.
    closed: bool,
    /// Its entry in the meter's order.
    pub(super) deadline: Deadline,
}

/// Does not print addresses.
impl std::fmt::Debug for Conversation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Conversation").field("start", &self.start).finish_non_exhaustive()
    }
}

impl Conversation {
    /// A new one. Its first packet's sender began it, but for an answer whose question was not seen: SYN with ACK.
    pub(super) fn begun_by(time: Timestamp, packet: &Packet) -> Self {
        let from = (packet.source, packet.source_port);
        let to = (packet.destination, packet.destination_port);
        let is_answer = packet.tcp_flags() & (Tcp::SYN | Tcp::ACK) == Tcp::SYN | Tcp::ACK;
        let (source, destination) = if is_answer { (to, from) } else { (from, to) };
        Self::between(source, destination, time, packet)
    }

    /// The next record of the same conversation.
    pub(super) fn continued_by(&self, time: Timestamp, packet: &Packet) -> Self {
        Self::between(self.source, self.destination, time, packet)
    }

    fn between(source: (IpAddr, u16), destination: (IpAddr, u16), time: Timestamp, packet: &Packet) -> Self {
        let mut new = Self {
            source,
            destination,
            forward: Volume::default(),
            reverse: Volume::default(),
            start: time,
            end: time,
            closed: false,
            deadline: (time, 0),
        };
        new.take(time, packet);
        new
    }

    /// Adds a packet; tells whether it is older than the last one.
    pub(super) fn take(&mut self, time: Timestamp, packet: &Packet) -> bool {
        let late = time < self.end;
        self.start = self.start.min(time);
        self.end = self.end.max(time);
        let is_forward = self.source == (packet.source, packet.source_port);
        let side = if is_forward { &mut self.forward } else { &mut self.reverse };
        side.packets = side.packets.saturating_add(1);
        side.bytes = side.bytes.saturating_add(u64::from(packet.total_bytes));
        side.tcp_flags |= packet.tcp_flags();
        let both = self.forward.tcp_flags & self.reverse.tcp_flags;
        self.closed |= packet.tcp_flags() & Tcp::RST != 0 || both & Tcp::FIN != 0;
        late
    }

    /// A connection that closed, and a SYN: the same ports are used again.
    pub(super) fn begins_anew(&self, packet: &Packet) -> bool {
        self.closed && packet.tcp_flags() & (Tcp::SYN | Tcp::ACK | Tcp::RST) == Tcp::SYN
    }

    pub(super) fn has_lasted(&self, time: Timestamp, active: Duration) -> bool {
        time.since(self.start) >= active
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// When it ends if nothing more comes.
    pub(super) fn due(&self, idle: Duration) -> Timestamp {
        self.end.plus(if self.closed { idle.min(LINGER) } else { idle })
    }

    pub(super) const fn record(&self, protocol: u8) -> FlowRecord {
        FlowRecord {
            source: self.source.0,
            destination: self.destination.0,
            source_port: self.source.1,
            destination_port: self.destination.1,
            protocol,
            forward: self.forward,
            reverse: Some(self.reverse),
            start: self.start,
            end: self.end,
            sampling: 1,
        }
    }
}
