//! What was deleted and held, in a log that can be checked: `lake/ledger.jsonl`.
//!
//! One line of JSON an entry; each names the hash of the line before it, and all are leaves of a Merkle tree
//! ([`hinomi_model::merkle`], RFC 9162) with BLAKE3. An entry says what kind of deletion, how many rows, a hash over
//! the names of the deleted rows, why, who and when; it holds nothing of the rows themselves. Who writes holds the lock
//! of the state folder. A last line that a crash tore is cut off by the next entry. At a hundred times the data: a line
//! a decision; the log is read whole.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use hinomi_model::merkle::{Digest, Tree, TreeHash, leaf};
use hinomi_model::{ContentHash, Timestamp};
use serde::{Deserialize, Serialize};

use crate::durable;
use crate::error::LakeError;

/// The most bytes of a ledger that are read.
const MAX_BYTES: u64 = 256 << 20;

/// The most bytes of the root that is kept beside it.
const MAX_KEPT_BYTES: u64 = 4_096;

/// BLAKE3 as the hash of the tree.
#[derive(Clone, Copy, Debug)]
pub struct Blake3;

impl TreeHash for Blake3 {
    fn hash(parts: &[&[u8]]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// Rows were deleted.
    Deleted {
        /// By which way.
        kind: Kind,
        /// Why.
        reason: String,
        /// Who asked for it.
        by: String,
        /// Sightings that went.
        sightings: u64,
        /// Pieces of evidence that went with them.
        evidence: u64,
        /// Hash over the salted names of the sightings, sorted.
        digest: ContentHash,
        /// What went with them elsewhere.
        #[serde(default, skip_serializing_if = "Reached::is_nothing")]
        reached: Reached,
    },
    /// A hold was put on.
    Held {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A hold was taken off.
    Released {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A pass over the whole lake began; what it makes leaves the lake, or becomes a table of it.
    Passed {
        /// Which job.
        job: String,
        /// What ran it.
        engine: String,
        /// Version of the sightings that it is of.
        sightings: Option<u64>,
        /// Who.
        by: String,
    },
    /// A data file that cannot be read was set aside: what it held is lost.
    Quarantined {
        /// The file.
        file: String,
        /// How many rows it held.
        rows: u64,
        /// From which address to which, as far as the log says.
        addresses: Option<(String, String)>,
        /// From when until when, as far as the log says.
        times: Option<(Timestamp, Timestamp)>,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
}

/// What a deletion reached beside the rows and what they refer to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reached {
    /// Events of saved queries.
    pub events: u64,
    /// Files that had been set aside as damaged.
    pub quarantined: u64,
    /// Such files that stay because something in them may be held.
    pub quarantine_held: u64,
    /// Positions of campaigns that named a host.
    pub positions: u64,
    /// Objects of the tables' logs: what they said of files of before.
    pub log: u64,
    /// Rows of the roll-ups, made anew from what is left.
    pub rollups: u64,
    /// Older versions of objects, in a bucket that keeps them.
    pub versions: u64,
    /// The bucket did not let its older versions be deleted: somebody has to do that.
    pub versions_refused: bool,
}

impl Reached {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Which way rows were deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Somebody asked for it.
    Erase,
    /// Their time was over.
    Retain,
    /// A backup held what had been erased.
    Restore,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 0.
    pub number: u64,
    /// When it was written.
    pub time: Timestamp,
    /// Leaf hash of the line before; empty in the first.
    pub previous: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A ledger that was read and holds.
#[derive(Debug, Default)]
pub struct Verified {
    /// Its entries.
    pub entries: Vec<Entry>,
    /// Root over them, for noting down elsewhere.
    pub root: String,
    /// Bytes of a torn last line.
    pub torn_bytes: u64,
    whole_bytes: u64,
    last: String,
}

/// Where the ledger of a state folder is.
pub fn path_of(state: &Path) -> PathBuf {
    state.join("lake").join("ledger.jsonl")
}

/// Reads and checks a ledger; one that is not there is empty. With `noted`, so many entries must have had that root.
///
/// # Errors
/// When it cannot be read, or a line is not what was written.
pub fn verify(path: &Path, noted: Option<(u64, &str)>) -> Result<Verified, LakeError> {
    // Before the ledger: an entry that is added meanwhile is no more than what was noted down.
    let kept = read_kept(path)?;
    let bytes = durable::read(path, MAX_BYTES)?.unwrap_or_default();
    let damaged = |number: u64, detail: &str| LakeError::damaged(format!("{}: entry {number}", path.display()), detail);
    let (mut tree, mut told) = (Tree::<Blake3>::default(), Verified::default());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some((b'\n', text)) = line.split_last() else {
            told.torn_bytes = line.len() as u64;
            break;
        };
        let number = tree.size();
        let entry: Entry = serde_json::from_slice(text).map_err(|error| damaged(number, &error.to_string()))?;
        if entry.number != number || entry.previous != told.last {
            return Err(damaged(number, "it does not follow the entry before it"));
        }
        let hash = leaf::<Blake3>(text);
        tree.push(hash);
        told.last = hex(hash);
        told.whole_bytes += line.len() as u64;
        told.entries.push(entry);
    }
    for (size, root) in noted.into_iter().chain(kept.as_ref().map(|(size, root)| (*size, root.as_str()))) {
        if tree.root_at(size).map(hex).as_deref() != Some(root) {
            return Err(damaged(size, "the ledger does not continue what was noted down"));
        }
    }
    told.root = hex(tree.root());
    Ok(told)
}

/// Adds an entry; it is on disk when this returns. One at a time, also where nobody holds the lock of the state folder.
pub(crate) fn append(state: &Path, time: Timestamp, event: Event) -> Result<(), LakeError> {
    let path = path_of(state);
    let folder = state.join("lake");
    fs::create_dir_all(&folder).map_err(LakeError::io("creating", &folder))?;
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = opened.and_then(|file| file.lock().map(|()| file)).map_err(LakeError::io("opening", &path))?;
    let known = verify(&path, None)?;
    if known.entries.last().is_some_and(|last| is_same_deletion(&last.event, &event)) {
        return Ok(());
    }
    let entry = Entry { number: known.entries.len() as u64, time, previous: known.last, event };
    let mut line = serde_json::to_vec(&entry).map_err(|error| LakeError::damaged("a ledger entry", &error))?;
    line.push(b'\n');
    let written = file.set_len(known.whole_bytes).and_then(|()| file.write_all(&line));
    written.and_then(|()| file.sync_all()).map_err(LakeError::io("writing", &path))?;
    let told = verify(&path, None)?;
    let text = format!("{}:{}", told.entries.len(), told.root);
    durable::write(&kept_beside(&path), format!("{text}\n{}\n", ContentHash::of(text.as_bytes())).as_bytes())
}

/// Where the root over all entries is kept, so that damage to the newest, which nothing follows, is noticed too. It is
/// written after the entry: it may lag behind, and is no part of a backup.
fn kept_beside(path: &Path) -> PathBuf {
    path.with_extension("root")
}

/// Whether the root that is kept is what was written.
pub(crate) fn check_kept(path: &Path) -> Result<(), LakeError> {
    let kept = kept_beside(path);
    match !kept.exists() || read_kept(path)?.is_some() {
        true => Ok(()),
        false => {
            Err(LakeError::damaged(kept.display().to_string(), "it does not have its hash; the next entry writes it"))
        }
    }
}

/// Size and root that are kept; none where they are not, or damaged: the entries name one another all the same.
fn read_kept(path: &Path) -> Result<Option<(u64, String)>, LakeError> {
    let text = durable::read(&kept_beside(path), MAX_KEPT_BYTES)?.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(text.and_then(|text| {
        let (told, hash) = text.trim_end().split_once('\n')?;
        (hash.parse() == Ok(ContentHash::of(told.as_bytes()))).then_some(())?;
        let (size, root) = told.split_once(':')?;
        Some((size.parse().ok()?, root.to_owned()))
    }))
}

/// Whether a deletion that was interrupted after its entry tells of itself again. Digests are salted.
fn is_same_deletion(last: &Event, next: &Event) -> bool {
    let digest_of = |event: &Event| match event {
        Event::Deleted { digest, .. } => Some(*digest),
        _ => None,
    };
    digest_of(next).is_some_and(|digest| digest_of(last) == Some(digest))
}

fn hex(digest: Digest) -> String {
    ContentHash::from_bytes(digest).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_that_tells_of_itself_again_has_one_entry() {
        let state = tempfile::tempdir().unwrap();
        let deleted = |evidence, name: &str| Event::Deleted {
            kind: Kind::Erase,
            reason: "r".to_owned(),
            by: "b".to_owned(),
            sightings: 1,
            evidence,
            digest: ContentHash::of(name.as_bytes()),
            reached: Reached::default(),
        };
        for (evidence, name) in [(3, "one"), (0, "one"), (1, "two"), (3, "one")] {
            append(state.path(), Timestamp::from_micros(1), deleted(evidence, name)).unwrap();
        }
        let told = verify(&path_of(state.path()), None).unwrap().entries;
        let expected = [deleted(3, "one"), deleted(1, "two"), deleted(3, "one")];
        assert_eq!(told.into_iter().map(|entry| entry.event).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn entries_follow_one_another_and_a_changed_one_is_told() {
        let state = tempfile::tempdir().unwrap();
        let held = |name: &str| Event::Held { name: name.to_owned(), reason: "r".to_owned(), by: "b".to_owned() };
        (0..3).for_each(|n| append(state.path(), Timestamp::from_micros(n), held(&n.to_string())).unwrap());
        let path = path_of(state.path());
        let two = verify(&path, None).unwrap();
        assert_eq!((two.entries.len(), two.torn_bytes), (3, 0));
        append(state.path(), Timestamp::from_micros(9), held("later")).unwrap();
        verify(&path, Some((3, &two.root))).unwrap();
        assert!(verify(&path, Some((4, &two.root))).is_err());
        // A torn line is cut off by the next entry.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"numb").unwrap();
        assert_eq!(verify(&path, None).unwrap().torn_bytes, 6);
        append(state.path(), Timestamp::from_micros(10), held("after")).unwrap();
        assert_eq!(verify(&path, None).unwrap().entries.len(), 5);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("\"name\":\"1\"", "\"name\":\"7\"", 1)).unwrap();
        assert!(verify(&path, None).unwrap_err().to_string().contains("entry 2"));
        // Nothing follows the last entry but the root that is kept; without that it is believed.
        fs::write(&path, text.replacen("\"name\":\"after\"", "\"name\":\"other\"", 1)).unwrap();
        assert!(verify(&path, None).unwrap_err().to_string().contains("noted down"));
        fs::write(&path, text.split_inclusive('\n').take(3).collect::<String>()).unwrap();
        assert!(verify(&path, None).is_err(), "entries are lost");
        fs::write(path.with_extension("root"), "5:00\n").unwrap();
        assert_eq!(verify(&path, None).unwrap().entries.len(), 3);
    }
}
