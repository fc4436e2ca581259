//! What one epoch told of a server.

use hinomi_model::Timestamp;

use super::client_hash;
use super::contact::Answer;
use crate::purpose::{CncDetection, Flow};
use crate::sketch::{HourMap, KSmallest, LogHistogram, Merge, spread};

/// Clients that are counted exactly; above, their number is estimated with a standard error of 6.3%.
pub const CLIENTS_KEPT: usize = 256;
/// Subscriber ports that are counted exactly.
const PORTS_KEPT: usize = 64;

/// Sums and sketches of one epoch. Counts saturate and are as the exporters told them, not multiplied by sampling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochState {
    pub(crate) clients: KSmallest,
    pub(crate) infected: KSmallest,
    pub(crate) subscriber_ports: KSmallest,
    /// Hours of the week in which contacts began.
    pub hours: HourMap,
    /// Bytes a contact from the client, where that direction was told.
    pub bytes_out: LogHistogram,
    /// Bytes a contact from the server, where that direction was told.
    pub bytes_back: LogHistogram,
    /// Packets a contact from the client.
    pub packets_out: LogHistogram,
    /// Packets a contact from the server.
    pub packets_back: LogHistogram,
    /// Milliseconds a contact.
    pub durations_ms: LogHistogram,
    /// Contacts.
    pub contacts: u64,
    /// Contacts that subscribers began.
    pub begun_by_subscriber: u64,
    /// Contacts by what the asked side did, in the order of [`Answer`].
    pub answers: [u64; 5],
    /// Bytes from clients.
    pub total_bytes_out: u64,
    /// Bytes from the server.
    pub total_bytes_back: u64,
    /// Contacts of records whose packets were sampled, or whose sampling is not known.
    pub sampled: u64,
    /// The coarsest sampling met: one of so many packets; 0 while only unknown ones were.
    pub coarsest_sampling: u32,
    /// Begin of the first and of the last contact.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Default for EpochState {
    fn default() -> Self {
        Self {
            clients: KSmallest::new(CLIENTS_KEPT),
            infected: KSmallest::new(CLIENTS_KEPT),
            subscriber_ports: KSmallest::new(PORTS_KEPT),
            hours: HourMap::default(),
            bytes_out: LogHistogram::default(),
            bytes_back: LogHistogram::default(),
            packets_out: LogHistogram::default(),
            packets_back: LogHistogram::default(),
            durations_ms: LogHistogram::default(),
            contacts: 0,
            begun_by_subscriber: 0,
            answers: [0; 5],
            total_bytes_out: 0,
            total_bytes_back: 0,
            sampled: 0,
            coarsest_sampling: 0,
            span: None,
        }
    }
}

impl EpochState {
    /// Distinct clients.
    pub fn clients(&self) -> u64 {
        self.clients.count()
    }

    /// Distinct clients known to be infected; 0 while that switch is off.
    pub fn infected_clients(&self) -> u64 {
        self.infected.count()
    }

    /// Distinct ports of subscribers: many where the remote end serves, one where both sides are peers.
    pub fn subscriber_ports(&self) -> u64 {
        self.subscriber_ports.count()
    }

    /// Contacts with this answer.
    pub fn answered(&self, answer: Answer) -> u64 {
        self.answers.get(answer as usize).copied().unwrap_or(0)
    }

    /// Share of contacts without an answer among those of which it is known; `None` when of none.
    pub fn unanswered_share(&self) -> Option<f64> {
        let known = self.contacts.saturating_sub(self.answered(Answer::Unknown));
        let silent = self.answered(Answer::Silent).saturating_add(self.answered(Answer::Refused));
        (known > 0).then(|| silent as f64 / known as f64)
    }

    /// Bytes from clients to bytes from the server; `None` when the server sent none.
    pub fn up_down_ratio(&self) -> Option<f64> {
        (self.total_bytes_back > 0).then(|| self.total_bytes_out as f64 / self.total_bytes_back as f64)
    }

    /// Takes in one flow; tells whether its client is among the counted ones from now on.
    pub(crate) fn take(&mut self, flow: &Flow<CncDetection>) -> bool {
        let is_new = self.clients.insert(client_hash(flow.subscriber));
        if flow.infected {
            self.infected.insert(client_hash(flow.subscriber));
        }
        self.subscriber_ports.insert(spread(u64::from(flow.subscriber_port)));
        self.hours.mark(flow.start);
        self.contacts = self.contacts.saturating_add(1);
        self.begun_by_subscriber = self.begun_by_subscriber.saturating_add(u64::from(flow.told_by_subscriber));
        if let Some(count) = self.answers.get_mut(Answer::of(flow) as usize) {
            *count = count.saturating_add(1);
        }
        self.sampled = self.sampled.saturating_add(u64::from(flow.sampling != 1));
        self.coarsest_sampling = self.coarsest_sampling.max(flow.sampling);
        self.span = widest(self.span, Some((flow.start, flow.start)));
        self.durations_ms.add(u64::try_from(flow.end.since(flow.start).as_millis()).unwrap_or(u64::MAX));
        self.weigh(flow);
        is_new
    }

    fn weigh(&mut self, flow: &Flow<CncDetection>) {
        if let Some(out) = flow.out {
            self.bytes_out.add(out.bytes);
            self.packets_out.add(out.packets);
            self.total_bytes_out = self.total_bytes_out.saturating_add(out.bytes);
        }
        if let Some(back) = flow.back {
            self.bytes_back.add(back.bytes);
            self.packets_back.add(back.packets);
            self.total_bytes_back = self.total_bytes_back.saturating_add(back.bytes);
        }
    }
}

type Span = Option<(Timestamp, Timestamp)>;

fn widest(left: Span, right: Span) -> Span {
    match (left, right) {
        (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
        (one, other) => one.or(other),
    }
}

impl Merge for EpochState {
    fn merge(&mut self, other: &Self) {
        self.clients.merge(&other.clients);
        self.infected.merge(&other.infected);
        self.subscriber_ports.merge(&other.subscriber_ports);
        self.hours.merge(&other.hours);
        self.bytes_out.merge(&other.bytes_out);
        self.bytes_back.merge(&other.bytes_back);
        self.packets_out.merge(&other.packets_out);
        self.packets_back.merge(&other.packets_back);
        self.durations_ms.merge(&other.durations_ms);
        self.contacts = self.contacts.saturating_add(other.contacts);
        self.begun_by_subscriber = self.begun_by_subscriber.saturating_add(other.begun_by_subscriber);
        for (mine, theirs) in self.answers.iter_mut().zip(other.answers) {
            *mine = mine.saturating_add(theirs);
        }
        self.total_bytes_out = self.total_bytes_out.saturating_add(other.total_bytes_out);
        self.total_bytes_back = self.total_bytes_back.saturating_add(other.total_bytes_back);
        self.sampled = self.sampled.saturating_add(other.sampled);
        self.coarsest_sampling = self.coarsest_sampling.max(other.coarsest_sampling);
        self.span = widest(self.span, other.span);
    }
}
