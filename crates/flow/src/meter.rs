//! Plain packets become bidirectional flow records, for a network without an exporter.
//!
//! ```text
//!   frame --- packet::read ---> table, one entry a conversation ---> FlowRecord, by closing, time or pressure
//! ```
//!
//! A conversation is two ends and a protocol; who began it is `source`. A record is given when nothing was seen for
//! [`MeterConfig::idle`], when it has lasted [`MeterConfig::active`] (what follows is the next record of the same
//! conversation), a while after TCP has closed, or when the table is full. Nothing is lost: every packet that was
//! observed is in exactly one record, every frame that was not is counted under a reason.
//!
//! Time is that of the packets. The same packets give the same records in the same order, whatever the machine.
//! Networks that use an address twice (VLANs, tunnels) are not told apart.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_wire::flow::FlowRecord;
use hinomi_wire::packet::{Cut, Link, Packet, Unread};

mod conversation;
mod fragments;

use conversation::Conversation;
use fragments::Fragments;

/// How long a closed TCP conversation waits for its last packets.
const LINGER: Duration = Duration::from_secs(5);

/// When records are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterConfig {
    /// After so much silence.
    pub idle: Duration,
    /// After having lasted so long.
    pub active: Duration,
    /// As soon as there would be more conversations than this; at least one.
    pub max_conversations: usize,
}

impl Default for MeterConfig {
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), active: Duration::from_secs(300), max_conversations: 262_144 }
    }
}

/// What was met so far. `frames` is `packets` and all of `unread` together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeterCounts {
    /// Frames that were offered.
    pub frames: u64,
    /// Packets that are, or will be, in a record.
    pub packets: u64,
    /// Their bytes, as their IP headers tell them.
    pub bytes: u64,
    /// Records that were given, by what ended them.
    pub records: BTreeMap<Ended, u64>,
    /// Frames that are in no record.
    pub unread: BTreeMap<Unmetered, u64>,
    /// Packets that are in a record whose ports or flags could not be read.
    pub cut: BTreeMap<Cut, u64>,
    /// Fragments that are in a record without ports, for the first one had not come.
    pub orphans: u64,
    /// Packets older than their conversation's last one.
    pub late: u64,
}

/// Why a frame is in no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unmetered {
    /// A kind of link that we do not read.
    Link,
    /// Its headers.
    Frame(Unread),
}

/// What ended a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ended {
    /// Silence.
    Idle,
    /// It had lasted long enough; the conversation may go on.
    Active,
    /// TCP closed it.
    Closed,
    /// The table was full.
    Evicted,
    /// The capture ended.
    Finished,
}

/// The table; see the module.
#[derive(Debug)]
pub struct Meter {
    config: MeterConfig,
    conversations: HashMap<Key, Conversation>,
    /// Exactly one entry a conversation, not later than it may end: packets move deadlines only when they are looked
    /// at.
    deadlines: BTreeMap<Deadline, Key>,
    fragments: Fragments,
    counts: MeterCounts,
    created: u64,
}

/// Unique by the second part, which counts conversations.
type Deadline = (Timestamp, u64);

/// The two ends in order, so that both directions have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    low: (IpAddr, u16),
    high: (IpAddr, u16),
    protocol: u8,
}

/// Does not print addresses.
impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Key").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Key {
    fn of(packet: &Packet) -> Self {
        let from = (packet.source, packet.source_port);
        let to = (packet.destination, packet.destination_port);
        Self { low: from.min(to), high: from.max(to), protocol: packet.protocol }
    }
}

impl Meter {
    /// An empty table.
    pub fn new(config: MeterConfig) -> Self {
        let config = MeterConfig { max_conversations: config.max_conversations.max(1), ..config };
        Self {
            config,
            conversations: HashMap::new(),
            deadlines: BTreeMap::new(),
            fragments: Fragments::default(),
            counts: MeterCounts::default(),
            created: 0,
        }
    }

    /// What was met so far.
    pub const fn counts(&self) -> &MeterCounts {
        &self.counts
    }

    /// Conversations in the table.
    pub fn conversations(&self) -> usize {
        self.conversations.len()
    }

    /// Reads a captured frame and takes it in; `link` is none where the capture's kind of link is not known.
    pub fn frame(&mut self, time: Timestamp, link: Option<Link>, frame: &[u8], give: &mut impl FnMut(FlowRecord)) {
        let packet = link.ok_or(Unmetered::Link).and_then(|link| Packet::read(link, frame).map_err(Unmetered::Frame));
        match packet {
            Ok(packet) => self.packet(time, &packet, give),
            Err(reason) => {
                add(&mut self.counts.frames, 1);
                add(self.counts.unread.entry(reason).or_default(), 1);
            }
        }
    }

