//! Sums of one receiver, stream or file, and how they become the status that people see.

use std::net::SocketAddr;

use hinomi_model::cnc::status::{
    CollectorStatus, DecodedStatus, ExporterStatus, InletStatus, MAX_EXPORTERS_LISTED, ReceivedStatus, Refusals, Sums,
};
use hinomi_wire::flow::{Counts, Decoder, ExporterCounts, Part as Bytes, Reason};

use super::analysis::Analysis;
use crate::inlet::{InletCounts, Refusal};
use crate::subscribers::Subscribers;

/// What one source of flows counted, or several together.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// At the socket.
    pub received: ReceivedStatus,
    /// In the decoder.
    pub decoded: DecodedStatus,
    /// At the inlet.
    pub inlet: InletStatus,
    /// By exporter.
    pub exporters: Vec<(SocketAddr, ExporterCounts)>,
}

impl Part {
    /// What a decoder and an inlet counted so far; `received` has what only the socket knows.
    pub fn of(received: &ReceivedStatus, decoder: &Decoder, inlet: InletCounts) -> Self {
        let counts = decoder.counts();
        let received = ReceivedStatus { datagrams: counts.datagrams, bytes: counts.bytes, ..received.clone() };
        let exporters = decoder.exporters().map(|(address, each)| (address, *each)).collect();
        Self { received, decoded: decoded(counts), inlet: inlet_status(inlet), exporters }
    }

    /// Adds the sums of another one.
    pub fn add(&mut self, other: &Self) {
        let (mine, theirs) = (&mut self.received, &other.received);
        plus(&mut mine.datagrams, theirs.datagrams);
        plus(&mut mine.bytes, theirs.bytes);
        plus(&mut mine.kernel_drops, theirs.kernel_drops);
        plus(&mut mine.waits, theirs.waits);
        plus(&mut mine.errors, theirs.errors);
        mine.buffer_bytes = mine.buffer_bytes.max(theirs.buffer_bytes);
        merge(&mut mine.streams, &theirs.streams);
        let (mine, theirs) = (&mut self.decoded, &other.decoded);
        plus(&mut mine.records, theirs.records);
        plus(&mut mine.option_records, theirs.option_records);
        plus(&mut mine.templates, theirs.templates);
        plus(&mut mine.held_bytes, theirs.held_bytes);
        mine.unaccounted_bytes = mine.unaccounted_bytes.saturating_add(theirs.unaccounted_bytes);
        merge(&mut mine.parts, &theirs.parts);
        merge(&mut mine.clamped, &theirs.clamped);
        merge(&mut mine.replay, &theirs.replay);
        for (reason, refused) in &theirs.refused {
            let sum = mine.refused.entry(reason.clone()).or_default();
            plus(&mut sum.items, refused.items);
            plus(&mut sum.bytes, refused.bytes);
        }
        plus(&mut self.inlet.records, other.inlet.records);
        plus(&mut self.inlet.flows, other.inlet.flows);
        merge(&mut self.inlet.refused, &other.inlet.refused);
        self.exporters.extend_from_slice(&other.exporters);
    }

    /// Writes the sums into a status. Exporters within the subscribers' range stay without a name.
    pub(super) fn tell(&self, status: &mut CollectorStatus, subscribers: &Subscribers) {
        status.received = self.received.clone();
        status.decoded = self.decoded.clone();
        status.inlet = self.inlet.clone();
        let mut telling: Vec<_> = self.exporters.iter().filter(|(_, each)| each.records > 0).collect();
        telling.sort_by(|(one, left), (other, right)| {
            right.lost_share().total_cmp(&left.lost_share()).then(right.records.cmp(&left.records)).then(one.cmp(other))
        });
        telling.truncate(MAX_EXPORTERS_LISTED);
        status.exporters_not_listed = self.exporters.len().saturating_sub(telling.len()) as u64;
        status.exporters = telling.into_iter().map(|(address, each)| exporter(*address, each, subscribers)).collect();
    }
}

