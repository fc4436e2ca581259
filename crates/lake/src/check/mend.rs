//! What is derived and damaged goes, to be made again. A data file that cannot be read is set aside when asked, so that
//! the rest can be used; what is lost is written down.
//!
//! At a hundred times the data nothing changes here: it works on one file.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use hinomi_model::{Clock, Timestamp};
use ipnet::IpNet;

use super::{Shelf, ShelfName};
use crate::error::LakeError;
use crate::evidence::EVIDENCE;
use crate::facts::FACTS;
use crate::ledger::{self, Event};
use crate::lock::WriteLock;
use crate::sightings::{SIGHTINGS, address};
use crate::table::store::{Claim, Root};
use crate::table::{Change, Extent, Table};

/// Where such files go, in the state folder.
pub(crate) const FOLDER: &str = "quarantine";

/// Removes what is derived and damaged; the next start makes it again. Damaged checkpoints of a log are made anew from
/// its commits. Tells whether anything was.
///
/// # Errors
/// When another process writes there, or something cannot be removed.
pub fn mend(dir: &Path, shelves: &[Shelf], clock: &Arc<dyn Clock>) -> Result<bool, LakeError> {
    let _lock = WriteLock::take(dir)?;
    let root = Root::of_state(dir, &Claim::Alone, clock)?;
    let damaged = |name| shelves.iter().any(|shelf| shelf.name == name && !shelf.is_whole());
    let facts = damaged(ShelfName::Facts);
    let mut changed = facts;
    if facts {
        empty(&root, FACTS.name)?;
    }
    for (shelf, definition) in [(ShelfName::Sightings, &SIGHTINGS), (ShelfName::Evidence, &EVIDENCE)] {
        if damaged(shelf) {
            // A log that cannot be read at all is none of those that this can mend.
            let mended = Table::open(&root, definition).and_then(|table| table.mend_checkpoints());
            changed |= mended.is_ok_and(|count| count > 0);
        }
    }
    if damaged(ShelfName::Index) || facts {
        let index = dir.join("index");
        fs::remove_dir_all(&index).or_else(unless_absent).map_err(LakeError::io("removing", &index))?;
        changed = true;
    }
    Ok(changed)
}

/// Removes a table, the log last: what a kill leaves is a table of which files are missing.
fn empty(root: &Root, table: &str) -> Result<(), LakeError> {
    for folder in [table.to_owned(), format!("{table}/_delta_log")] {
        let mut names = Vec::new();
        root.list(&folder, &mut |object| {
            names.push(format!("{folder}/{}", object.name));
            Ok(())
        })?;
        names.retain(|name| !name.ends_with("/_delta_log"));
        names.iter().try_for_each(|name| root.delete(name))?;
    }
    Ok(())
}

/// Sets aside the damaged files of sightings and evidence that a check found; how many. Nothing is deleted: the files
/// are moved to `quarantine/`, they count no more, and an entry of the ledger says which addresses and times they held.
/// The index is removed: the next start builds it from what is left.
///
/// # Errors
/// When another process writes there, or something cannot be written.
pub fn quarantine(dir: &Path, shelves: &[Shelf], by: &str, clock: &Arc<dyn Clock>) -> Result<u64, LakeError> {
    let lock = WriteLock::take(dir)?;
    let (root, now) = (Root::of_state(dir, &Claim::Alone, clock)?, clock.now());
    let mut count = 0;
    for shelf in shelves {
        let definition = match shelf.name {
            ShelfName::Sightings => &SIGHTINGS,
            ShelfName::Evidence => &EVIDENCE,
            _ => continue,
        };
        for damage in shelf.damages.iter().filter(|damage| damage.whole_file) {
            let table = Table::open(&root, definition)?;
            let name = damage.file.rsplit('/').next().unwrap_or_default();
            let Some(file) = table.files(|file| file.path == name).into_iter().next() else { continue };
            let event = Event::Quarantined {
                file: damage.file.clone(),
                rows: file.rows,
                addresses: (shelf.name == ShelfName::Sightings).then(|| addresses(&file.extent)),
                times: (shelf.name == ShelfName::Sightings).then(|| times(&file.extent)),
                reason: damage.detail.clone(),
                by: by.to_owned(),
            };
            // The entry first: a loss without a trace must not be.
            ledger::append(dir, now, event)?;
            table.commit(Change { remove: vec![file.path.clone()], ..Change::default() }, now)?;
            set_aside(dir, shelf.name, &root, &format!("{}/{name}", definition.name))?;
            count += 1;
        }
    }
    if count > 0 {
        let index = dir.join("index");
        fs::remove_dir_all(&index).or_else(unless_absent).map_err(LakeError::io("removing", &index))?;
    }
    drop(lock);
    Ok(count)
}

/// Brings the file here before it goes there; one that cannot be brought, for it is missing, is gone anyway.
fn set_aside(dir: &Path, shelf: ShelfName, root: &Root, object: &str) -> Result<(), LakeError> {
    let folder = dir.join(FOLDER).join(shelf.name());
    fs::create_dir_all(&folder).map_err(LakeError::io("creating", &folder))?;
    let to = folder.join(object.rsplit('/').next().unwrap_or_default());
    match root.fetch(object, &to) {
        Ok(_) => root.delete(object),
        Err(LakeError::Damaged { .. }) => Ok(()),
        Err(LakeError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn unless_absent(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Widened to whole /24 and /48: the entry stays, and an address that is erased later must not be named by it.
fn addresses(extent: &Extent) -> (String, String) {
    let ends: (IpAddr, IpAddr) = match extent.high.0 == extent.high.1 {
        true => (address((extent.high.0, extent.low.0)), address((extent.high.1, extent.low.1))),
        false => (address((extent.high.0, i64::MIN)), address((extent.high.1, i64::MAX))),
    };
    let whole = |one: IpAddr| IpNet::new(one, if one.is_ipv4() { 24 } else { 48 }).unwrap_or(IpNet::from(one));
    (whole(ends.0).network().to_string(), whole(ends.1).broadcast().to_string())
}

const fn times(extent: &Extent) -> (Timestamp, Timestamp) {
    (Timestamp::from_micros(extent.time.0), Timestamp::from_micros(extent.time.1))
}