    /// Takes in a packet. Records that are due at its time are given first.
    pub fn packet(&mut self, time: Timestamp, packet: &Packet, give: &mut impl FnMut(FlowRecord)) {
        add(&mut self.counts.frames, 1);
        add(&mut self.counts.packets, 1);
        add(&mut self.counts.bytes, u64::from(packet.total_bytes));
        if let Some(reason) = packet.cut.filter(|reason| *reason != Cut::LaterFragment) {
            add(self.counts.cut.entry(reason).or_default(), 1);
        }
        let packet = self.fragments.complete(time, packet);
        add(&mut self.counts.orphans, u64::from(packet.cut == Some(Cut::LaterFragment)));
        self.advance(time, give);
        self.place(time, &packet, give);
    }

    /// Gives what is due at that time. For a live capture: call it now and then, or a quiet network keeps its records.
    pub fn advance(&mut self, time: Timestamp, give: &mut impl FnMut(FlowRecord)) {
        self.fragments.advance(time);
        while let Some((deadline, _)) = self.deadlines.first_key_value().filter(|((due, _), _)| *due <= time) {
            let deadline = *deadline;
            self.look(deadline, time, give);
        }
    }

    /// Gives everything that is left, oldest deadline first. The table is empty then and can be used again.
    pub fn finish(&mut self, give: &mut impl FnMut(FlowRecord)) {
        while let Some((_, key)) = self.deadlines.pop_first() {
            self.give(key, Ended::Finished, give);
        }
        self.fragments = Fragments::default();
    }

    /// Ends the conversation of that entry when it is due, or moves the entry to where packets have moved the deadline.
    fn look(&mut self, deadline: Deadline, time: Timestamp, give: &mut impl FnMut(FlowRecord)) {
        let Some(key) = self.deadlines.remove(&deadline) else { return };
        let Some(conversation) = self.conversations.get_mut(&key) else { return };
        let due = conversation.due(self.config.idle);
        if due > time {
            conversation.deadline = (due, deadline.1);
            self.deadlines.insert(conversation.deadline, key);
            return;
        }
        let ended = if conversation.is_closed() { Ended::Closed } else { Ended::Idle };
        self.give(key, ended, give);
    }

    fn place(&mut self, time: Timestamp, packet: &Packet, give: &mut impl FnMut(FlowRecord)) {
        let key = Key::of(packet);
        let Some(conversation) = self.conversations.get_mut(&key) else {
            return self.create(key, Conversation::begun_by(time, packet), give);
        };
        if conversation.begins_anew(packet) {
            self.end(key, Ended::Closed, give);
            return self.create(key, Conversation::begun_by(time, packet), give);
        }
        if conversation.has_lasted(time, self.config.active) {
            let next = conversation.continued_by(time, packet);
            self.end(key, Ended::Active, give);
            return self.create(key, next, give);
        }
        add(&mut self.counts.late, u64::from(conversation.take(time, packet)));
        // Closing brings the deadline nearer; everything else moves it away, which can wait.
        let due = conversation.due(self.config.idle);
        if due < conversation.deadline.0 {
            self.deadlines.remove(&conversation.deadline);
            conversation.deadline.0 = due;
            self.deadlines.insert(conversation.deadline, key);
        }
    }

    fn create(&mut self, key: Key, mut conversation: Conversation, give: &mut impl FnMut(FlowRecord)) {
        while self.conversations.len() >= self.config.max_conversations && !self.deadlines.is_empty() {
            self.evict(give);
        }
        self.created = self.created.wrapping_add(1);
        conversation.deadline = (conversation.due(self.config.idle), self.created);
        self.deadlines.insert(conversation.deadline, key);
        self.conversations.insert(key, conversation);
    }

    /// Ends the one whose deadline is next. Entries that packets have moved are put right on the way; each was paid for
    /// by a packet.
    fn evict(&mut self, give: &mut impl FnMut(FlowRecord)) {
        while let Some((deadline, key)) = self.deadlines.pop_first() {
            let Some(conversation) = self.conversations.get_mut(&key) else { continue };
            let due = conversation.due(self.config.idle);
            if due <= deadline.0 {
                return self.give(key, Ended::Evicted, give);
            }
            conversation.deadline = (due, deadline.1);
            self.deadlines.insert(conversation.deadline, key);
        }
    }

    fn end(&mut self, key: Key, ended: Ended, give: &mut impl FnMut(FlowRecord)) {
        if let Some(conversation) = self.conversations.get(&key) {
            self.deadlines.remove(&conversation.deadline);
        }
        self.give(key, ended, give);
    }

    fn give(&mut self, key: Key, ended: Ended, give: &mut impl FnMut(FlowRecord)) {
        if let Some(conversation) = self.conversations.remove(&key) {
            add(self.counts.records.entry(ended).or_default(), 1);
            give(conversation.record(key.protocol));
        }
    }
}

fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}

#[cfg(test)]
mod tests;
