//! What TAXII 2.1 asks for (OASIS standard of 10 June 2021), answered from a [`Reader`]: pages of objects in the order in
//! which they were added.
//!
//! A service is added when it was last seen: seen again, it is a later version of its objects, and comes again at the end.
//! That is not when it arrived here: a client that goes on after the last date that it was told misses what arrived late,
//! and reads again with an overlap. Software and addresses that several services share are told with the first of them and
//! not again in the same walk, as far as the place to go on remembers ([`told`]). What
//! the reader may not see does not exist here: neither as object nor in a count, and a collection has no count.
//!
//! At a hundred times the data pages cost the same. Filters by id read what the client may see until they are met, at most
//! [`MAX_LOOKED_AT`] services an answer, and then say where to go on.

mod cursor;
mod filter;
pub(crate) mod labels;
mod told;

use hinomi_model::{Service, Timestamp, Tlp};

use crate::policy::{ReadError, Reader};
use crate::stix::{MAX_OBJECTS, Object, identity, identity_id, marking_objects, of_service};
use crate::{SearchPage, SearchRequest};
use cursor::{Cursor, Stage};
pub use filter::Filter;
use told::Recent;

/// The most objects of one page.
pub const MAX_PAGE: usize = 1_000;
/// Objects of a page when nobody says.
pub const DEFAULT_PAGE: usize = 100;
/// The most services that one answer looks at.
pub const MAX_LOOKED_AT: usize = 5_000;
/// Services that are asked for at once.
const SERVICES_AT_ONCE: usize = 100;

/// The label of each of these services, as the reader may see them; RED where none is told.
///
/// # Errors
/// When the lake cannot be read.
pub fn labels_of(reader: &Reader, services: &[Service], now: Timestamp) -> Result<Vec<Tlp>, ReadError> {
    let labels = labels::of(reader, services, now)?;
    Ok(services.iter().map(|service| labels::label(&labels, service)).collect())
}

/// A collection: a part of the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its id.
    pub id: &'static str,
    /// Its name in addresses.
    pub alias: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// What is in it.
    pub description: &'static str,
    /// As the query language says it.
    query: &'static str,
}

/// Every collection.
pub const COLLECTIONS: [Collection; 2] = [
    Collection {
        id: "6c8f3a52-0f0e-5b0b-9d0a-0a5e0c0f9b11",
        alias: "services",
        title: "Services",
        description: "Services that answer, with what is known of them, as far as you may see them.",
        query: "-purpose:exercise",
    },
    Collection {
        id: "f7b1d2f4-6a53-5c1e-8c5e-3f2a9d7e4b22",
        alias: "exercise",
        title: "Exercise",
        description: "Services of exercises and of the simulated town: no device of this world.",
        query: "purpose:exercise",
    },
];

/// The collection of this id or alias.
pub fn collection(name: &str) -> Option<&'static Collection> {
    COLLECTIONS.iter().find(|one| one.id == name || one.alias == name)
}

/// What a client asks of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Only what was added after this moment.
    pub added_after: Option<Timestamp>,
    /// Which objects.
    pub filter: Filter,
    /// The most objects of the answer, up to [`MAX_PAGE`].
    pub limit: usize,
    /// Where the page before ended.
    pub next: Option<String>,
    /// Whether one object is asked for, as the newest service tells it: it may come several times.
    pub newest: bool,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// In the order in which they were added.
    pub objects: Vec<Object>,
    /// Where to go on, when there is more.
    pub next: Option<String>,
}

/// A page of a collection, of the objects of this installation.
///
/// # Errors
/// When `next` is not of ours, or the lake cannot be read.
pub fn page(
    reader: &Reader,
    installation: &str,
    collection: &Collection,
    ask: &Ask,
    now: Timestamp,
) -> Result<Page, ReadError> {
    let reader = &reader.witnessed("taxii", &query(collection, ask))?;
    let limit = ask.limit.clamp(1, MAX_PAGE);
    let begin = match &ask.next {
        Some(text) => Cursor::read(text).ok_or(ReadError::Cursor)?,
        None => Cursor::default(),
    };
    let mut page = Page::default();
    let at = match begin.stage {
        Stage::Fixed(skip) => {
            let fixed = fixed(installation, ask);
            let left = fixed.len().saturating_sub(skip);
            page.objects.extend(fixed.into_iter().skip(skip).take(limit));
            if left > limit {
                page.next = Some(Cursor { stage: Stage::Fixed(skip + limit) }.to_text());
                return Ok(page);
            }
            Place::default()
        }
        Stage::Services { cursor, within, told } => Place { cursor, within, told },
    };
    let walk = Walk { reader, identity: identity_id(installation), query: query(collection, ask), ask, limit, now };
    walk.fill(&mut page, at)?;
    Ok(page)
}

