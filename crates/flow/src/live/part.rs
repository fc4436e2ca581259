//! Sums of one receiver, stream or file, and how they become the status that people see.

use std::net::SocketAddr;

use hinomi_model::cnc::status::{
    CollectorStatus, DecodedStatus, ExporterStatus, FileStatus, InletStatus, MAX_EXPORTERS_LISTED, ReceivedStatus,
    Refusals, Sums,
};
use hinomi_wire::flow::{Counts, Decoder, ExporterCounts, Part as Bytes, Reason};

use super::analysis::Analysis;
use crate::detect::detection::ScoringCounts;
use crate::detect::watch::WatchCounts;
use crate::inlet::{InletCounts, Refusal};
use crate::node::HubCounts;
use crate::pair::PairCounts;
use crate::server::ServerCounts;
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
    /// Interfaces that are watched.
    pub files: Vec<FileStatus>,
}

impl Part {
    /// What a decoder and an inlet counted so far; `received` has what only the socket knows.
    pub fn of(received: &ReceivedStatus, decoder: &Decoder, inlet: InletCounts) -> Self {
        let counts = decoder.counts();
        let received = ReceivedStatus { datagrams: counts.datagrams, bytes: counts.bytes, ..received.clone() };
        let exporters = decoder.exporters().map(|(address, each)| (address, *each)).collect();
        Self { received, decoded: decoded(counts), inlet: inlet_status(inlet), exporters, files: Vec::new() }
    }

    /// Adds the sums of another one.
    pub fn add(&mut self, other: &Self) {
        let (mine, theirs) = (&mut self.received, &other.received);
        plus(&mut mine.datagrams, theirs.datagrams);
        plus(&mut mine.bytes, theirs.bytes);
        plus(&mut mine.frames, theirs.frames);
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
        self.files.extend_from_slice(&other.files);
    }

