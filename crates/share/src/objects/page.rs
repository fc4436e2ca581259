//! Pages of a collection, in the order in which objects were added.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64URL_NOPAD;
use hinomi_model::Timestamp;
use hinomi_state::objects::{ObjectQuery, ObjectRow, ObjectSight, Which};

use super::{MAX_LOOKED_AT, ObjectsError, STIX, Shared, Shelf, Sight};
use crate::policy::Reader;
use crate::taxii::{Ask, Filter};

/// Objects that are asked for at once.
const AT_ONCE: u32 = 200;
/// The most versions of them.
const MAX_SIBLINGS: u32 = 10_000;
/// The most objects of a page: each may have a mebibyte.
const MAX_TOLD: usize = 250;

/// An object as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// When it was added.
    pub added: Timestamp,
    /// Its version as TAXII names it.
    pub version: String,
    /// Its bytes; empty where they were not asked for.
    pub body: String,
}

/// A page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToldPage {
    /// In the order in which they were added.
    pub objects: Vec<Told>,
    /// Where to go on, when there is more.
    pub next: Option<String>,
}

impl Shelf {
    /// A page of a collection, as far as the reader sees it; with bytes, or without.
    ///
    /// # Errors
    /// When `next` is not of ours, the look cannot be written down, or the state cannot be asked.
    pub fn page(
        &self,
        reader: &Reader,
        collection: &Shared,
        ask: &Ask,
        bodies: bool,
    ) -> Result<ToldPage, ObjectsError> {
        reader.look("taxii", &format!("{} {ask:?}", collection.alias))?;
        self.page_of(&Sight::of(reader), collection, ask, bodies)
    }

    /// The same for eyes that need no witness: the operator's own.
    ///
    /// # Errors
    /// When `next` is not of ours, or the state cannot be asked.
    pub fn page_of(
        &self,
        sight: &Sight,
        collection: &Shared,
        ask: &Ask,
        bodies: bool,
    ) -> Result<ToldPage, ObjectsError> {
        let begin = ask.added_after.map_or(i64::MIN, Timestamp::as_micros);
        let mut after = match &ask.next {
            Some(text) => cursor(text).ok_or(ObjectsError::Cursor)?.max(begin),
            None => begin,
        };
        let filter = sight.filter(self.database.object_markings()?);
        let limit = ask.limit.clamp(1, MAX_TOLD);
        let (mut chosen, mut next, mut looked_at) = (Vec::<ObjectRow>::new(), None, 0);
        loop {
            let asked = query(collection, &ask.filter, after);
            let rows = self.database.object_rows(&asked, &filter)?;
            let ended = rows.len() < AT_ONCE as usize;
            looked_at += rows.len();
            after = rows.last().map_or(after, |row| row.added.as_micros());
            let wanted = self.wanted(sight, &filter, collection, &ask.filter, rows)?;
            chosen.extend(wanted);
            if chosen.len() > limit {
                chosen.truncate(limit);
                next = chosen.last().map(|row| row.added.as_micros());
                break;
            }
            if ended {
                break;
            }
            if looked_at >= MAX_LOOKED_AT {
                next = Some(after);
                break;
            }
        }
        let next = next.map(|after| BASE64URL_NOPAD.encode(&after.to_be_bytes()));
        Ok(ToldPage { objects: self.told(chosen, bodies)?, next })
    }

