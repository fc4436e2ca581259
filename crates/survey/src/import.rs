//! Others' scans as equals: what nmap, masscan, ZGrab2, Shodan, Censys and Shadowserver saw becomes sightings like our
//! own, the source marked.
//!
//! The file's own words are the evidence, so better rules improve imports too. A sighting takes its time from the file, so
//! importing a file again changes nothing. Records stream through in batches: a file may be of any size, and memory is
//! bounded by three batches.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, SyncSender};

use hinomi_model::{
    Batch, EvidenceKind, Marking, Outcome, SensorId, ServiceKey, Sighting, Sink, SinkError, Timestamp, Tlp,
};
use hinomi_wire::scans::{Record, ScanError, State};
use serde::Serialize;

/// How many sightings are stored in one step, at most.
const MAX_BATCH_SIGHTINGS: usize = 20_000;

/// How many bytes of evidence are stored in one step, about.
const MAX_BATCH_BYTES: usize = 48 << 20;

/// How many batches may wait while one is stored.
const WAITING_BATCHES: usize = 1;

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
    /// Records of infected hosts; they count as records too. None of them is stored as open to everybody.
    pub infected: u64,
    /// Records that tell of something else than a service or an infected host.
    pub other: u64,
    /// Their number by what they tell.
    pub other_by_reason: BTreeMap<String, u64>,
    /// Whether the file ended before it should.
    pub cut_short: bool,
    /// The first complaints, with line and offset.
    pub complaints: Vec<String>,
    /// Sightings by sensor, new or not.
    pub by_sensor: BTreeMap<String, u64>,
}

/// Takes in the records of one file: reading goes on while a batch is stored. `otherwise` is the time of records that
/// carry none; it must be the same whenever the same file is imported. Without it such records are unreadable.
///
/// # Errors
/// When the store does not take a batch; what was stored before stays, and importing again completes it.
pub fn import(
    records: impl Iterator<Item = Result<Record, ScanError>> + Send,
    otherwise: Option<Timestamp>,
    marking: &Marking,
    sink: &dyn Sink,
) -> Result<ImportReport, SinkError> {
    let (send, receive) = mpsc::sync_channel(WAITING_BATCHES);
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || gather(records, otherwise, marking, &send));
        let stored = receive.iter().try_fold((0, 0), |counts, batch| store(batch, sink, counts));
        // Should storing have failed, reading ends with the next batch that nobody takes.
        drop(receive);
        let report = reading.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause));
        let (stored, repeated) = stored?;
        Ok(ImportReport { stored, repeated, ..report })
    })
}

/// Reads records into batches and hands them over; what it counts is all but what was stored.
fn gather(
    records: impl Iterator<Item = Result<Record, ScanError>>,
    otherwise: Option<Timestamp>,
    marking: &Marking,
    send: &SyncSender<Batch>,
) -> ImportReport {
    let mut report = ImportReport::default();
    let (mut batch, mut bytes) = (Batch::default(), 0);
    for record in records {
        match record {
            Ok(record) => bytes += take(record, otherwise, marking, &mut batch, &mut report),
            Err(error) => complain(&error, &mut report),
        }
        if batch.sightings.len() >= MAX_BATCH_SIGHTINGS || bytes >= MAX_BATCH_BYTES {
            bytes = 0;
            if send.send(std::mem::take(&mut batch)).is_err() {
                return report;
            }
        }
    }
    if !batch.sightings.is_empty() {
        // Nobody takes it only when an earlier one could not be stored, which is told there.
        let _ = send.send(batch);
    }
    report
}

fn complain(error: &ScanError, report: &mut ImportReport) {
    if let ScanError::Other { reason, .. } = error {
        report.other += 1;
        *report.other_by_reason.entry((*reason).to_owned()).or_default() += 1;
        return;
    }
    report.cut_short |= error.ends_the_file();
    leave_out(error.to_string(), report);
}

fn leave_out(complaint: String, report: &mut ImportReport) {
    report.unreadable += 1;
    if report.complaints.len() < MAX_COMPLAINTS {
        report.complaints.push(complaint);
    }
}

/// Puts a record into the batch; how many bytes of evidence came with it.
fn take(
    record: Record,
    otherwise: Option<Timestamp>,
    marking: &Marking,
    batch: &mut Batch,
    report: &mut ImportReport,
) -> usize {
    let subject = ServiceKey { address: record.address, port: record.port, transport: record.transport };
    let outcome = match record.state {
        State::Open => Outcome::Open,
        State::Closed => Outcome::Closed,
        State::Filtered => {
            report.records += 1;
            report.unanswered += 1;
            return 0;
        }
    };
    let Some(sensor) = sensor_of(&record) else { return 0 };
    let Some(time) = record.time.or(otherwise) else {
        leave_out(format!("{subject}: this record was left out: it carries no time; say it with --time"), report);
        return 0;
    };
    report.records += 1;
    let of_host = is_of_host(&record);
    report.infected += u64::from(of_host);
    *report.by_sensor.entry(sensor.to_string()).or_default() += 1;
    batch.sightings.push(Sighting {
        sensor,
        campaign: None,
        time,
        subject,
        outcome,
        remark: None,
        evidence: record.evidence.iter().map(hinomi_model::Evidence::reference).collect(),
        marking: if of_host { close(marking) } else { marking.clone() },
    });
    let bytes = record.evidence.iter().map(|piece| piece.bytes.len()).sum();
    batch.evidence.extend(record.evidence);
    bytes
}

