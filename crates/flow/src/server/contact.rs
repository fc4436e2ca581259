//! One contact of a client with a server, and the latest contacts of one client.

use hinomi_model::Timestamp;
use hinomi_wire::flow::Volume;

use crate::node::portable::portable;
use crate::purpose::{CncDetection, Flow, Pseudonym};

/// TCP flags that matter here.
const RST: u8 = 4;
const PSH: u8 = 8;
/// Bytes of an IPv4 and TCP header with the usual options: a packet that is no larger carries no data.
const HEADERS_BYTES: u64 = 60;
const TCP: u8 = 6;

/// What the asked side did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// The record tells one direction only: whether there was an answer is not known.
    Unknown,
    /// Not one packet came back: a server that is down, or was never there.
    Silent,
    /// A reset and no data.
    Refused,
    /// Packets came back, none of them larger than headers.
    Handshake,
    /// Data came back.
    Data,
}

/// One contact, without the name of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// When it began. First, because contacts are ordered by it.
    pub start: Timestamp,
    /// How long it lasted, in milliseconds; saturates after 49 days.
    pub duration_ms: u32,
    /// From the client, as counted by the exporter; saturates.
    pub bytes_out: u32,
    /// From the server, as counted by the exporter; saturates.
    pub bytes_back: u32,
    /// From the client; saturates.
    pub packets_out: u16,
    /// From the server; saturates.
    pub packets_back: u16,
    /// What the server did.
    pub answer: Answer,
    /// Whether the subscriber is told as the source.
    pub begun_by_subscriber: bool,
}

impl Contact {
    pub(crate) fn of(flow: &Flow<CncDetection>) -> Self {
        let (out, back) = (flow.out.unwrap_or_default(), flow.back.unwrap_or_default());
        Self {
            start: flow.start,
            duration_ms: clamp_u32(u64::try_from(flow.end.since(flow.start).as_millis()).unwrap_or(u64::MAX)),
            bytes_out: clamp_u32(out.bytes),
            bytes_back: clamp_u32(back.bytes),
            packets_out: clamp_u16(out.packets),
            packets_back: clamp_u16(back.packets),
            answer: Answer::of(flow),
            begun_by_subscriber: flow.told_by_subscriber,
        }
    }
}

fn clamp_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn clamp_u16(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

impl Answer {
    /// What the side that did not begin answered.
    pub(crate) fn of(flow: &Flow<CncDetection>) -> Self {
        let answered = if flow.told_by_subscriber { flow.back } else { flow.out };
        answered.map_or(Self::Unknown, |volume| Self::read(volume, flow.remote.protocol))
    }

    fn read(volume: Volume, protocol: u8) -> Self {
        let has_data = volume.bytes > volume.packets.saturating_mul(HEADERS_BYTES) || volume.tcp_flags & PSH != 0;
        match (volume.packets, protocol) {
            (0, _) if volume.bytes == 0 => Self::Silent,
            (_, TCP) if has_data => Self::Data,
            (_, TCP) if volume.tcp_flags & RST != 0 => Self::Refused,
            (_, TCP) => Self::Handshake,
            _ => Self::Data,
        }
    }
}

/// Who a timeline is of. Ordered: infected clients first, then by pseudonym, which is a uniform sample.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientKey {
    pub(crate) infected: bool,
    pub(crate) client: Pseudonym,
    pub(crate) epoch: u32,
}

impl ClientKey {
    fn rank(&self) -> (bool, Pseudonym, u32) {
        (!self.infected, self.client, self.epoch)
    }
}

impl PartialOrd for ClientKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ClientKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl std::fmt::Debug for ClientKey {
    /// Tells nothing that two lines of a log could be joined by.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClientKey").field("infected", &self.infected).finish_non_exhaustive()
    }
}

/// The latest distinct contacts of one client, in the order of their start: a list, for most clients have few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    contacts: Vec<Contact>,
}

portable!(Timeline { contacts });

impl Timeline {
    /// Keeps a contact, and of all contacts the latest `most`.
    pub(crate) fn keep(&mut self, contact: Contact, most: usize) {
        if let Err(place) = self.contacts.binary_search(&contact) {
            self.contacts.insert(place, contact);
        }
        let too_many = self.contacts.len().saturating_sub(most);
        self.contacts.drain(..too_many);
    }

    /// The contacts, oldest first.
    pub fn contacts(&self) -> std::slice::Iter<'_, Contact> {
        self.contacts.iter()
    }

    /// How many contacts are kept.
    pub const fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }

    /// Seconds between the starts of consecutive contacts.
    pub fn gaps_s(&self) -> impl Iterator<Item = u64> {
        let later = self.contacts.iter().skip(1);
        self.contacts.iter().zip(later).map(|(before, after)| after.start.since(before.start).as_secs())
    }
}
