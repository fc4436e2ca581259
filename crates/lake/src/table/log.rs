//! The log: one JSON file a commit, one action a line (Delta Lake protocol, "Actions").
//!
//! A commit file appears whole or not at all, under a name that nobody had: see [`Store::put_if_absent`].
//! At a hundred times the data this is unchanged: a commit's size follows its files, not the table.

use std::collections::BTreeMap;

use hinomi_model::{ContentHash, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::definition::Definition;
use super::origin::Origin;
use super::store::{Put, Store};
use super::write::Staged;
use super::{seal, sums};
use crate::error::LakeError;
use crate::shared::Mark;

/// Where the log is, inside the table's folder.
const FOLDER: &str = "_delta_log";

/// The most bytes of one commit that are read: about 300,000 files in one step.
pub(crate) const MAX_COMMIT_BYTES: u64 = 256 << 20;

/// The newest Delta reader version whose tables we understand.
pub(crate) const READER_VERSION: u64 = 1;

/// The newest Delta writer version that we fulfil.
pub(crate) const WRITER_VERSION: u64 = 2;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) deletion_timestamp: Option<i64>,
    pub(crate) data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<BTreeMap<String, Option<String>>>,
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

fn millis(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000)
}

/// The first commit of a table.
pub(crate) fn creation(definition: &Definition, place: &str, now: Timestamp) -> Vec<Line> {
    let protocol = Protocol { min_reader_version: READER_VERSION, min_writer_version: WRITER_VERSION };
    let configuration = [
        ("hinomi.format", definition.format.to_string()),
        // Other tools that write log checkpoints would by default delete older commits, and campaign notes with them.
        ("delta.enableExpiredLogCleanup", "false".to_owned()),
    ];
    let meta_data = MetaData {
        id: table_id(definition, place, now),
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
fn table_id(definition: &Definition, place: &str, now: Timestamp) -> String {
    let seed = format!("{} {} {} {}", definition.name, place, now.as_micros(), std::process::id());
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
pub(crate) fn commit_info(operation: &str, note: Option<&Note>, now: Timestamp) -> Line {
    commit_info_of(operation, note, now)
}

/// When a commit was made, as it says.
pub(crate) fn time_of(lines: &[Line]) -> Option<Timestamp> {
    let millis = lines.iter().find_map(|line| line.commit_info.as_ref()?.get("timestamp")?.as_i64())?;
    Some(Timestamp::from_micros(millis.saturating_mul(1_000)))
}

/// The commit that brings an older table up to what its rows look like now; none when it is.
pub(crate) fn upgrade(definition: &Definition, stands: &MetaData, now: Timestamp) -> Option<Vec<Line>> {
    let schema_string = definition.delta_schema();
    let wanted: Value = serde_json::from_str(&schema_string).unwrap_or_default();
    if serde_json::from_str::<Value>(&stands.schema_string).is_ok_and(|schema| schema == wanted) {
        return None;
    }
    let mut meta_data = MetaData { schema_string, ..stands.clone() };
    meta_data.configuration.insert("hinomi.format".to_owned(), definition.format.to_string());
    let line = Line { meta_data: Some(meta_data), ..Line::default() };
    Some(vec![commit_info_of("CHANGE COLUMN", None, now), line])
}

fn commit_info_of(operation: &str, note: Option<&Note>, now: Timestamp) -> Line {
    let mut info = json!({
        "timestamp": millis(now),
        "operation": operation,
        "operationParameters": {},
        "engineInfo": concat!("hinomi/", env!("CARGO_PKG_VERSION")),
        (seal::FIELD): seal::ZEROS,
    });
    if let (Some(note), Some(info)) = (note, info.as_object_mut()) {
        info.insert("hinomiNote".to_owned(), json!({ "application": note.application, "text": note.text }));
    }
    Line { commit_info: Some(info), ..Line::default() }
}

/// Marks and nothing else.
pub(crate) fn marks(marks: &[&Mark], now: Timestamp) -> Vec<Line> {
    let line = |mark: &&Mark| {
        let txn = Transaction { app_id: mark.name.clone(), version: mark.number, last_updated: Some(millis(now)) };
        Line { txn: Some(txn), ..Line::default() }
    };
    [commit_info_of("LEASE", None, now)].into_iter().chain(marks.iter().map(line)).collect()
}

/// A file that counts from this commit on.
pub(crate) fn add(staged: &Staged, data_change: bool, now: Timestamp) -> Line {
    let mut tags = staged.origin.as_ref().map(Origin::tags).unwrap_or_default();
    tags.insert(sums::TAG.to_owned(), Some(staged.sums.to_text()));
    let add = Add {
        path: staged.name.clone(),
        partition_values: BTreeMap::new(),
        size: staged.bytes,
        modification_time: millis(now),
        data_change,
        stats: Some(staged.statistics.clone()),
        tags: Some(tags),
    };
    Line { add: Some(add), ..Line::default() }
}

/// A file that counts no more.
pub(crate) fn remove(path: &str, data_change: bool, now: Timestamp) -> Line {
    let remove = Remove { path: path.to_owned(), deletion_timestamp: Some(millis(now)), data_change, tags: None };
    Line { remove: Some(remove), ..Line::default() }
}

/// Where the newest note of an application is.
pub(crate) fn transaction(note: &Note, version: u64, now: Timestamp) -> Line {
    let txn = Transaction { app_id: note.application.clone(), version, last_updated: Some(millis(now)) };
    Line { txn: Some(txn), ..Line::default() }
}

/// The folder of a table's log.
pub(crate) fn folder(table: &str) -> String {
    format!("{table}/{FOLDER}")
}

/// The object of a version.
pub(crate) fn commit_name(table: &str, version: u64) -> String {
    format!("{table}/{FOLDER}/{version:020}.json")
}

/// Makes these lines the object of this version, if nobody has it. Whether the log goes on there, `Table::put` asks.
pub(crate) fn put(store: &dyn Store, table: &str, version: u64, lines: &[Line]) -> Result<Put, LakeError> {
    let mut text = String::new();
    for line in lines {
        let line = serde_json::to_string(line);
        text.push_str(&line.map_err(|error| LakeError::damaged("a commit to be written", &error))?);
        text.push('\n');
    }
    let name = commit_name(table, version);
    store.put_if_absent(&name, seal::seal(text).as_bytes())
}

/// The lines of a version; none when there is no such version.
pub(crate) fn read(store: &dyn Store, table: &str, version: u64) -> Result<Option<Vec<Line>>, LakeError> {
    let Some(bytes) = store.get(&commit_name(table, version), MAX_COMMIT_BYTES)? else { return Ok(None) };
    let damaged = |detail: String| LakeError::damaged(format!("{table}: commit {version}"), &detail);
    let text = std::str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
    if !seal::holds(text) {
        let place = store.place(&commit_name(table, version));
        let told = "does not have its sum: its bytes are not those that were written";
        return Err(damaged(format!("{} {told}", place.display())));
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(serde_json::from_str).collect::<Result<_, _>>().map(Some).map_err(|error| damaged(error.to_string()))
}

/// The text that an application noted in this version.
pub(crate) fn read_note(
    store: &dyn Store,
    table: &str,
    version: u64,
    application: &str,
) -> Result<Option<String>, LakeError> {
    let lines = read(store, table, version)?.unwrap_or_default();
    Ok(note_of(&lines).filter(|note| note.application == application).map(|note| note.text))
}

/// What an application noted in a commit.
pub(crate) fn note_of(lines: &[Line]) -> Option<Note> {
    let note = lines.iter().find_map(|line| line.commit_info.as_ref()?.get("hinomiNote"))?;
    let text = |name: &str| note.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    Some(Note { application: text("application")?, text: text("text")? })
}

/// What a listing of the log shows.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The highest version, so that a gap is noticed and not taken for the end.
    pub(crate) newest: Option<u64>,
    /// Whether another program wrote a checkpoint.
    pub(crate) checkpoint: bool,
}

/// What a listing of a table's log shows.
pub(crate) fn look(table: &str, store: &dyn Store) -> Result<Found, LakeError> {
    let mut found = Found::default();
    store.list(&folder(table), &mut |object| {
        found.newest = found.newest.max(object.name.strip_suffix(".json").and_then(|digits| digits.parse().ok()));
        found.checkpoint |= object.name.ends_with(".checkpoint.parquet");
        Ok(())
    })?;
    Ok(found)
}
