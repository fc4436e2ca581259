//! Others' scans as equals: what nmap, masscan and ZGrab2 saw becomes sightings like our own, the source marked.
//!
//! The file's own words are the evidence, so better rules improve imports too. A sighting takes its time from the file, so
//! importing a file again changes nothing. Records stream through in batches: a file may be of any size.

use std::collections::BTreeMap;

use hinomi_model::{Batch, EvidenceKind, Marking, Outcome, SensorId, ServiceKey, Sighting, Sink, SinkError, Timestamp};
use hinomi_wire::scans::{Record, ScanError, State};
use serde::Serialize;

/// How many sightings are stored in one step.
const BATCH: usize = 20_000;

/// The most complaints that are kept word for word; all are counted.
const MAX_COMPLAINTS: usize = 20;

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Records that could be read.
    pub records: u64,
    /// Sightings that were new.
    pub stored: u64,
    /// Sightings that were there already.
    pub repeated: u64,
    /// Records of ports that gave no answer: nothing was seen there.
    pub unanswered: u64,
    /// Records that could not be read.
    pub unreadable: u64,
    /// Whether the file ended before it should.
    pub cut_short: bool,
    /// The first complaints, with line and offset.
    pub complaints: Vec<String>,
    /// Stored sightings by sensor.
    pub by_sensor: BTreeMap<String, u64>,
}

/// Takes in the records of one file. `otherwise` is the time of records that carry none; it must be the same whenever
/// the same file is imported.
///
/// # Errors
/// When the store does not take a batch; what was stored before stays, and importing again completes it.
pub fn import(
    records: impl Iterator<Item = Result<Record, ScanError>>,
    otherwise: Timestamp,
    marking: &Marking,
    sink: &dyn Sink,
) -> Result<ImportReport, SinkError> {
    let mut report = ImportReport::default();
    let mut batch = Batch::default();
    for record in records {
        match record {
            Ok(record) => take(record, otherwise, marking, &mut batch, &mut report),
            Err(error) => complain(&error, &mut report),
        }
        if batch.sightings.len() >= BATCH {
            store(std::mem::take(&mut batch), sink, &mut report)?;
        }
    }
    store(batch, sink, &mut report)?;
    Ok(report)
}

fn complain(error: &ScanError, report: &mut ImportReport) {
    report.unreadable += 1;
    report.cut_short |= error.ends_the_file();
    if report.complaints.len() < MAX_COMPLAINTS {
        report.complaints.push(error.to_string());
    }
}

fn take(record: Record, otherwise: Timestamp, marking: &Marking, batch: &mut Batch, report: &mut ImportReport) {
    report.records += 1;
    let outcome = match record.state {
        State::Open => Outcome::Open,
        State::Closed => Outcome::Closed,
        State::Filtered => {
            report.unanswered += 1;
            return;
        }
    };
    let Some(sensor) = sensor_of(&record) else { return };
    *report.by_sensor.entry(sensor.to_string()).or_default() += 1;
    batch.sightings.push(Sighting {
        sensor,
        campaign: None,
        time: record.time.unwrap_or(otherwise),
        subject: ServiceKey { address: record.address, port: record.port, transport: record.transport },
        outcome,
        remark: None,
        evidence: record.evidence.iter().map(hinomi_model::Evidence::reference).collect(),
        marking: marking.clone(),
    });
    batch.evidence.extend(record.evidence);
}

/// Who saw it: the tool whose words the first evidence is.
fn sensor_of(record: &Record) -> Option<SensorId> {
    let tool = match record.evidence.first().map(|evidence| evidence.kind) {
        Some(EvidenceKind::NmapService) => "import:nmap",
        Some(EvidenceKind::MasscanRecord) => "import:masscan",
        Some(EvidenceKind::ZgrabRecord) => "import:zgrab",
        _ => "import",
    };
    tool.parse().ok()
}

fn store(batch: Batch, sink: &dyn Sink, report: &mut ImportReport) -> Result<(), SinkError> {
    if batch.sightings.is_empty() {
        return Ok(());
    }
    let receipt = sink.append(batch)?;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    report.stored += count(receipt.sightings);
    report.repeated += count(receipt.repeated);
    Ok(())
}
