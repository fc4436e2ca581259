//! Ports for fragments: only the first fragment of a packet has them.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_wire::packet::{Cut, Packet};

/// The most packets in pieces that are remembered; the oldest are forgotten first.
const MAX_PACKETS: usize = 4_096;
/// An identification may come again after this (RFC 791 speaks of 15 seconds, RFC 8200 of 60).
const LIFETIME: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Fragments {
    ports: HashMap<Whole, Seen>,
    order: VecDeque<(Timestamp, Whole)>,
}

/// What the pieces of a packet have in common (RFC 791, 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Whole {
    source: IpAddr,
    destination: IpAddr,
    id: u32,
    protocol: u8,
}

/// Does not print addresses.
impl std::fmt::Debug for Whole {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Whole").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    time: Timestamp,
    source_port: u16,
    destination_port: u16,
}

impl Fragments {
    /// Gives a later fragment the ports of its first one, if that came before; then it is not cut any more.
    pub(super) fn complete(&mut self, time: Timestamp, packet: &Packet) -> Packet {
        let Some(part) = packet.fragment else { return *packet };
        let whole = Whole {
            source: packet.source,
            destination: packet.destination,
            id: packet.ip_id,
            protocol: packet.protocol,
        };
        if part.offset == 0 {
            self.remember(whole, time, packet);
            return *packet;
        }
        let seen = self.ports.get(&whole).filter(|seen| time.since(seen.time) <= LIFETIME);
        match seen.filter(|_| packet.cut == Some(Cut::LaterFragment)) {
            Some(seen) => {
                Packet { source_port: seen.source_port, destination_port: seen.destination_port, cut: None, ..*packet }
            }
            None => *packet,
        }
    }

    /// Forgets what is too old to be completed. A clock that was set back has passed as well.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let is_over = |time: Timestamp| now.since(time).max(time.since(now)) > LIFETIME;
        while let Some((time, whole)) = self.order.pop_front_if(|(time, _)| is_over(*time)) {
            self.forget(time, whole);
        }
    }

    /// How many packets are remembered.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.ports.len().max(self.order.len())
    }

    fn remember(&mut self, whole: Whole, time: Timestamp, packet: &Packet) {
        let seen = Seen { time, source_port: packet.source_port, destination_port: packet.destination_port };
        self.ports.insert(whole, seen);
        self.order.push_back((time, whole));
        while self.order.len() > MAX_PACKETS {
            let Some((time, oldest)) = self.order.pop_front() else { break };
            self.forget(time, oldest);
        }
    }

    fn forget(&mut self, time: Timestamp, oldest: Whole) {
        // What came again since is younger and has its own place in the order.
        if self.ports.get(&oldest).is_some_and(|seen| seen.time == time) {
            self.ports.remove(&oldest);
        }
    }
}
