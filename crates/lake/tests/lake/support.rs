//! A lake in a temporary folder, and sightings to put into it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use hinomi_lake::{Lake, LakeError, LakeOptions, Places, SearchRequest};
use hinomi_model::time::FixedClock;
use hinomi_model::{
    Batch, Checkpoint, Clock, Confidence, Evidence, EvidenceKind, Facts, Identifier, Marking, Outcome, Purpose,
    Service, ServiceKey, Sighting, Timestamp, Transport,
};

/// Small rules over banners of the form `protocol product version`. Revision 2 also knows a maker.
pub(crate) struct BannerRules {
    pub(crate) revision: &'static str,
}

impl Identifier for BannerRules {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let banner = evidence.iter().find(|piece| piece.kind == EvidenceKind::Banner);
        let text = banner.map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()).unwrap_or_default();
        let mut words = text.split_whitespace();
        let protocol = words.next().and_then(|word| word.parse().ok());
        let product = words.next().map(ToOwned::to_owned);
        let vendor = product.as_ref().filter(|_| self.revision == "2").map(|name| format!("{name} Inc."));
        Facts {
            protocol,
            vendor,
            product,
            version: words.next().map(ToOwned::to_owned),
            summary: text.lines().next().map(ToOwned::to_owned),
            confidence: Confidence::percent(90),
            ..Facts::default()
        }
    }

    fn revision(&self) -> &str {
        self.revision
    }
}

pub(crate) fn now() -> Timestamp {
    at(1_000_000)
}

/// A clock that stands at [`now`].
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock(now()))
}

/// So many seconds into the test's time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + seconds * 1_000_000)
}

pub(crate) fn options(dir: &Path, read_only: bool) -> LakeOptions {
    let places = Places::read(b"192.0.2.0/24,64500,Example,JP,Tokyo\n".as_slice()).unwrap();
    let identifier = Arc::new(BannerRules { revision: "1" });
    LakeOptions { dir: dir.to_owned(), read_only, identifier, places, clock: Arc::new(FixedClock(now())) }
}

pub(crate) fn open(dir: &Path) -> Lake {
    Lake::open(options(dir, false)).unwrap()
}

pub(crate) fn open_reader(dir: &Path) -> Result<Lake, LakeError> {
    Lake::open(options(dir, true))
}

/// An open service that says this.
pub(crate) fn sighting(address: &str, port: u16, seconds: i64, banner: &str) -> (Sighting, Evidence) {
    let evidence = Evidence::new(EvidenceKind::Banner, banner.as_bytes());
    let address: IpAddr = address.parse().unwrap();
    let sighting = Sighting {
        sensor: "survey".parse().unwrap(),
        campaign: Some("spring".parse().unwrap()),
        time: at(seconds),
        subject: ServiceKey { address, port, transport: Transport::Tcp },
        outcome: Outcome::Open,
        remark: None,
        evidence: vec![evidence.reference()],
        marking: Marking::own(Purpose::Exercise),
    };
    (sighting, evidence)
}

pub(crate) fn batch(seen: impl IntoIterator<Item = (Sighting, Evidence)>) -> Batch {
    let (sightings, evidence) = seen.into_iter().unzip();
    Batch { sightings, evidence, checkpoint: None }
}

pub(crate) fn with_state(mut batch: Batch, state: &str) -> Batch {
    batch.checkpoint = Some(Checkpoint { campaign: "spring".parse().unwrap(), state: state.to_owned() });
    batch
}

pub(crate) fn request(query: &str) -> SearchRequest {
    SearchRequest { query: query.to_owned(), limit: 100, now: now(), ..SearchRequest::default() }
}

/// Everything, closed and pretending services too: a query that says so of them leaves none out.
pub(crate) const EVERYTHING: &str = "(has:closed OR -has:closed) (has:pseudo OR -has:pseudo)";

/// Every service, closed and pretending ones too, by address and port.
pub(crate) fn services(lake: &Lake) -> Vec<Service> {
    let mut all = Vec::new();
    let each = &mut |service| {
        all.push(service);
        Ok(())
    };
    lake.scan(EVERYTHING, now(), each).unwrap();
    all
}

/// Says on the test's output what could not be tried; in the full run that is a failure.
pub(crate) fn stand_aside(what: &str) {
    assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here: {what}");
    println!("stood aside: {what}");
}
