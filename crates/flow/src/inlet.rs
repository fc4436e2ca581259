//! The inlet: a record becomes a flow of a pseudonym, or is refused for a counted reason.
//!
//! This is the one place that sees a subscriber's address. It runs before any queue, keeps nothing, and what leaves it
//! has no address of the subscriber's side any more.

use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hinomi_wire::flow::FlowRecord;

use crate::epoch::Keys;
use crate::purpose::{CncDetection, Flow, Remote};
use crate::subscribers::Subscribers;

/// Protocols with ports at the place where exporters read them: TCP, UDP, DCCP, SCTP, UDP-Lite.
const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];

/// Why a record does not become a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Neither side is a subscriber.
    NoSubscriber,
    /// Both sides are subscribers: a matter between two of them.
    BothSubscribers,
    /// The other side is a group, everyone, or nobody.
    NotUnicast,
    /// The other side is in private or otherwise local address space.
    LocalRemote,
    /// The protocol has no ports, or the record does not tell them.
    NoPorts,
    /// Not one packet was counted.
    Empty,
    /// No key lives for the time of the record.
    OutsideEpoch,
}

impl Refusal {
    /// Every reason, in the order of the counts.
    pub const ALL: [Self; 7] = [
        Self::NoSubscriber,
        Self::BothSubscribers,
        Self::NotUnicast,
        Self::LocalRemote,
        Self::NoPorts,
        Self::Empty,
        Self::OutsideEpoch,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSubscriber => "no-subscriber",
            Self::BothSubscribers => "both-subscribers",
            Self::NotUnicast => "not-unicast",
            Self::LocalRemote => "local-remote",
            Self::NoPorts => "no-ports",
            Self::Empty => "empty",
            Self::OutsideEpoch => "outside-epoch",
        }
    }
}

/// What came in, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InletCounts {
    /// Records.
    pub records: u64,
    /// Flows made of them.
    pub flows: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl InletCounts {
    /// Records refused for this reason.
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refused.get(reason as usize).copied().unwrap_or(0)
    }

    fn refuse(&mut self, reason: Refusal) {
        if let Some(count) = self.refused.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }
}

/// Turns records into flows.
#[derive(Clone)]
pub struct Inlet {
    subscribers: Arc<Subscribers>,
    local_remotes: bool,
    counts: InletCounts,
}

impl Inlet {
    /// An inlet for these subscribers.
    pub fn new(subscribers: Arc<Subscribers>) -> Self {
        Self { subscribers, local_remotes: false, counts: InletCounts::default() }
    }

    /// Takes remote ends in private address space for what they say: laboratories and the town.
    #[must_use]
    pub fn with_local_remotes(self) -> Self {
        Self { local_remotes: true, ..self }
    }

    /// What became of the records.
    pub const fn counts(&self) -> InletCounts {
        self.counts
    }

    /// The flow of a record, under the key of the epoch in which it ended.
    ///
    /// # Errors
    /// The reason why it is none; it is counted.
    pub fn take(&mut self, keys: &Keys, record: &FlowRecord) -> Result<Flow<CncDetection>, Refusal> {
        self.counts.records = self.counts.records.saturating_add(1);
        match self.project(keys, record) {
            Ok(flow) => {
                self.counts.flows = self.counts.flows.saturating_add(1);
                Ok(flow)
            }
            Err(reason) => {
                self.counts.refuse(reason);
                Err(reason)
            }
        }
    }

    fn project(&self, keys: &Keys, record: &FlowRecord) -> Result<Flow<CncDetection>, Refusal> {
        let told_by_subscriber = self.one_side(record)?;
        let (subscriber, subscriber_port, address, port) = if told_by_subscriber {
            (record.source, record.source_port, record.destination, record.destination_port)
        } else {
            (record.destination, record.destination_port, record.source, record.source_port)
        };
        let address = address.to_canonical();
        self.accepts(address)?;
        if !WITH_PORTS.contains(&record.protocol) || port == 0 || subscriber_port == 0 {
            return Err(Refusal::NoPorts);
        }
        if record.forward.packets == 0 && record.reverse.is_none_or(|reverse| reverse.packets == 0) {
            return Err(Refusal::Empty);
        }
        let (subscriber, epoch, infected) = keys.name(subscriber, record.end).ok_or(Refusal::OutsideEpoch)?;
        let (forward, reverse) = (Some(record.forward), record.reverse);
        let (out, back) = if told_by_subscriber { (forward, reverse) } else { (reverse, forward) };
        let remote = Remote { address, port, protocol: record.protocol };
        Ok(Flow {
            subscriber,
            subscriber_port,
            remote,
            epoch,
            out,
            back,
            told_by_subscriber,
            start: record.start.min(record.end),
            end: record.end,
            sampling: record.sampling,
            infected,
            purpose: PhantomData,
        })
    }

    /// Whether the source is the subscriber, when exactly one side is.
    fn one_side(&self, record: &FlowRecord) -> Result<bool, Refusal> {
        match (self.subscribers.contains(record.source), self.subscribers.contains(record.destination)) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            (true, true) => Err(Refusal::BothSubscribers),
            (false, false) => Err(Refusal::NoSubscriber),
        }
    }

    fn accepts(&self, remote: IpAddr) -> Result<(), Refusal> {
        if remote.is_multicast() || remote.is_unspecified() || remote == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(Refusal::NotUnicast);
        }
        let local = match remote {
            IpAddr::V4(v4) => is_local_v4(v4),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        };
        if local && !self.local_remotes { Err(Refusal::LocalRemote) } else { Ok(()) }
    }
}

