//! Proofs, and their verification from files alone: no database, no lake, no clock.
//!
//! Whoever keeps a verifier key and what was handed out can find out, years later and without this installation, that an
//! entry was in the log (inclusion), that the log only grew (consistency), and that two signed checkpoints contradict each
//! other (a fork).

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use hinomi_model::merkle::{Digest, MAX_PROOF, leaf, verify_consistency, verify_inclusion};
use serde::{Deserialize, Serialize};

use super::hash::Sha256;
use super::note::{self, Checkpoint, Verifier};
use super::{Entry, LedgerError};

/// The longest proof that is read.
pub const MAX_PROOF_BYTES: usize = 1024 * 1024;

/// What can be handed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "proof", deny_unknown_fields)]
pub enum Proof {
    /// An entry is in the log.
    #[serde(rename = "hinomi-inclusion-1")]
    Inclusion {
        /// Its place, from 0.
        place: u64,
        /// What it says, exactly; missing when that was deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<String>,
        /// The list of the organisations that it names by a digest, if it does: ids, each with a newline after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        organisations: Option<String>,
        /// Its hash, in base64.
        leaf: String,
        /// The audit path, in base64.
        path: Vec<String>,
        /// The signed checkpoint that it leads to.
        checkpoint: String,
    },
    /// The log of one checkpoint is a beginning of that of another.
    #[serde(rename = "hinomi-consistency-1")]
    Consistency {
        /// The earlier signed checkpoint.
        old: String,
        /// The later one.
        new: String,
        /// Hashes, in base64.
        path: Vec<String>,
    },
}

/// What a proof shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// This entry is at this place of the log.
    Included {
        /// Its place.
        place: u64,
        /// What it says; nothing when that was deleted.
        entry: Option<String>,
        /// The organisations that it names by a digest, where the proof has them.
        organisations: BTreeSet<String>,
        /// In the log of this checkpoint.
        checkpoint: Checkpoint,
    },
    /// The log only grew.
    Grew {
        /// From here.
        old: Checkpoint,
        /// To here.
        new: Checkpoint,
    },
    /// A checkpoint, signed.
    Signed(Checkpoint),
}

impl Proof {
    /// What it shows, if these keys are believed.
    ///
    /// # Errors
    /// When it shows nothing, with the reason.
    pub fn verify(&self, keys: &[Verifier]) -> Result<Shown, LedgerError> {
        match self {
            Self::Inclusion { place, entry, organisations, leaf: told, path, checkpoint } => {
                let (checkpoint, own) = (note::open(checkpoint, keys)?, digest(told)?);
                if entry.as_ref().is_some_and(|entry| leaf::<Sha256>(entry.as_bytes()) != own) {
                    return Err(LedgerError::Proof("the entry does not have the hash that is told".to_owned()));
                }
                let holds = verify_inclusion::<Sha256>(own, *place, checkpoint.size, &digests(path)?, &checkpoint.root);
                let organisations = named(entry.as_deref(), organisations.as_deref())?;
                let shown = Shown::Included { place: *place, entry: entry.clone(), organisations, checkpoint };
                held(holds, "its path does not lead to the root of the checkpoint", shown)
            }
            Self::Consistency { old, new, path } => {
                let (old, new) = (note::open(old, keys)?, note::open(new, keys)?);
                if old.origin != new.origin {
                    return Err(LedgerError::Proof("the two checkpoints are of different logs".to_owned()));
                }
                let holds = verify_consistency::<Sha256>(old.size, &old.root, new.size, &new.root, &digests(path)?);
                held(holds, "the later log does not continue the earlier one", Shown::Grew { old, new })
            }
        }
    }
}

fn held(holds: bool, otherwise: &str, shown: Shown) -> Result<Shown, LedgerError> {
    if holds { Ok(shown) } else { Err(LedgerError::Proof(otherwise.to_owned())) }
}

/// The organisations of a list, if it is the one that the entry names.
fn named(entry: Option<&str>, list: Option<&str>) -> Result<BTreeSet<String>, LedgerError> {
    let Some(list) = list else { return Ok(BTreeSet::new()) };
    let entry = entry.and_then(|text| Entry::read(text.as_bytes()));
    let group = entry.as_ref().and_then(|entry| entry.event.by()).and_then(|by| by.group.as_ref());
    let other = || LedgerError::Proof("its organisations are not those that the entry names".to_owned());
    group.and_then(|group| group.read(list)).ok_or_else(other)
}

/// A hash as proofs write it.
pub(super) fn encode(digest: &Digest) -> String {
    BASE64.encode(digest)
}

fn digest(text: &str) -> Result<Digest, LedgerError> {
    let bytes = BASE64.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| LedgerError::Proof("a hash is not one of 32 bytes in base64".to_owned()))
}

fn digests(texts: &[String]) -> Result<Vec<Digest>, LedgerError> {
    if texts.len() > MAX_PROOF {
        return Err(LedgerError::Proof("it has more hashes than a tree has levels".to_owned()));
    }
    texts.iter().map(|text| digest(text)).collect()
}

/// What a file shows: a proof, or a signed checkpoint.
///
/// # Errors
/// When it shows nothing.
pub fn verify_file(bytes: &[u8], keys: &[Verifier]) -> Result<Shown, LedgerError> {
    if bytes.len() > MAX_PROOF_BYTES {
        return Err(LedgerError::Proof(format!("a proof has at most {MAX_PROOF_BYTES} bytes")));
    }
    if bytes.first() == Some(&b'{') {
        let proof: Proof = serde_json::from_slice(bytes).map_err(|error| LedgerError::Proof(error.to_string()))?;
        return proof.verify(keys);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| LedgerError::Note(error.to_string()))?;
    note::open(text, keys).map(Shown::Signed)
}

/// Holds what several files show against each other: two roots of one size are a fork.
///
/// # Errors
/// When two of them contradict each other.
pub fn agree(shown: &[Shown]) -> Result<(), LedgerError> {
    let mut roots: BTreeMap<(&str, u64), Digest> = BTreeMap::new();
    let checkpoints = shown.iter().flat_map(|one| match one {
        Shown::Included { checkpoint, .. } | Shown::Signed(checkpoint) => vec![checkpoint],
        Shown::Grew { old, new } => vec![old, new],
    });
    for Checkpoint { origin, size, root } in checkpoints {
        if roots.insert((origin, *size), *root).is_some_and(|before| before != *root) {
            return Err(LedgerError::Proof(format!(
                "the log was forked: two signed checkpoints of {size} entries have different roots"
            )));
        }
    }
    Ok(())
}
