//! How a collector of flows is doing: what came in, what became of it at every stage, what was lost on the way.
//!
//! The collector writes it to `<state>/flow/status.json` every second, whole and at once; a page reads it. It holds
//! sums, and addresses of exporters that gave flows, never one of a subscriber: an exporter that is itself within the
//! subscribers' range stays without a name.

pub mod names;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The layout that this program writes.
pub const STATUS_FORMAT: u32 = 1;
/// Most exporters that are listed: those that lost most come first.
pub const MAX_EXPORTERS_LISTED: usize = 100;

/// Sums by name; names are those of metrics and do not change ([`names`]).
pub type Sums = BTreeMap<String, u64>;

/// A collector at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectorStatus {
    /// [`STATUS_FORMAT`].
    pub format: u32,
    /// Whether more is to come; a collector that was killed leaves it set, and `updated` stands still.
    pub running: bool,
    /// When it began.
    pub started: Timestamp,
    /// When this was written.
    pub updated: Timestamp,
    /// Where it listens; none when it reads files.
    #[serde(default)]
    pub listening: Vec<SocketAddr>,
    /// Files it read, or reads.
    #[serde(default)]
    pub files: Vec<FileStatus>,
    /// The running epoch of pseudonyms, and when it ends.
    pub epoch: u32,
    /// When the running epoch ends.
    pub epoch_ends: Timestamp,
    /// Whether infected lines are joined with flows.
    #[serde(default)]
    pub infected_switch: bool,
    /// Whether own lines that met a finding may be asked for.
    #[serde(default)]
    pub own_switch: bool,
    /// Datagrams and streams.
    #[serde(default)]
    pub received: ReceivedStatus,
    /// What the bytes were.
    #[serde(default)]
    pub decoded: DecodedStatus,
    /// What became of the records where addresses become pseudonyms.
    #[serde(default)]
    pub inlet: InletStatus,
    /// Halves that became sessions: `flows` in; `whole`, `joined` (two each), `alone`, `crowded_out`, `waiting` out.
    #[serde(default)]
    pub pairs: Sums,
    /// The table of servers: `flows` in; `remote_is_client`, `counted`, `waiting`, `not_admitted` out; `servers` now.
    #[serde(default)]
    pub servers: Sums,
    /// What subscribers were seen doing: `scans`, `floods`, `backscatter`, `inbound`.
    #[serde(default)]
    pub watched: Sums,
    /// The last scoring: `servers`, `scored`, and those left out by reason.
    #[serde(default)]
    pub scoring: Sums,
    /// Between the collector and its workers, where it has some: `parcels` and `flows` sent, parcels that workers `missed`,
    /// workers that had no state and were `begun_anew`, replies that were `stray`.
    #[serde(default)]
    pub spread: Sums,
    /// When the last scoring was.
    #[serde(default)]
    pub scored: Option<Timestamp>,
    /// Findings that are held now.
    #[serde(default)]
    pub findings: u64,
    /// Share of records that did not arrive, 0 to 1, as the scoring was told.
    #[serde(default)]
    pub loss: f64,
    /// The exporters, those that lost most first, at most [`MAX_EXPORTERS_LISTED`].
    #[serde(default)]
    pub exporters: Vec<ExporterStatus>,
    /// Exporters that are not listed: too many, or never gave a flow.
    #[serde(default)]
    pub exporters_not_listed: u64,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// Its name.
    pub name: String,
    /// What it was taken for: `pcap`, `nfdump`, `ipfix`, `argus`, `zeek`.
    pub kind: String,
    /// Flow records it gave.
    pub records: u64,
    /// What gave none, by reason: a sentence ([`names::FILE_REASONS`]).
    #[serde(default)]
    pub left_out: Sums,
    /// Why it could not be read to its end.
    #[serde(default)]
    pub ended: Option<String>,
}

/// What arrived at the sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedStatus {
    /// Datagrams, and messages of streams.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams that the system dropped because nobody took them in time.
    pub kernel_drops: u64,
    /// Bytes that the system keeps for one receiver; less than was asked for where it does not grant more.
    pub buffer_bytes: u64,
    /// Times a receiver had to wait for the detection.
    pub waits: u64,
    /// Reads that failed and were tried again.
    pub errors: u64,
    /// Streams: `opened`, `ended`, `refused`, `idle`, `broken`.
    #[serde(default)]
    pub streams: Sums,
}

/// What became of every byte. `bytes` of [`ReceivedStatus`] are `parts`, `refused` and `held_bytes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecodedStatus {
    /// Flow records.
    pub records: u64,
    /// Records about exporters.
    pub option_records: u64,
    /// Templates learnt or said again.
    pub templates: u64,
    /// Bytes that were understood, by what they were.
    #[serde(default)]
    pub parts: Sums,
    /// What was refused, by reason.
    #[serde(default)]
    pub refused: BTreeMap<String, Refusals>,
    /// Bytes that wait for their template.
    pub held_bytes: u64,
    /// Bytes of which nothing is known: zero, or a mistake of this program.
    pub unaccounted_bytes: i64,
    /// Times that cannot be: `skewed`, `future`, `past`, `reversed`.
    #[serde(default)]
    pub clamped: Sums,
    /// Sets that came before their template, and those of them that were decoded later.
    #[serde(default)]
    pub replay: Sums,
}

/// What was refused for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusals {
    /// Datagrams, sets, templates or records.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What became of records at the inlet. `records` are `flows` and all of `refused`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InletStatus {
    /// Records.
    pub records: u64,
    /// Flows made of them.
    pub flows: u64,
    /// Records that became none, by reason.
    #[serde(default)]
    pub refused: Sums,
}

/// One exporter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExporterStatus {
    /// Its address and port; none when it lies within the subscribers' range. Streams that ended are one exporter a host,
    /// with port 0; beyond 1,024 hosts all others are the one at `[::]:0`.
    pub address: Option<SocketAddr>,
    /// When it was heard last.
    pub last_seen: Timestamp,
    /// Datagrams or messages.
    pub datagrams: u64,
    /// Flow records.
    pub records: u64,
    /// Items refused.
    pub refused: u64,
    /// Times it began anew.
    pub reboots: u64,
    /// Times its numbers began anew.
    pub resets: u64,
    /// What did not arrive, by what its protocol counts: `flows`, `packets`, `records`, `datagrams`, `samples`.
    #[serde(default)]
    pub lost: Sums,
    /// The largest lost share of these, 0 to 1.
    pub lost_share: f64,
}

impl CollectorStatus {
    /// Reads what a collector wrote.
    ///
    /// # Errors
    /// When it is not such a document, or of a later layout.
    pub fn read(text: &str) -> Result<Self, NotAStatus> {
        let status: Self = serde_json::from_str(text).map_err(|error| NotAStatus::Json(error.to_string()))?;
        if status.format > STATUS_FORMAT { Err(NotAStatus::Later(status.format)) } else { Ok(status) }
    }
}

/// Why a text is no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAStatus {
    /// Not JSON, or of something else.
    #[error("not the status of a collector: {0}")]
    Json(String),
    /// Written by a later program.
    #[error("a later program wrote this status (format {0}); upgrade this one")]
    Later(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_later_is_refused() {
        let status = CollectorStatus { format: STATUS_FORMAT, findings: 3, ..CollectorStatus::default() };
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(CollectorStatus::read(&text).unwrap(), status);
        let later = text.replace("\"format\":1", "\"format\":2");
        assert_eq!(CollectorStatus::read(&later).unwrap_err(), NotAStatus::Later(2));
        assert!(CollectorStatus::read("[]").is_err());
    }
}