/// Local by RFC 1918, 1122, 3927 and 6598, and the reserved upper block.
fn is_local_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    address.is_private() || address.is_loopback() || address.is_link_local() || shared || first == 0 || first >= 240
}

#[cfg(test)]
mod tests {
    use hinomi_model::Timestamp;
    use hinomi_wire::flow::Volume;
    use proptest::prelude::*;

    use super::*;
    use crate::epoch::EpochLength;

    fn record(source: &str, destination: &str) -> FlowRecord {
        let end: Timestamp = "2026-11-22T10:00:00Z".parse().expect("a time");
        FlowRecord {
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
            source_port: 40_000,
            destination_port: 1_337,
            protocol: 6,
            forward: Volume { packets: 3, bytes: 180, tcp_flags: 2 },
            reverse: None,
            start: end,
            end,
            sampling: 1,
        }
    }

    fn world() -> (Inlet, Keys) {
        let subscribers = Subscribers::read("192.0.2.0/24\n2001:db8::/32\n10.0.0.0/8").expect("a list");
        let mut keys = Keys::new(EpochLength::default());
        keys.advance("2026-11-22T10:00:00Z".parse().expect("a time")).expect("locked");
        (Inlet::new(Arc::new(subscribers)), keys)
    }

    #[test]
    fn exactly_one_side_is_a_subscriber_and_directions_follow_it() {
        let (mut inlet, keys) = world();
        let out = inlet.take(&keys, &record("192.0.2.1", "203.0.113.5")).expect("a flow");
        assert!(out.told_by_subscriber && out.out.is_some() && out.back.is_none());
        assert_eq!((out.remote.port, out.subscriber_port), (1_337, 40_000));
        let back = inlet.take(&keys, &record("203.0.113.5", "192.0.2.1")).expect("a flow");
        assert!(!back.told_by_subscriber && back.out.is_none() && back.back.is_some());
        assert_eq!((back.remote.port, back.subscriber_port), (40_000, 1_337));
        assert!(back.subscriber == out.subscriber);
    }

    #[test]
    fn each_refusal_has_its_reason_and_is_counted() {
        let (mut inlet, keys) = world();
        let of = |source, destination| record(source, destination);
        let icmp = FlowRecord { protocol: 1, ..of("192.0.2.1", "203.0.113.5") };
        let empty = FlowRecord { forward: Volume::default(), ..of("192.0.2.1", "203.0.113.5") };
        let old = "2026-11-20T10:00:00Z".parse().expect("a time");
        let cases = [
            (of("203.0.113.1", "203.0.113.5"), Refusal::NoSubscriber),
            (of("192.0.2.1", "10.1.1.1"), Refusal::BothSubscribers),
            (of("192.0.2.1", "224.0.0.251"), Refusal::NotUnicast),
            (of("192.0.2.1", "255.255.255.255"), Refusal::NotUnicast),
            (of("2001:db8::1", "ff02::1"), Refusal::NotUnicast),
            (of("192.0.2.1", "192.168.1.1"), Refusal::LocalRemote),
            (of("192.0.2.1", "::ffff:172.16.0.1"), Refusal::LocalRemote),
            (of("2001:db8::1", "fe80::1"), Refusal::LocalRemote),
            (icmp, Refusal::NoPorts),
            (empty, Refusal::Empty),
            (FlowRecord { end: old, start: old, ..of("192.0.2.1", "203.0.113.5") }, Refusal::OutsideEpoch),
        ];
        for (record, reason) in &cases {
            assert_eq!(inlet.take(&keys, record).err(), Some(*reason));
        }
        let counts = inlet.counts();
        assert_eq!((counts.records, counts.flows), (11, 0));
        assert_eq!(counts.refused(Refusal::NotUnicast), 3);
        assert!(Refusal::ALL.iter().enumerate().all(|(place, reason)| *reason as usize == place));
        let mut lab = world().0.with_local_remotes();
        assert!(lab.take(&keys, &of("192.0.2.1", "192.168.1.1")).is_ok());
    }

    proptest! {
        #[test]
        fn records_in_are_flows_and_refusals_out(
            seen in proptest::collection::vec((any::<u32>(), any::<u32>(), any::<u8>(), any::<u16>(), 0_u64..2), 0..60),
        ) {
            let (mut inlet, keys) = world();
            for (source, destination, protocol, port, packets) in &seen {
                let base = record("192.0.2.1", "203.0.113.5");
                let _ = inlet.take(&keys, &FlowRecord {
                    source: IpAddr::V4((*source).into()),
                    destination: IpAddr::V4((*destination & 0x0fff_ffff).into()),
                    protocol: *protocol,
                    destination_port: *port,
                    forward: Volume { packets: *packets, ..base.forward },
                    ..base
                });
            }
            let counts = inlet.counts();
            let refused: u64 = Refusal::ALL.iter().map(|reason| counts.refused(*reason)).sum();
            prop_assert_eq!(counts.records, seen.len() as u64);
            prop_assert_eq!(counts.flows + refused, counts.records);
        }
    }
}
