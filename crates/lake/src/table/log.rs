//! The log: one JSON file a commit, one action a line (Delta Lake protocol, "Actions").
//!
//! A commit file appears whole or not at all: it is written beside, synced, and linked to its final name, which fails if
//! the name is taken. At a hundred times the data this is unchanged: a commit's size follows its files, not the table.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use hinomi_model::{ContentHash, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::definition::Definition;
use super::write::Staged;
use crate::error::LakeError;

/// Where the log is, inside the table's folder.
pub(crate) const FOLDER: &str = "_delta_log";

/// What a file that is being written ends with.
pub(crate) const UNFINISHED: &str = ".unfinished";

/// The most bytes of one commit that are read: about 300,000 files in one step.
const MAX_COMMIT_BYTES: u64 = 256 << 20;

/// The newest Delta reader version whose tables we understand.
pub(crate) const READER_VERSION: u64 = 1;

/// The oldest Delta writer version that we fulfil.
const WRITER_VERSION: u64 = 2;

/// One line of a commit: exactly one of these. Actions that are not known here are skipped, as the protocol asks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit_info: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) protocol: Option<Protocol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) meta_data: Option<MetaData>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) add: Option<Add>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remove: Option<Remove>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) txn: Option<Transaction>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub(crate) min_reader_version: u64,
    pub(crate) min_writer_version: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetaData {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) format: Value,
    pub(crate) schema_string: String,
    pub(crate) partition_columns: Vec<String>,
    #[serde(default)]
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) created_time: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) size: u64,
    pub(crate) modification_time: i64,
    pub(crate) data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) deletion_timestamp: Option<i64>,
    pub(crate) data_change: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transaction {
    pub(crate) app_id: String,
    pub(crate) version: u64,
    #[serde(default)]
    pub(crate) last_updated: Option<i64>,
}

/// Something an application keeps beside the rows, stored in the same step. The log's `txn` action says in which
/// version the newest note of each application is; the text itself is in that version's `commitInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// Whose note.
    pub(crate) application: String,
    /// The text.
    pub(crate) text: String,
}

/// What came of trying to be a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The commit stands.
    Done,
    /// Somebody else has that version.
    Taken,
}

fn millis(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000)
}

/// The first commit of a table.
pub(crate) fn creation(definition: &Definition, dir: &Path, now: Timestamp) -> Vec<Line> {
    let protocol = Protocol { min_reader_version: READER_VERSION, min_writer_version: WRITER_VERSION };
    let configuration = [
        ("hinomi.format", super::FORMAT.to_string()),
        // Other tools that write log checkpoints would by default delete older commits, and campaign notes with them.
        ("delta.enableExpiredLogCleanup", "false".to_owned()),
    ];
    let meta_data = MetaData {
        id: table_id(definition, dir, now),
        name: Some(definition.name.to_owned()),
        description: Some(definition.description.to_owned()),
        format: json!({ "provider": "parquet", "options": {} }),
        schema_string: definition.delta_schema(),
        partition_columns: Vec::new(),
        configuration: configuration.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        created_time: Some(millis(now)),
    };
    vec![
        commit_info_of("CREATE TABLE", None, now),
        Line { protocol: Some(protocol), ..Line::default() },
        Line { meta_data: Some(meta_data), ..Line::default() },
    ]
}

/// A name for the table that no other has: where and when it was made, in the shape of a UUID.
fn table_id(definition: &Definition, dir: &Path, now: Timestamp) -> String {
    let seed = format!("{} {} {} {}", definition.name, dir.display(), now.as_micros(), std::process::id());
    let hash = ContentHash::of(seed.as_bytes()).to_string();
    let mut id = String::with_capacity(36);
    for (at, digit) in hash.chars().take(32).enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}

/// Who committed, when, and the note.
pub(crate) fn commit_info(note: Option<&Note>, now: Timestamp) -> Line {
    commit_info_of("WRITE", note, now)
}