fn exporter(address: SocketAddr, counts: &ExporterCounts, subscribers: &Subscribers) -> ExporterStatus {
    let lost = counts.losses().filter(|(_, loss)| loss.lost > 0);
    ExporterStatus {
        address: (!subscribers.contains(address.ip())).then_some(address),
        last_seen: counts.last_seen,
        datagrams: counts.datagrams,
        records: counts.records,
        refused: counts.refused,
        reboots: counts.reboots,
        resets: counts.resets,
        lost: lost.map(|(unit, loss)| (unit.name().to_owned(), loss.lost)).collect(),
        lost_share: counts.lost_share(),
    }
}

fn decoded(counts: &Counts) -> DecodedStatus {
    let refused = Reason::ALL.into_iter().map(|reason| (reason, counts.refused(reason)));
    let refused = refused.filter(|(_, refused)| refused.items > 0);
    let clamped = counts.clamped;
    DecodedStatus {
        records: counts.records,
        option_records: counts.option_records,
        templates: counts.templates,
        parts: sums(Bytes::ALL.map(|part| (part.name(), counts.part(part)))),
        refused: refused
            .map(|(reason, sum)| (reason.name().to_owned(), Refusals { items: sum.items, bytes: sum.bytes }))
            .collect(),
        held_bytes: counts.held_bytes,
        unaccounted_bytes: i64::try_from(counts.unaccounted()).unwrap_or(i64::MAX),
        clamped: sums([
            ("skewed", clamped.skewed_messages),
            ("future", clamped.future),
            ("past", clamped.past),
            ("reversed", clamped.reversed),
        ]),
        replay: sums([("before_template", counts.sets_before_template), ("replayed", counts.sets_replayed)]),
    }
}

pub(super) fn inlet_status(counts: InletCounts) -> InletStatus {
    let refused = sums(Refusal::ALL.map(|reason| (reason.name(), counts.refused(reason))));
    InletStatus { records: counts.records, flows: counts.flows, refused }
}

/// Writes the sums of the second half into a status.
pub(super) fn tell_analysis(analysis: &Analysis, status: &mut CollectorStatus) {
    let pairs = analysis.pair_counts();
    status.pairs = sums([
        ("flows", pairs.flows),
        ("whole", pairs.whole),
        ("joined", pairs.joined),
        ("alone", pairs.alone),
        ("crowded_out", pairs.crowded_out),
        ("waiting", pairs.waiting),
    ]);
    let table = analysis.server_counts();
    status.servers = sums([
        ("flows", table.flows),
        ("remote_is_client", table.remote_is_client),
        ("counted", table.counted),
        ("waiting", table.waiting),
        ("not_admitted", table.not_admitted),
        ("admitted", table.admitted),
        ("evicted", table.evicted),
        ("expired", table.expired),
        ("servers", analysis.servers() as u64),
    ]);
    let watched = analysis.watch_counts();
    status.watched = sums([
        ("scans", watched.scans),
        ("floods", watched.floods),
        ("backscatter", watched.backscatter),
        ("inbound", watched.inbound),
        ("forgotten", watched.forgotten),
        ("unwatched", watched.unwatched),
        ("no_room", watched.no_room),
    ]);
    if let Some((time, counts)) = analysis.last_scoring() {
        status.scored = Some(time);
        status.scoring = sums([
            ("servers", counts.servers),
            ("scored", counts.scored),
            ("scanned", counts.scanned),
            ("flooded", counts.flooded),
            ("backscatter", counts.backscatter),
            ("suppressed", counts.suppressed),
        ]);
    }
    status.findings = analysis.findings() as u64;
}

/// Those that are not zero.
fn sums<'a>(pairs: impl IntoIterator<Item = (&'a str, u64)>) -> Sums {
    pairs.into_iter().filter(|(_, sum)| *sum > 0).map(|(name, sum)| (name.to_owned(), sum)).collect()
}

pub(super) const fn plus(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

pub(super) fn count(sums: &mut Sums, name: &str) {
    plus(sums.entry(name.to_owned()).or_default(), 1);
}

fn merge(into: &mut Sums, from: &Sums) {
    for (name, more) in from {
        plus(into.entry(name.clone()).or_default(), *more);
    }
}
