//! A server as the detectors see it: plain numbers and the timelines of some of its clients.
//!
//! The view is made from a server's state when it is scored and lives no longer than the scoring. Its timelines are a
//! uniform sample of the clients, which the state keeps bounded; counts come from sketches that saw everything.

use std::net::IpAddr;

use hinomi_model::Timestamp;

use super::statistics::{as_f64, quantile, seconds, sorted};
use crate::purpose::{Pseudonym, Remote};
use crate::server::{Answer, Contact, EpochState, Server};

/// One client of a server, in one epoch.
pub(crate) struct Pair {
    pub(crate) client: Pseudonym,
    /// Sorted by start.
    pub(crate) contacts: Vec<Contact>,
}

impl Pair {
    /// Gaps between starts in seconds.
    pub(crate) fn gaps(&self) -> Vec<f64> {
        differences(&self.starts())
    }

    /// Starts in seconds, of visits at least a second apart: what is closer is one visit.
    pub(crate) fn starts(&self) -> Vec<f64> {
        let mut kept: Vec<f64> = Vec::with_capacity(self.contacts.len());
        for contact in &self.contacts {
            let start = start_seconds(contact);
            if kept.last().is_none_or(|last| start - last >= 1.0) {
                kept.push(start);
            }
        }
        kept
    }
}

/// From each value to the next.
pub(crate) fn differences(values: &[f64]) -> Vec<f64> {
    values.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?)).collect()
}

pub(crate) const fn start_seconds(contact: &Contact) -> f64 {
    seconds(contact.start.as_micros())
}

pub(crate) fn duration_seconds(contact: &Contact) -> f64 {
    f64::from(contact.duration_ms) / 1e3
}

/// Longer than this, a connection that brings nothing is a kept line, no attempt.
const LONGEST_ATTEMPT_SECONDS: f64 = 60.0;

/// The server gave nothing but headers, and the attempt was short: refused, reset, or no answer at all.
pub(crate) fn in_vain(contact: &Contact) -> bool {
    let nothing = matches!(contact.answer, Answer::Silent | Answer::Refused | Answer::Handshake);
    nothing && duration_seconds(contact) < LONGEST_ATTEMPT_SECONDS
}

/// What limits the evidence: how much of the traffic was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// One of so many packets; 1 is all.
    pub(crate) sampling: u32,
    /// Whether some exporter does not tell its sampling.
    pub(crate) sampling_unknown: bool,
    /// Share of records that the exporters sent and nobody got, 0 to 1.
    pub(crate) loss: f64,
}

impl Seen {
    /// Chance that a flow of so many packets leaves a trace at all.
    pub(crate) fn chance(&self, packets: f64) -> f64 {
        let missed = (1.0 - 1.0 / f64::from(self.sampling.max(1))).powf(packets.max(1.0));
        (1.0 - missed) * (1.0 - self.loss.clamp(0.0, 1.0))
    }
}

/// One server endpoint when it is scored.
pub(crate) struct ServerView {
    pub(crate) remote: Remote,
    /// Distinct pseudonyms of the epoch that has most.
    pub(crate) clients: u64,
    /// Epochs in which it was seen.
    pub(crate) epochs: u32,
    /// Hours of the day in which it was ever seen, 0 to 24.
    pub(crate) hours_of_day: u32,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) total: EpochState,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) seen: Seen,
}

/// Medians over all contacts, from the histograms; the longest contact among those that are timed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sizes {
    pub(crate) bytes_out: f64,
    pub(crate) bytes_back: f64,
    pub(crate) packets_out: f64,
    pub(crate) packets_back: f64,
    pub(crate) duration_seconds: f64,
    pub(crate) longest_seconds: f64,
}

impl ServerView {
    /// What the detectors may know of a server's state.
    pub(crate) fn of(server: &Server, loss: f64) -> Self {
        let total = server.total();
        let (first, last) = total.span.unwrap_or_default();
        let timelines = server
            .timelines()
            .map(|(key, timeline)| Pair { client: key.client, contacts: timeline.contacts().copied().collect() });
        Self {
            remote: server.endpoint,
            clients: server.most_clients(),
            epochs: u32::try_from(server.epochs.len()).unwrap_or(u32::MAX),
            hours_of_day: total.hours.hours_of_day(),
            first,
            last,
            pairs: timelines.collect(),
            seen: Seen {
                sampling: total.coarsest_sampling.max(1),
                sampling_unknown: total.sampled > 0 && total.coarsest_sampling <= 1,
                loss,
            },
            total,
        }
    }

    /// The same server with no packet missed.
    pub(crate) fn as_if_all_seen(&self) -> Self {
        let pairs = self.pairs.iter().map(|pair| Pair { client: pair.client, contacts: pair.contacts.clone() });
        Self {
            pairs: pairs.collect(),
            total: self.total.clone(),
            seen: Seen { sampling: 1, sampling_unknown: false, loss: 0.0 },
            ..*self
        }
    }

    pub(crate) fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.pairs.iter().flat_map(|pair| &pair.contacts)
    }

    pub(crate) fn sizes(&self) -> Sizes {
        let median =
            |histogram: &crate::sketch::LogHistogram| histogram.quantile(0.5).map_or(0.0, |value| value as f64);
        Sizes {
            bytes_out: median(&self.total.bytes_out),
            bytes_back: median(&self.total.bytes_back),
            packets_out: median(&self.total.packets_out),
            packets_back: median(&self.total.packets_back),
            duration_seconds: median(&self.total.durations_ms) / 1e3,
            longest_seconds: self.contacts().map(duration_seconds).fold(0.0, f64::max),
        }
    }

    /// Chance that a visit of this server's usual size leaves a trace.
    pub(crate) fn visit_seen(&self) -> f64 {
        let packets = sorted(self.contacts().map(|contact| f64::from(contact.packets_out.max(1))));
        // What was counted is what was sampled: the flow itself was about so many times larger.
        let sent = quantile(&packets, 0.5) * f64::from(self.seen.sampling.max(1));
        // Of one sampled packet a flow, most flows are those that were lucky to be seen.
        let lucky = if quantile(&packets, 0.5) <= 1.0 { sent.min(8.0) } else { sent };
        self.seen.chance(lucky)
    }

    /// A number that is this endpoint's own: seeds what is drawn for it, so that any run draws the same.
    pub(crate) fn seed(&self) -> u64 {
        let octets = match self.remote.address {
            IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
            IpAddr::V6(six) => six.octets(),
        };
        let rest = self.remote.port.to_be_bytes().into_iter().chain([self.remote.protocol]);
        octets
            .into_iter()
            .chain(rest)
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// Contacts a client, on average.
    pub(crate) fn contacts_each(&self) -> f64 {
        self.total.contacts as f64 / as_f64(usize::try_from(self.clients.max(1)).unwrap_or(usize::MAX))
    }
}
