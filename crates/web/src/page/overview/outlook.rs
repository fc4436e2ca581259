//! What the first page shows, gathered from the lake and kept for a moment.
//!
//! The page is asked for again and again while a survey runs; the lake is asked by one visitor for all, and never more
//! than a tenth of the time, however large it is.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use hinomi_model::{DeviceKind, Service, Timestamp};
use hinomi_share::{DayCount, FacetCount, FacetRequest, MAX_LIMIT, ReadError, Reader, SearchRequest, Viewer};
use tokio::sync::Mutex;

use crate::app::App;
use crate::chart::days::MAX_DAYS;
use crate::chart::map::{self, Panel, Spot};
use crate::limits::{MAP_PAGES, OVERVIEW_AGE};
use crate::read::{Desk, DeskError};
use crate::tags;

/// The lake as the first page shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    pub(super) taken: Timestamp,
    /// How long it may be shown.
    keep: Duration,
    pub(super) services: u64,
    pub(super) hosts: u64,
    pub(super) sightings: u64,
    pub(super) evidence: u64,
    pub(super) expired: u64,
    /// All services, by day since 1970-01-01, as far as counted.
    pub(super) days: BTreeMap<i64, DayCount>,
    pub(super) facets: BTreeMap<String, Vec<FacetCount>>,
    pub(super) spots: Vec<Spot>,
    pub(super) panels: Vec<Panel>,
    /// Services that were looked at for the map, and whether that is all of them.
    pub(super) drawn: u64,
    pub(super) complete: bool,
}

impl Picture {
    pub(super) fn facet(&self, field: &str) -> &[FacetCount] {
        self.facets.get(field).map_or(&[], Vec::as_slice)
    }
}

pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// Values of each facet: enough that no tag of [`tags::KNOWN_TAGS`] is crowded out by those that only describe.
const FACET_VALUES: usize = 64;

/// Viewers whose pictures are kept; of more, those who asked longest ago wait for a new one.
const MAX_PICTURES: usize = 64;

/// Keeps the newest picture of each viewer: nobody is shown what was drawn for another.
#[derive(Default)]
pub(crate) struct Outlook {
    pictures: std::sync::Mutex<Vec<(Viewer, Arc<Newest>)>>,
}

/// Asked for by several at once, it is drawn once.
type Newest = Mutex<Option<Arc<Picture>>>;

impl Outlook {
    /// The picture, drawn anew when it is old.
    pub(crate) async fn look(&self, app: &App, desk: &Desk) -> Result<Arc<Picture>, DeskError> {
        let now = app.now();
        if *desk.viewer() != Viewer::Operator {
            // What was kept is looked at too.
            desk.ask(|reader| reader.witnessed("overview", "").map(drop)).await?;
        }
        let place = self.place(desk.viewer());
        let mut newest = place.lock().await;
        if let Some(picture) = newest.as_ref().filter(|picture| now.since(picture.taken) < picture.keep) {
            return Ok(Arc::clone(picture));
        }
        let mut picture = desk.ask(move |reader| draw(reader, now)).await?;
        picture.keep = OVERVIEW_AGE.max(app.now().since(now) * 9);
        let picture = Arc::new(picture);
        *newest = Some(Arc::clone(&picture));
        Ok(picture)
    }

    /// Where the picture of this viewer is kept.
    fn place(&self, viewer: &Viewer) -> Arc<Newest> {
        let mut pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pictures.iter().position(|(whose, _)| whose == viewer);
        let (viewer, place) = match known {
            Some(at) => pictures.remove(at),
            None => (viewer.clone(), Arc::default()),
        };
        pictures.truncate(MAX_PICTURES - 1);
        pictures.insert(0, (viewer, Arc::clone(&place)));
        place
    }
}

fn request(query: &str, now: Timestamp, limit: usize) -> SearchRequest {
    SearchRequest { query: query.to_owned(), limit, now, ..SearchRequest::default() }
}

fn draw(reader: &Reader, now: Timestamp) -> Result<Picture, ReadError> {
    let status = reader.status()?;
    let mut asked = request("", now, MAX_LIMIT);
    asked.facets = ["kind", "protocol", "port", "product", "tag"]
        .map(|field| FacetRequest { field: field.to_owned(), size: FACET_VALUES })
        .to_vec();
    let mut gathered = Gathered::default();
    let mut picture =
        Picture { taken: now, sightings: status.sightings.rows, evidence: status.evidence.rows, ..Picture::default() };
    for page_number in 0..MAP_PAGES {
        let page = reader.search(&asked)?;
        gathered.add(&page.matches, now);
        if page_number == 0 {
            picture.services = page.total;
            picture.facets = page.facets;
            asked.facets.clear();
        }
        asked.cursor = page.next;
        if asked.cursor.is_none() {
            picture.complete = true;
            break;
        }
    }
    picture.days = days(reader, now)?;
    picture.expired = reader.search(&request("cert.expires:<0d", now, 0))?.total;
    picture.drawn = gathered.services;
    picture.hosts = u64::try_from(gathered.hosts.len()).unwrap_or(u64::MAX);
    picture.spots = gathered.spots();
    picture.panels = map::panels(&picture.spots);
    Ok(picture)
}

/// The counts of the days that are drawn.
fn days(reader: &Reader, now: Timestamp) -> Result<BTreeMap<i64, DayCount>, ReadError> {
    let from = Timestamp::from_micros((day_of(now) - MAX_DAYS) * DAY_MICROS);
    let counts = reader.rollups("all", from, now)?.counts;
    Ok(counts.into_iter().map(|count| (day_of(count.day), count)).collect())
}

/// Which day a time lies on.
pub(super) const fn day_of(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(DAY_MICROS)
}

/// Hosts, put together from their services.
#[derive(Default)]
struct Gathered {
    services: u64,
    hosts: BTreeMap<IpAddr, Known>,
}

#[derive(Default)]
struct Known {
    kind: Option<(u8, DeviceKind)>,
    alarm: bool,
}

impl Gathered {
    fn add(&mut self, services: &[Service], now: Timestamp) {
        for service in services {
            self.services += 1;
            let known = self.hosts.entry(service.key.address).or_default();
            let told = service.facts.kind.map(|kind| (service.facts.confidence.as_percent(), kind));
            known.kind = stronger(known.kind, told);
            known.alarm |= tags::standing_out(service, now).iter().any(|tag| tags::is_alarm(tag));
        }
    }

    fn spots(&self) -> Vec<Spot> {
        let on_map = |(address, known): (&IpAddr, &Known)| match address {
            IpAddr::V4(v4) => Some(spot(*v4, known)),
            IpAddr::V6(_) => None,
        };
        self.hosts.iter().filter_map(on_map).collect()
    }
}

fn spot(address: Ipv4Addr, known: &Known) -> Spot {
    Spot { address, kind: known.kind.map(|(_, kind)| kind), alarm: known.alarm }
}

/// What says more of a host: the surer one; of equals, a device before a mere server.
fn stronger(left: Option<(u8, DeviceKind)>, right: Option<(u8, DeviceKind)>) -> Option<(u8, DeviceKind)> {
    let weight = |told: &(u8, DeviceKind)| (told.1 != DeviceKind::Server, told.0);
    match (left, right) {
        (Some(left), Some(right)) if weight(&right) > weight(&left) => Some(right),
        (None, right) => right,
        (left, _) => left,
    }
}
