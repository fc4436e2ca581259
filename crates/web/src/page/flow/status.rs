//! How the collector of flows is doing: what came in, what became of it at every stage, what was lost on the way.

use std::time::Duration;

use hinomi_model::Timestamp;
use hinomi_model::cnc::status::{CollectorStatus, ExporterStatus, Sums, names};

use crate::moment;
use crate::seen::Seen;
use crate::words::Words;

/// A collector that has said nothing for so long is taken to have gone.
const SILENT: Duration = Duration::from_secs(120);
/// Reasons of one stage that are listed.
const MAX_REASONS: usize = 40;
/// Exporters that are listed.
const MAX_EXPORTERS: usize = 50;

/// A collector in the words of the visitor.
pub(super) struct StatusView {
    /// `running`, `silent` or `stopped`.
    pub(super) state: &'static str,
    pub(super) state_label: String,
    pub(super) started: String,
    pub(super) updated: String,
    pub(super) listening: Vec<String>,
    pub(super) files: Vec<(Seen, Seen, String)>,
    pub(super) loss: String,
    pub(super) kernel_drops: String,
    pub(super) infected: bool,
    pub(super) own: bool,
    pub(super) epoch_ends: String,
    pub(super) stages: Vec<Stage>,
    pub(super) refused: Vec<Refused>,
    pub(super) exporters: Vec<Exporter>,
    pub(super) more_exporters: Option<String>,
}

/// One stage with its sums.
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) sums: Vec<(String, String)>,
}

/// Something refused, and why.
pub(super) struct Refused {
    pub(super) stage: String,
    pub(super) reason: String,
    pub(super) items: String,
}

pub(super) struct Exporter {
    pub(super) address: String,
    pub(super) last_seen: String,
    pub(super) records: String,
    pub(super) refused: String,
    pub(super) lost: Vec<String>,
    pub(super) share: String,
}

impl StatusView {
    pub(super) fn new(w: &Words, now: Timestamp, status: &CollectorStatus) -> Self {
        let when = |time| format!("{} ({})", moment::minute(time), moment::relative(w, now, time));
        let state = match status.running {
            true if now.since(status.updated) < SILENT => "running",
            true => "silent",
            false => "stopped",
        };
        let file = |file: &hinomi_model::cnc::status::FileStatus| {
            (Seen::word(&file.name), Seen::word(&file.kind), moment::grouped(file.records))
        };
        Self {
            state,
            state_label: w.say(&format!("flow-state-{state}")),
            started: when(status.started),
            updated: when(status.updated),
            listening: status.listening.iter().map(ToString::to_string).collect(),
            files: status.files.iter().take(MAX_EXPORTERS).map(file).collect(),
            loss: share(status.loss),
            kernel_drops: moment::grouped(status.received.kernel_drops),
            infected: status.infected_switch,
            own: status.own_switch,
            epoch_ends: moment::minute(status.epoch_ends),
            stages: stages(w, status),
            refused: refused(w, status),
            exporters: status.exporters.iter().take(MAX_EXPORTERS).map(|each| exporter(w, now, each)).collect(),
            more_exporters: (status.exporters_not_listed > 0)
                .then(|| w.count("flow-more-exporters", status.exporters_not_listed)),
        }
    }
}

fn share(share: f64) -> String {
    format!("{:.2}%", (share * 100.0).clamp(0.0, 100.0))
}

/// The text of a sum, or its name where there is none.
fn name(w: &Words, sum: &str) -> String {
    w.find("flow-sum-", &sum.replace('_', "-")).unwrap_or_else(|| Seen::word(sum).to_string())
}

/// The text of a reason that a file's reader gave as a sentence, or the sentence where there is none.
fn file_reason(w: &Words, sentence: &str) -> String {
    match names::file_reason(sentence) {
        Some((name, about)) => {
            let told = names::file_about(about).and_then(|about| w.find("flow-about-", about));
            w.with(&format!("flow-file-{name}"), told.unwrap_or_else(|| Seen::word(about).to_string()))
        }
        None => Seen::word(sentence).to_string(),
    }
}

fn named(w: &Words, sums: &Sums) -> Vec<(String, String)> {
    sums.iter().take(MAX_REASONS).map(|(sum, count)| (name(w, sum), moment::grouped(*count))).collect()
}

fn stages(w: &Words, status: &CollectorStatus) -> Vec<Stage> {
    let (received, decoded) = (&status.received, &status.decoded);
    let said = |pairs: &[(&str, u64)]| pairs.iter().map(|(key, count)| (w.say(key), moment::grouped(*count))).collect();
    let stage = |key: &str, sums| Stage { name: w.say(key), sums };
    let stages = vec![
        stage("flow-stage-received", said(&[("flow-datagrams", received.datagrams), ("flow-bytes", received.bytes)])),
        stage(
            "flow-stage-decoded",
            said(&[
                ("flow-records", decoded.records),
                ("flow-option-records", decoded.option_records),
                ("flow-templates", decoded.templates),
            ]),
        ),
        stage("flow-stage-inlet", said(&[("flow-records", status.inlet.records), ("flow-flows", status.inlet.flows)])),
        stage("flow-stage-pairs", named(w, &status.pairs)),
        stage("flow-stage-servers", named(w, &status.servers)),
        stage("flow-stage-watched", named(w, &status.watched)),
        stage("flow-stage-scoring", named(w, &status.scoring)),
        stage("flow-stage-spread", named(w, &status.spread)),
    ];
    stages.into_iter().filter(|stage| !stage.sums.is_empty()).collect()
}

fn refused(w: &Words, status: &CollectorStatus) -> Vec<Refused> {
    let row =
        |key: &str, reason: String, count: u64| Refused { stage: w.say(key), reason, items: moment::grouped(count) };
    let decoded = status
        .decoded
        .refused
        .iter()
        .map(|(reason, refused)| row("flow-stage-decoded", name(w, reason), refused.items));
    let inlet = status.inlet.refused.iter().map(|(reason, count)| row("flow-stage-inlet", name(w, reason), *count));
    let files = status.files.iter().flat_map(|file| &file.left_out);
    let files = files.map(|(reason, count)| row("flow-stage-files", file_reason(w, reason), *count));
    decoded.take(MAX_REASONS).chain(inlet).chain(files.take(MAX_REASONS)).filter(|row| row.items != "0").collect()
}

fn exporter(w: &Words, now: Timestamp, exporter: &ExporterStatus) -> Exporter {
    let lost = exporter.lost.iter().filter(|(_, count)| **count > 0);
    Exporter {
        address: exporter.address.map_or_else(|| w.say("flow-exporter-inside"), |address| address.to_string()),
        last_seen: moment::relative(w, now, exporter.last_seen),
        records: moment::grouped(exporter.records),
        refused: moment::grouped(exporter.refused),
        lost: lost.map(|(unit, count)| format!("{} {}", moment::grouped(*count), name(w, unit))).collect(),
        share: share(exporter.lost_share),
    }
}
