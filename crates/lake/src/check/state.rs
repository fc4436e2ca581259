//! What people decided and the proofs, as far as the lake keeps them: ledger, holds, retention, lists of what was erased,
//! saved queries and their events.
//!
//! What carries sums or hashes is compared with them; what people may edit is read as it would be used. At a hundred
//! times the data: everything is read once.

use std::path::Path;

use super::Shelf;
use crate::erase::{FOLDER, LIST, List};
use crate::error::LakeError;
use crate::ledger;
use crate::retain::{Holds, Policy};
use crate::watch::{self, WatchBook};
use crate::{Places, durable};

/// Examines the lake's own files of the state shelf, and notes in `shelf` what is damaged.
///
/// # Errors
/// When a folder cannot be listed.
pub fn check_state(dir: &Path, shelf: &mut Shelf) -> Result<(), LakeError> {
    let mut take = |file: &str, found: Result<(), LakeError>| {
        if dir.join(file).exists() {
            shelf.files += 1;
            if let Err(error) = found {
                shelf.note(file, &error, false);
            }
        }
    };
    take("lake/ledger.jsonl", ledger::verify(&ledger::path_of(dir), None).and_then(|told| not_torn(&told)));
    take("lake/ledger.root", ledger::check_kept(&ledger::path_of(dir)));
    take("lake/holds.json", Holds::of_state(dir).map(drop));
    take("lake/retention.json", Policy::of_state(dir).map(drop));
    take("lake/backups.json", crate::erase::known_folders(dir).map(drop));
    take("places.csv", Places::of_state(dir).map(drop));
    take("watch/queries.json", WatchBook::of_state(dir).queries().map(drop));
    for path in durable::entries(&dir.join(FOLDER))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(LIST) {
            take(&format!("{FOLDER}/{name}"), List::read_if_there(&path).map(drop));
        }
    }
    for (name, damaged) in watch::damaged_lines(dir)? {
        let detail = format!("{damaged} events are not as they were written, and are passed over");
        let found = if damaged == 0 { Ok(()) } else { Err(LakeError::damaged(name.clone(), &detail)) };
        take(&format!("{}/{name}", watch::FOLDER), found);
    }
    Ok(())
}

/// A torn last line is what a crash leaves and the next entry cuts off; one that was whole and is not has lost its end.
fn not_torn(told: &ledger::Verified) -> Result<(), LakeError> {
    match told.torn_bytes {
        0 => Ok(()),
        bytes => Err(LakeError::damaged("lake/ledger.jsonl", &format!("its last line is not whole ({bytes} bytes)"))),
    }
}