    /// Writes the sums into a status. Exporters within the subscribers' range stay without a name.
    pub(super) fn tell(&self, status: &mut CollectorStatus, subscribers: &Subscribers) {
        status.received = self.received.clone();
        status.decoded = self.decoded.clone();
        status.inlet = self.inlet.clone();
        status.files.clone_from(&self.files);
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
    status.pairs = sums(pairs(analysis.pair_counts()));
    status.servers = sums(table(analysis.server_counts()).into_iter().chain([("servers", analysis.servers() as u64)]));
    status.watched = sums(watched(analysis.watch_counts()));
    if let Some((time, counts)) = analysis.last_scoring() {
        status.scored = Some(time);
        status.scoring = sums(scoring(counts));
    }
    status.findings = analysis.findings() as u64;
    status.spread = analysis.hub_counts().map(|counts| sums(spread(counts))).unwrap_or_default();
}

// Every name is in `hinomi_model::cnc::status::names`, so that pages have a text for it: a test sees to it.

const fn pairs(counts: PairCounts) -> [(&'static str, u64); 6] {
    [
        ("flows", counts.flows),
        ("whole", counts.whole),
        ("joined", counts.joined),
        ("alone", counts.alone),
        ("crowded_out", counts.crowded_out),
        ("waiting", counts.waiting),
    ]
}

const fn table(counts: ServerCounts) -> [(&'static str, u64); 8] {
    [
        ("flows", counts.flows),
        ("remote_is_client", counts.remote_is_client),
        ("counted", counts.counted),
        ("waiting", counts.waiting),
        ("not_admitted", counts.not_admitted),
        ("admitted", counts.admitted),
        ("evicted", counts.evicted),
        ("expired", counts.expired),
    ]
}

const fn watched(counts: WatchCounts) -> [(&'static str, u64); 7] {
    [
        ("scans", counts.scans),
        ("floods", counts.floods),
        ("backscatter", counts.backscatter),
        ("inbound", counts.inbound),
        ("forgotten", counts.forgotten),
        ("unwatched", counts.unwatched),
        ("no_room", counts.no_room),
    ]
}

const fn scoring(counts: ScoringCounts) -> [(&'static str, u64); 6] {
    [
        ("servers", counts.servers),
        ("scored", counts.scored),
        ("scanned", counts.scanned),
        ("flooded", counts.flooded),
        ("backscatter", counts.backscatter),
        ("suppressed", counts.suppressed),
    ]
}

const fn spread(counts: HubCounts) -> [(&'static str, u64); 5] {
    [
        ("parcels", counts.parcels),
        ("flows", counts.flows),
        ("missed", counts.missed),
        ("begun_anew", counts.begun_anew),
        ("stray", counts.stray),
    ]
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use hinomi_model::cnc::status::names::{FILE_ABOUTS, FILE_REASONS, SUMS};
    use hinomi_wire::flow::Unit;

    use super::*;

    #[test]
    fn pages_know_the_names_of_all_sums_and_of_no_others() {
        let counted = pairs(PairCounts::default()).into_iter().chain(table(ServerCounts::default()));
        let counted = counted.chain(watched(WatchCounts::default())).chain(scoring(ScoringCounts::default()));
        let counted = counted.chain(spread(HubCounts::default()));
        let refused = Refusal::ALL.map(Refusal::name).into_iter().chain(Reason::ALL.map(Reason::name));
        let written = counted.map(|(name, _)| name).chain(refused).chain(Unit::ALL.map(Unit::name)).chain(["servers"]);
        assert_eq!(written.collect::<BTreeSet<_>>(), SUMS.into_iter().collect());
    }

    /// The sentences of the errors of one enum of `wire`, with `{}` for what they are about.
    fn sentences(file: &str, name: &str) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wire/src").join(file);
        let text = fs::read_to_string(path).expect("the source of wire");
        let body = text.split_once(name).expect(name).1.split_once("\n}\n").expect("an end").0;
        let sentence = |part: &str| {
            let sentence = part.split_once("\")]").expect("an end").0;
            match (sentence.find('{'), sentence.find('}')) {
                (Some(start), Some(end)) => format!("{}{{}}{}", &sentence[..start], &sentence[end + 1..]),
                _ => sentence.to_owned(),
            }
        };
        body.split("#[error(\"").skip(1).map(sentence).collect()
    }

    #[test]
    fn pages_know_every_reason_of_files_and_no_others() {
        let own = ["not readable", "a kind of link that is not read", crate::live::files::FUTURE].map(str::to_owned);
        let wire = [sentences("flow/file.rs", "pub enum Reason {"), sentences("packet.rs", "pub enum Unread {")];
        let written: BTreeSet<_> = wire.into_iter().flatten().chain(own).collect();
        assert_eq!(written, FILE_REASONS.into_iter().map(|(_, sentence)| sentence.to_owned()).collect());
    }

    /// Every word in quotation marks that readers of files give a reason to be about, but for names of columns and tools.
    fn abouts(path: &Path, found: &mut BTreeSet<String>) {
        if path.is_dir() && !path.ends_with("tests") {
            let entries = fs::read_dir(path).expect("a folder").flatten();
            return entries.for_each(|entry| abouts(&entry.path(), found));
        }
        if path.extension().is_none_or(|kind| kind != "rs") || path.ends_with("tests.rs") {
            return;
        }
        let text = fs::read_to_string(path).expect("a source");
        for kind in ["Truncated", "Invalid", "Compression", "TooLarge"] {
            let call = format!("Reason::{kind}(\"");
            let rest = text.split(&call).skip(1);
            found.extend(rest.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
        // What is handed on to where the reason is made.
        let filled = text.split("self.fill(").skip(1).filter_map(|rest| rest.split(')').next());
        found.extend(filled.filter_map(|call| call.split('"').nth(1)).map(str::to_owned));
    }

    #[test]
    fn pages_know_what_every_reason_of_files_is_about() {
        let mut written = BTreeSet::new();
        for readers in ["../wire/src/flow", "src/parquet", "src/parquet.rs"] {
            abouts(&Path::new(env!("CARGO_MANIFEST_DIR")).join(readers), &mut written);
        }
        // Names of tools are the same in every language.
        written.retain(|about| !["bzip2", "zstd"].contains(&about.as_str()));
        assert_eq!(written, FILE_ABOUTS.into_iter().map(|(_, about)| about.to_owned()).collect());
    }
}
