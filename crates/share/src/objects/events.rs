//! Events of MISP that others gave, as far as they are seen: first their ids, then the bytes of a few at a time, so that no
//! answer holds all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use hinomi_model::Timestamp;
use hinomi_state::objects::{ObjectQuery, ObjectRow, Which};

use super::collection::EXERCISE;
use super::{MAX_LOOKED_AT, MISP, ObjectsError, Shelf, Sight};

/// Events that are asked for at once.
const AT_ONCE: u32 = 200;

/// An event of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventKey {
    /// Its UUID, in small letters.
    pub id: String,
    /// The same as it is stored.
    pub stored: String,
    /// When its newest version that is seen was added here; the key of that.
    pub added: Timestamp,
}

/// The versions of an event that one source gave, as far as they are seen.
struct Chain {
    /// When the first was added.
    first: Timestamp,
    /// The newest, and when it was added.
    newest: (i64, Timestamp),
    stored: String,
}

impl Shelf {
    /// Events that are seen, each in its newest version, the first added first; nothing of exercises, for MISP passes on
    /// what it is given. Each id is there once: where several sources gave it, it is the one's whose first version was
    /// added first, so that nobody hides or changes another's.
    ///
    /// # Errors
    /// When there are too many for one answer, or the state cannot be asked.
    pub fn event_keys(&self, sight: &Sight, which: &Which) -> Result<Vec<EventKey>, ObjectsError> {
        let filter = sight.filter(self.database.object_markings()?);
        let mut chains: BTreeMap<(String, String), Chain> = BTreeMap::new();
        let (mut after, mut looked_at) = (i64::MIN, 0);
        loop {
            let rows = self.database.object_rows(&asked(which, after, AT_ONCE), &filter)?;
            looked_at += rows.len();
            if looked_at > MAX_LOOKED_AT {
                return Err(ObjectsError::TooMuch(format!("{MAX_LOOKED_AT} events are the most of one answer")));
            }
            let ended = rows.len() < AT_ONCE as usize;
            after = rows.last().map_or(after, |row| row.added.as_micros());
            for row in rows.into_iter().filter(|row| is_told(sight, row)) {
                let (first, stored) = (row.added, row.facts.id);
                let newest = (row.facts.version, first);
                let key = (stored.to_ascii_lowercase(), row.facts.source);
                let known = chains.entry(key).or_insert_with(|| Chain { first, newest, stored: stored.clone() });
                if newest > known.newest {
                    (known.newest, known.stored) = (newest, stored);
                }
            }
            if ended {
                break;
            }
        }
        let mut chains: Vec<(String, Chain)> = chains.into_iter().map(|((id, _), chain)| (id, chain)).collect();
        chains.sort_by_key(|(_, chain)| chain.first);
        let mut told = BTreeSet::new();
        chains.retain(|(id, _)| told.insert(id.clone()));
        let key = |(id, Chain { newest, stored, .. })| EventKey { id, stored, added: newest.1 };
        let mut keys: Vec<EventKey> = chains.into_iter().map(key).collect();
        keys.sort_by_key(|key| key.added);
        Ok(keys)
    }

    /// The id of the event of which a version was added at this moment, where it is seen.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn event_of(&self, sight: &Sight, added: Timestamp) -> Result<Option<String>, ObjectsError> {
        let filter = sight.filter(self.database.object_markings()?);
        let rows = self.database.object_rows(&asked(&Which::All, added.as_micros().saturating_sub(1), 1), &filter)?;
        let row = rows.into_iter().find(|row| row.added == added && is_told(sight, row));
        Ok(row.map(|row| row.facts.id))
    }

    /// The bytes of these events; those that are gone meanwhile are missing.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn event_bodies(&self, keys: &[EventKey]) -> Result<Vec<(EventKey, String)>, ObjectsError> {
        let mut bodies = self.database.object_bodies(&keys.iter().map(|key| key.added).collect::<Vec<_>>())?;
        let told = |key: &EventKey| Some((key.clone(), String::from_utf8(bodies.remove(&key.added)?).ok()?));
        Ok(keys.iter().filter_map(told).collect())
    }
}

fn asked(which: &Which, after: i64, limit: u32) -> ObjectQuery {
    let (which, form) = (which.clone(), Some(MISP.to_owned()));
    ObjectQuery { which, form, after, limit, ..ObjectQuery::default() }
}

fn is_told(sight: &Sight, row: &ObjectRow) -> bool {
    row.facts.collection != EXERCISE && sight.admits(row)
}