/// What every collection begins with: who says this, and what the labels mean.
fn fixed(installation: &str, ask: &Ask) -> Vec<Object> {
    let objects = marking_objects().into_iter().chain([identity(installation)]);
    let after = |object: &Object| ask.added_after.is_none_or(|after| object.added > after);
    objects.filter(after).filter(|object| ask.filter.takes(object)).collect()
}

fn query(collection: &Collection, ask: &Ask) -> String {
    let after = ask.added_after.map(|after| format!(" seen:>\"{after}\"")).unwrap_or_default();
    format!("{}{after} sort:seen", collection.query)
}

/// A place among services: where a page of the search begins, and how many objects of its first service were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    cursor: Option<String>,
    within: Option<(String, usize)>,
    /// What was told lately and would come again.
    told: Recent,
}

/// One answer being gathered.
struct Walk<'a> {
    reader: &'a Reader,
    identity: String,
    query: String,
    ask: &'a Ask,
    limit: usize,
    now: Timestamp,
}

impl Walk<'_> {
    fn fill(&self, page: &mut Page, mut at: Place) -> Result<(), ReadError> {
        let mut looked_at = 0;
        loop {
            let room = self.limit.saturating_sub(page.objects.len());
            if room == 0 {
                page.next = self.further(&at)?;
                return Ok(());
            }
            // As many as surely fit; where few are wanted, one, and what does not fit of it comes next.
            let services = match self.ask.filter.is_narrow() && room >= MAX_OBJECTS {
                true => SERVICES_AT_ONCE,
                false => (room / MAX_OBJECTS).clamp(1, SERVICES_AT_ONCE),
            };
            let found = self.search(&at, services)?;
            looked_at += found.matches.len();
            if let Some(stopped) = self.take(page, &found, &mut at)? {
                page.next = Some(Cursor::services(&stopped).to_text());
                return Ok(());
            }
            let Some(next) = found.next else { return Ok(()) };
            at = Place { cursor: Some(next), within: None, told: at.told };
            if looked_at >= MAX_LOOKED_AT {
                page.next = Some(Cursor::services(&at).to_text());
                return Ok(());
            }
        }
    }

    /// A cursor where something follows.
    fn further(&self, at: &Place) -> Result<Option<String>, ReadError> {
        let more = at.within.is_some() || !self.search(at, 1)?.matches.is_empty();
        Ok(more.then(|| Cursor::services(at).to_text()))
    }

    fn search(&self, at: &Place, limit: usize) -> Result<SearchPage, ReadError> {
        let (query, cursor, now) = (self.query.clone(), at.cursor.clone(), self.now);
        self.reader.search(&SearchRequest { query, cursor, limit, now, ..SearchRequest::default() })
    }

    /// Takes what fits; tells where it stopped when something did not.
    fn take(&self, page: &mut Page, found: &SearchPage, at: &mut Place) -> Result<Option<Place>, ReadError> {
        // What is wanted does not depend on the label, which costs more than the rest.
        let is_wanted = |one: &&Service| {
            of_service(one, Tlp::Red, &self.identity, self.now).iter().any(|o| self.ask.filter.takes(o))
        };
        let wanted: Vec<Service> = found.matches.iter().filter(is_wanted).cloned().collect();
        let labels = labels::of(self.reader, &wanted, self.now)?;
        for (number, service) in found.matches.iter().enumerate() {
            let label = labels::label(&labels, service);
            let objects = of_service(service, label, &self.identity, self.now).into_iter();
            let fresh = |object: &Object| self.ask.filter.takes(object) && !at.told.has(object);
            let objects: Vec<Object> = objects.filter(fresh).collect();
            let skip = told_before(at, number, service);
            let room = self.limit.saturating_sub(page.objects.len());
            let left = objects.len().saturating_sub(skip);
            if left > room {
                return self.stop(page, (objects, skip, room), (number, service), at).map(Some);
            }
            if !self.ask.newest {
                at.told.extend(&objects);
            }
            page.objects.extend(objects.into_iter().skip(skip));
        }
        Ok(None)
    }

    /// What does not fit any more: of the first service of a page a part is told, of a later one nothing.
    fn stop(
        &self,
        page: &mut Page,
        (objects, skip, room): (Vec<Object>, usize, usize),
        (number, service): (usize, &Service),
        at: &Place,
    ) -> Result<Place, ReadError> {
        if number == 0 {
            page.objects.extend(objects.into_iter().skip(skip).take(room));
            let within = Some((service.key.to_string(), skip + room));
            return Ok(Place { cursor: at.cursor.clone(), within, told: at.told.clone() });
        }
        let before = self.search(at, number)?;
        Ok(Place { cursor: before.next.or_else(|| at.cursor.clone()), within: None, told: at.told.clone() })
    }
}

/// How many objects of this service an earlier page told: of the very service that it stopped in.
fn told_before(at: &Place, number: usize, service: &Service) -> usize {
    match &at.within {
        Some((key, told)) if number == 0 && *key == service.key.to_string() => *told,
        _ => 0,
    }
}