fn commit_info_of(operation: &str, note: Option<&Note>, now: Timestamp) -> Line {
    let mut info = json!({
        "timestamp": millis(now),
        "operation": operation,
        "operationParameters": {},
        "engineInfo": concat!("hinomi/", env!("CARGO_PKG_VERSION")),
    });
    if let (Some(note), Some(info)) = (note, info.as_object_mut()) {
        info.insert("hinomiNote".to_owned(), json!({ "application": note.application, "text": note.text }));
    }
    Line { commit_info: Some(info), ..Line::default() }
}

/// A file that counts from this commit on.
pub(crate) fn add(staged: &Staged, now: Timestamp) -> Line {
    let add = Add {
        path: staged.name.clone(),
        partition_values: BTreeMap::new(),
        size: staged.bytes,
        modification_time: millis(now),
        data_change: true,
        stats: Some(staged.statistics.clone()),
    };
    Line { add: Some(add), ..Line::default() }
}

/// A file that counts no more.
pub(crate) fn remove(path: &str, now: Timestamp) -> Line {
    let remove = Remove { path: path.to_owned(), deletion_timestamp: Some(millis(now)), data_change: true };
    Line { remove: Some(remove), ..Line::default() }
}

/// Where the newest note of an application is.
pub(crate) fn transaction(note: &Note, version: u64, now: Timestamp) -> Line {
    let txn = Transaction { app_id: note.application.clone(), version, last_updated: Some(millis(now)) };
    Line { txn: Some(txn), ..Line::default() }
}

/// The file of a version.
pub(crate) fn commit_path(log_dir: &Path, version: u64) -> PathBuf {
    log_dir.join(format!("{version:020}.json"))
}

/// Makes these lines the commit of this version, if nobody has it.
pub(crate) fn put(log_dir: &Path, version: u64, lines: &[Line]) -> Result<Put, LakeError> {
    let path = commit_path(log_dir, version);
    let beside = log_dir.join(format!(".{version:020}.{}{UNFINISHED}", std::process::id()));
    let linked = write_whole(&beside, lines).and_then(|()| fs::hard_link(&beside, &path));
    // Whether it was linked or not: the name beside has served. If this fails too, the next writer sweeps it.
    let _ = fs::remove_file(&beside);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Put::Taken),
        Err(error) => return Err(LakeError::io("committing", &path)(error)),
    }
    sync_folder(log_dir)?;
    Ok(Put::Done)
}

fn write_whole(path: &Path, lines: &[Line]) -> io::Result<()> {
    let mut text = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    let mut file = File::create(path)?;
    file.write_all(&text)?;
    file.sync_all()
}

/// Makes new names in a folder survive a power cut, where the platform can.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), LakeError> {
    if !cfg!(unix) {
        return Ok(());
    }
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(LakeError::io("syncing", folder))
}

/// The lines of a version; none when there is no such version.
pub(crate) fn read(table: &str, log_dir: &Path, version: u64) -> Result<Option<Vec<Line>>, LakeError> {
    let path = commit_path(log_dir, version);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LakeError::io("opening", &path)(error)),
    };
    let mut text = String::new();
    let read = file.take(MAX_COMMIT_BYTES + 1).read_to_string(&mut text).map_err(LakeError::io("reading", &path))?;
    let damaged = |detail: String| LakeError::damaged(format!("{table}: commit {version}"), &detail);
    if u64::try_from(read).is_ok_and(|read| read > MAX_COMMIT_BYTES) {
        return Err(damaged(format!("more than {MAX_COMMIT_BYTES} bytes")));
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(serde_json::from_str).collect::<Result<_, _>>().map(Some).map_err(|error| damaged(error.to_string()))
}

/// The text that an application noted in this version.
pub(crate) fn read_note(
    table: &str,
    log_dir: &Path,
    version: u64,
    application: &str,
) -> Result<Option<String>, LakeError> {
    let lines = read(table, log_dir, version)?.unwrap_or_default();
    let notes = lines.iter().filter_map(|line| line.commit_info.as_ref()?.get("hinomiNote"));
    let own = notes.filter(|note| note.get("application").and_then(Value::as_str) == Some(application));
    let text = own.filter_map(|note| note.get("text").and_then(Value::as_str)).next();
    Ok(text.map(ToOwned::to_owned))
}