/// Whether it tells of a host and not of a service: Shadowserver's of who is infected.
fn is_of_host(record: &Record) -> bool {
    record.port == 0 && record.evidence.first().is_some_and(|first| first.kind == EvidenceKind::ShadowserverRecord)
}

/// That somebody's line is infected is for who holds the address or runs its network, whatever the file is marked with.
fn close(marking: &Marking) -> Marking {
    Marking { tlp: marking.tlp.max(Tlp::Amber), ..marking.clone() }
}

/// Who saw it: the tool whose words the first evidence is.
fn sensor_of(record: &Record) -> Option<SensorId> {
    let tool = match record.evidence.first().map(|evidence| evidence.kind) {
        Some(EvidenceKind::NmapService) => "import:nmap",
        Some(EvidenceKind::MasscanRecord) => "import:masscan",
        Some(EvidenceKind::ZgrabRecord) => "import:zgrab",
        Some(EvidenceKind::ShodanRecord) => "import:shodan",
        Some(EvidenceKind::CensysRecord) => "import:censys",
        Some(EvidenceKind::ShadowserverRecord) => "import:shadowserver",
        _ => "import",
    };
    tool.parse().ok()
}

fn store(batch: Batch, sink: &dyn Sink, (stored, repeated): (u64, u64)) -> Result<(u64, u64), SinkError> {
    let receipt = sink.append(batch)?;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    Ok((stored + count(receipt.sightings), repeated + count(receipt.repeated)))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hinomi_model::{CampaignId, Checkpoint, Evidence, Purpose, Receipt, Transport};

    use super::*;

    /// Notes how large batches are, and has room for so many.
    struct Shelf {
        room: usize,
        batches: Mutex<Vec<(usize, usize)>>,
    }

    impl Sink for Shelf {
        fn append(&self, batch: Batch) -> Result<Receipt, SinkError> {
            let mut batches = self.batches.lock().expect("one at a time");
            if batches.len() == self.room {
                return Err(SinkError::NoRoom("full".to_owned()));
            }
            let sightings = batch.sightings.len();
            batches.push((sightings, batch.evidence.iter().map(|piece| piece.bytes.len()).sum()));
            Ok(Receipt { sightings, repeated: 0, evidence: batch.evidence.len() })
        }

        fn checkpoint(&self, _: &CampaignId) -> Result<Option<Checkpoint>, SinkError> {
            Ok(None)
        }
    }

    /// Records without end, each with so many bytes of evidence.
    fn records(bytes: usize) -> impl Iterator<Item = Result<Record, ScanError>> + Send {
        (0_u32..).map(move |number| {
            Ok(Record {
                address: std::net::Ipv4Addr::from(number).into(),
                port: 80,
                transport: Transport::Tcp,
                state: State::Open,
                time: None,
                evidence: vec![Evidence::new(EvidenceKind::NmapService, vec![b'x'; bytes])],
            })
        })
    }

    #[test]
    fn batches_are_bounded_and_a_full_store_ends_the_reading() {
        let marking = Marking::own(Purpose::ExposureReduction);
        for (bytes, sightings) in [(1, MAX_BATCH_SIGHTINGS), (256 * 1024, MAX_BATCH_BYTES / (256 * 1024))] {
            let shelf = Shelf { room: 2, batches: Mutex::default() };
            let ended = import(records(bytes), Some(Timestamp::from_micros(1)), &marking, &shelf);
            assert!(matches!(ended, Err(SinkError::NoRoom(_))));
            assert_eq!(*shelf.batches.lock().expect("free"), [(sightings, sightings * bytes); 2]);
        }
    }

    #[test]
    fn what_has_no_time_is_counted_and_not_stored() {
        let marking = Marking::own(Purpose::ExposureReduction);
        let shelf = Shelf { room: 0, batches: Mutex::default() };
        let report = import(records(1).take(30), None, &marking, &shelf).expect("nothing to store");
        assert_eq!((report.records, report.unreadable, report.complaints.len()), (0, 30, MAX_COMPLAINTS));
        assert!(!report.cut_short);
    }

    #[test]
    fn records_of_something_else_are_counted_by_what_they_tell() {
        let marking = Marking::own(Purpose::ExposureReduction);
        let shelf = Shelf { room: 1, batches: Mutex::default() };
        let other = |reason| Err(ScanError::Other { line: 1, offset: 0, reason });
        let all = vec![other("lists"), other("events"), other("lists")].into_iter().chain(records(1).take(1));
        let report = import(all, Some(Timestamp::from_micros(1)), &marking, &shelf).expect("stored");
        assert_eq!((report.records, report.unreadable, report.other), (1, 0, 3));
        let reasons: Vec<_> = report.other_by_reason.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        assert_eq!(reasons, [("events", 1), ("lists", 2)]);
        assert!(report.complaints.is_empty() && !report.cut_short);
    }
}
