//! Saved queries with their events, and counts by day, as one viewer may know them.
//!
//! They are the operator's and analysts': a change fires them before anybody is asked what he may see. To a member there are none, and
//! he is refused when he saves one.

use std::path::Path;

use hinomi_lake::query::QueryError;
use hinomi_lake::rollup::Rollups;
use hinomi_lake::watch::{Events, NewWatch, Saved, WatchBook};
use hinomi_model::Timestamp;
use serde::Serialize;

use crate::policy::{ReadError, Reader, Viewer};

/// The saved queries of a state folder before one viewer. Needs no open lake.
#[derive(Clone)]
pub struct WatchDesk {
    book: WatchBook,
    viewer: Viewer,
    /// Through whom they are seen, where looks are written down.
    reader: Option<Reader>,
}

impl std::fmt::Debug for WatchDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WatchDesk({:?}, {:?})", self.book, self.viewer)
    }
}

/// How saved queries stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// How many are saved.
    pub queries: u64,
    /// How many of them name nothing that must be there, and are asked for every change.
    pub always: u64,
    /// The number of the newest event.
    pub newest: u64,
    /// Why their file cannot be read, when that is so: a process that writes goes on asking those that it read last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

impl WatchDesk {
    /// Whether there are any for this viewer.
    const fn is_open(&self) -> bool {
        match self.viewer {
            Viewer::Operator => true,
            // Without a reader nothing would be written down.
            Viewer::Analyst { .. } => self.reader.is_some(),
            Viewer::Member(_) | Viewer::Visitor { .. } => false,
        }
    }

    /// Has an analyst's look written down.
    fn look(&self) -> Result<(), ReadError> {
        self.reader.as_ref().map_or(Ok(()), |reader| reader.look("saved queries", "").map(drop))
    }

    fn refuse(&self) -> Result<(), ReadError> {
        if self.is_open() { Ok(()) } else { Err(ReadError::Refused("saved queries are the operator's".to_owned())) }
    }

    /// Of this state folder.
    pub fn of_state(state: &Path, viewer: Viewer) -> Self {
        Self { book: WatchBook::of_state(state), viewer, reader: None }
    }

    /// Who is looking.
    pub const fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Every saved query, by number.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn queries(&self) -> Result<Vec<Saved>, ReadError> {
        if !self.is_open() {
            return Ok(Vec::new());
        }
        self.look()?;
        Ok(self.book.queries()?)
    }

    /// How saved queries stand. Each is read as a query, so this is not for every look at a page.
    ///
    /// # Errors
    /// When the events cannot be read.
    pub fn standing(&self) -> Result<Standing, ReadError> {
        if !self.is_open() {
            return Ok(Standing::default());
        }
        self.look()?;
        let (saved, unread) = match self.book.queries() {
            Ok(saved) => (saved, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let always = saved.iter().filter(|one| matches!(hinomi_lake::watch::is_filed(&one.query), Ok(false))).count();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(Standing { queries: number(saved.len()), always: number(always), newest: self.book.newest()?, unread })
    }

    /// Saves a query.
    ///
    /// # Errors
    /// When the query is not understood, the name is taken, a bound is reached, or it cannot be written.
    pub fn add(&self, new: &NewWatch, now: Timestamp) -> Result<Saved, ReadError> {
        self.refuse()?;
        Ok(self.book.add(new, now)?)
    }

    /// Removes a saved query by its name; tells whether there was one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remove(&self, name: &str) -> Result<bool, ReadError> {
        if !self.is_open() {
            return Ok(false);
        }
        Ok(self.book.remove(name)?)
    }

    /// The first events after a number, of one saved query if it is named.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn events(&self, after: u64, limit: usize, of: Option<u64>) -> Result<Events, ReadError> {
        if !self.is_open() {
            return Ok(Events { next: after, ..Events::default() });
        }
        self.look()?;
        Ok(self.book.events(after, limit, of)?)
    }

    /// The number of the newest event; 0 when there is none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn newest(&self) -> Result<u64, ReadError> {
        Ok(self.book.newest()?)
    }

    /// The last events, the newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn last_events(&self, limit: usize) -> Result<Events, ReadError> {
        if !self.is_open() {
            return Ok(Events::default());
        }
        self.look()?;
        let before = self.book.newest()?.saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX));
        let mut events = self.book.events(before, limit, None)?;
        events.events.reverse();
        Ok(events)
    }
}

impl Reader {
    /// Services at the end of each day that was looked at, by one dimension; both ends belong to it. They are counted
    /// over everything, so they are the operator's and analysts'.
    ///
    /// # Errors
    /// When there is no such dimension, or the table cannot be read.
    pub fn rollups(&self, dimension: &str, from: Timestamp, until: Timestamp) -> Result<Rollups, ReadError> {
        if self.may().is_some() {
            // A dimension that is none is refused alike.
            let end = Timestamp::from_micros(i64::MIN);
            self.lake().rollups(dimension, end, end)?;
            return Ok(Rollups { counts: Vec::new(), behind: false });
        }
        self.look("rollups", dimension)?;
        Ok(self.lake().rollups(dimension, from, until)?)
    }

    /// Saved queries and their events.
    pub fn watches(&self) -> WatchDesk {
        WatchDesk { book: self.lake().watch_book(), viewer: self.viewer().clone(), reader: Some(self.clone()) }
    }
}

/// Whether a query names something that must be there; one that does not is asked for every change.
///
/// # Errors
/// When it is not understood.
pub fn is_filed(query: &str) -> Result<bool, ReadError> {
    Ok(hinomi_lake::watch::is_filed(query)?)
}

/// What is wrong with the query, where that is what is wrong.
pub const fn is_query_error(error: &ReadError) -> Option<&QueryError> {
    match error {
        ReadError::Query(problem) => Some(problem),
        _ => None,
    }
}