    /// Those of these that are seen and of the versions that are wanted.
    fn wanted(
        &self,
        sight: &Sight,
        filter: &ObjectSight,
        collection: &Shared,
        asked: &Filter,
        mut rows: Vec<ObjectRow>,
    ) -> Result<Vec<ObjectRow>, ObjectsError> {
        rows.retain(|row| sight.admits(row));
        let versions = asked.versions();
        if versions.all || rows.is_empty() {
            return Ok(rows);
        }
        let ids: BTreeSet<String> = rows.iter().map(|row| row.facts.id.clone()).collect();
        let siblings = ObjectQuery {
            which: Which::Ids(ids.into_iter().collect()),
            limit: MAX_SIBLINGS,
            ..query(collection, &Filter::default(), i64::MIN)
        };
        // First and last are of what this reader sees: an older version is his last where a newer one is not for him.
        let mut chains: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
        for row in self.database.object_rows(&siblings, filter)?.iter().filter(|row| sight.admits(row)) {
            let chain = (row.facts.id.clone(), row.facts.source.clone());
            let ends = chains.entry(chain).or_insert((row.facts.version, row.facts.version));
            *ends = (ends.0.min(row.facts.version), ends.1.max(row.facts.version));
        }
        rows.retain(|row| {
            let version = row.facts.version;
            let ends = chains.get(&(row.facts.id.clone(), row.facts.source.clone()));
            let (first, last) = ends.copied().unwrap_or((version, version));
            let at = if version == 0 { row.added } else { Timestamp::from_micros(version) };
            (versions.first && version == first) || (versions.last && version == last) || versions.at.contains(&at)
        });
        Ok(rows)
    }

    fn told(&self, rows: Vec<ObjectRow>, bodies: bool) -> Result<Vec<Told>, ObjectsError> {
        let mut texts = match bodies {
            true => self.database.object_bodies(&rows.iter().map(|row| row.added).collect::<Vec<_>>())?,
            false => BTreeMap::new(),
        };
        let told = |row: ObjectRow| {
            let body = texts.remove(&row.added).unwrap_or_default();
            Told {
                version: version(&row),
                id: row.facts.id,
                added: row.added,
                body: String::from_utf8_lossy(&body).into_owned(),
            }
        };
        Ok(rows.into_iter().map(told).collect())
    }

    /// Removes versions of an object that this organisation gave: the last one where no version is named. Tells how many.
    ///
    /// # Errors
    /// When there is none that the reader sees, or what he sees was given by others; or the state cannot be asked.
    pub fn withdraw(
        &self,
        reader: &Reader,
        collection: &Shared,
        giver: &str,
        asked: &Filter,
    ) -> Result<u64, ObjectsError> {
        reader.look("taxii", &format!("{} withdraw {asked:?}", collection.alias))?;
        let sight = Sight::of(reader);
        let filter = sight.filter(self.database.object_markings()?);
        let every = ObjectQuery { limit: MAX_SIBLINGS, ..query(collection, asked, i64::MIN) };
        let rows = self.database.object_rows(&every, &filter)?;
        let seen = self.wanted(&sight, &filter, collection, asked, rows)?;
        if seen.is_empty() {
            return Err(ObjectsError::Missing("There is no such object, or it is not for you".to_owned()));
        }
        let own: Vec<Timestamp> = seen.iter().filter(|row| row.facts.giver == giver).map(|row| row.added).collect();
        if own.is_empty() {
            return Err(ObjectsError::Forbidden("Others gave this object: they can take it back".to_owned()));
        }
        Ok(self.database.remove_objects(&own)?)
    }
}

fn query(collection: &Shared, filter: &Filter, after: i64) -> ObjectQuery {
    let which = match filter.takes_this_standard() {
        // Everything here is of one version of the standard.
        false => Which::Ids(Vec::new()),
        true if filter.ids.is_empty() => Which::All,
        true => Which::Ids(filter.ids.clone()),
    };
    ObjectQuery {
        collections: vec![collection.key.clone()],
        form: Some(STIX.to_owned()),
        which,
        kinds: filter.types.clone(),
        after,
        newest: false,
        limit: AT_ONCE,
    }
}

/// The version of an object: when it was modified, created or added.
pub(super) fn version(row: &ObjectRow) -> String {
    if row.facts.version_text.is_empty() { row.added.to_string() } else { row.facts.version_text.clone() }
}

fn cursor(text: &str) -> Option<i64> {
    const MAX_CHARS: usize = 16;
    let bytes = (text.len() <= MAX_CHARS).then(|| BASE64URL_NOPAD.decode(text.as_bytes()).ok())??;
    bytes.try_into().ok().map(i64::from_be_bytes)
}
