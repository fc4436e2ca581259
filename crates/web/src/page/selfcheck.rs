//! The self check: what is known of the address that a visitor comes from, and of no other.
//!
//! Nobody signs in for it. The answer is the answer to a form: it has no address of its own to be passed on, and is kept
//! nowhere, and nothing is sent to the visitor: that is for [`outside`], where he agreed. How often one address may ask is
//! bounded ([`Asked`]), in memory alone. In a demonstration everybody comes from
//! this machine; there one of the simulated homes is chosen instead.

mod looks;
pub(crate) mod outside;
mod told;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::{Service, Timestamp};
use hinomi_share::{Concern, SearchRequest, Viewer};

use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::guard::Source;
use crate::limits::{
    MAX_FORM_BYTES, SELF_CHECK_AGE, SELF_CHECK_HOMES, SELF_CHECK_OPEN, SELF_CHECKS, SELF_CHECKS_IN_ALL,
    SELF_CHECKS_KNOWN,
};
use crate::moment;
use crate::prober::Offer;
use crate::read::{Desk, DeskError};
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

pub(crate) use looks::Looks;

/// Where it is.
pub(crate) const PATH: &str = "/self-check";
/// In which time [`SELF_CHECKS`] are allowed, in microseconds: a minute.
const WINDOW_MICROS: i64 = 60_000_000;

/// Who asked how often since when.
#[derive(Default)]
pub(crate) struct Asked(Mutex<Known>);

#[derive(Default)]
struct Known {
    homes: HashMap<IpAddr, (i64, u32)>,
    /// Of all together: each answered question is an entry of the ledger.
    all: (i64, u32),
}

impl Asked {
    /// Whether this address may ask once more now. Of IPv6 a home's network counts as one.
    fn may_ask(&self, address: IpAddr, now: Timestamp) -> bool {
        let now = now.as_micros();
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { homes: known, all } = &mut *both;
        if known.len() >= SELF_CHECKS_KNOWN {
            known.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW_MICROS);
        }
        let home = home_of(address);
        if known.len() >= SELF_CHECKS_KNOWN && !known.contains_key(&home) {
            return false;
        }
        let (since, count) = known.entry(home).or_insert((now, 0));
        if now.saturating_sub(*since) >= WINDOW_MICROS {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count > SELF_CHECKS {
            return false;
        }
        if now.saturating_sub(all.0) >= WINDOW_MICROS {
            *all = (now, 0);
        }
        all.1 += 1;
        all.1 <= SELF_CHECKS_IN_ALL
    }
}

/// An IPv4 address as it is, the first 64 bits of an IPv6 address.
fn home_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()),
        four => four,
    }
}

#[derive(Template)]
#[template(path = "selfcheck.html")]
struct SelfCheckPage {
    frame: Frame,
    trouble: Option<String>,
    /// From where the visitor comes, in words.
    address: String,
    /// In a demonstration: the homes to choose from.
    homes: Option<Vec<String>>,
    found: Option<Found>,
    /// What is said of a look from outside; nothing where none is offered.
    outside: Option<OutsideView>,
}

struct OutsideView {
    says: String,
    offered: bool,
}

struct Found {
    heading: String,
    /// A class: `urgent`, `some`, `nothing`.
    verdict: &'static str,
    says: String,
    count: Option<String>,
    device: Option<String>,
    open: Vec<OpenView>,
}

struct OpenView {
    what: String,
    why: String,
    how: String,
    model: Option<String>,
    seen: String,
    port: String,
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
) -> Response {
    match page(&app, &visit, source, None, None).await {
        Ok(page) => render(&visit, StatusCode::OK, &page),
        Err(error) => fault::page(&visit, &Fault::from(error)),
    }
}

/// `POST`: the answer.
pub(super) async fn ask(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    body: Body,
) -> Response {
    let Ok(body) = to_bytes(body, MAX_FORM_BYTES).await else {
        return fault::page(&visit, &Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-not-accepted"));
    };
    let answer = if app.self_checks.may_ask(source, app.now()) {
        let asked = asked_for(&app, source, &body);
        let found = look_up(&app, &visit.words, asked).await;
        match found {
            Ok(found) => page(&app, &visit, source, None, Some(found)).await.map(|page| (StatusCode::OK, page)),
            Err(error) => Err(error),
        }
    } else {
        let trouble = Some(visit.words.say("own-too-often"));
        page(&app, &visit, source, trouble, None).await.map(|page| (StatusCode::TOO_MANY_REQUESTS, page))
    };
    match answer {
        Ok((status, page)) => render(&visit, status, &page),
        Err(error) => fault::page(&visit, &Fault::from(error)),
    }
}

/// The visitor's own address; in a demonstration the home that was chosen.
fn asked_for(app: &App, source: IpAddr, body: &[u8]) -> IpAddr {
    let chosen = std::str::from_utf8(body).ok().and_then(|body| body.strip_prefix("home="));
    let chosen = chosen.map(|home| home.replace("%3A", ":")).and_then(|home| home.parse().ok());
    chosen.filter(|_| app.simulated.is_some()).unwrap_or(source).to_canonical()
}

/// The lake as a visitor from this address may see it.
fn desk(app: &App, address: IpAddr) -> Desk {
    let since = app.now().minus(SELF_CHECK_AGE);
    Desk::new(app.door.clone(), Viewer::Visitor { address, since }, std::sync::Arc::clone(&app.seats))
}

async fn look_up(app: &App, words: &Words, address: IpAddr) -> Result<Found, DeskError> {
    let host = desk(app, address).ask(move |reader| reader.host(address)).await?;
    Ok(found(words, address, host.map(|host| host.services).unwrap_or_default()))
}

fn found(words: &Words, address: IpAddr, services: Vec<Service>) -> Found {
    let mut open: Vec<(Concern, Service)> = services.into_iter().map(|one| (Concern::of(&one), one)).collect();
    open.sort_by_key(|(concern, service)| (*concern, service.key.port));
    let count = u64::try_from(open.len()).unwrap_or(u64::MAX);
    let verdict = match open.first() {
        None => "nothing",
        Some((concern, _)) if concern.is_urgent() => "urgent",
        Some(_) => "some",
    };
    let device = open.iter().find_map(|(_, service)| name_of(service));
    Found {
        heading: words.with("own-answer", address),
        verdict,
        says: words.say(&format!("own-{verdict}")),
        count: (count > 0).then(|| words.count("own-found", count)),
        device: device.map(|device| words.with("own-device", device)),
        open: open.iter().take(SELF_CHECK_OPEN).map(|(concern, service)| view(words, *concern, service)).collect(),
    }
}

fn view(words: &Words, concern: Concern, service: &Service) -> OpenView {
    let say = |part: &str| words.say(&format!("own-{part}-{}", concern.name()));
    OpenView {
        what: say("what"),
        why: say("why"),
        how: say("do"),
        model: name_of(service).filter(|_| service.facts.model.is_some()).map(|name| words.with("own-model", name)),
        seen: moment::minute(service.last_seen),
        port: match (service.key.port, &service.facts.summary) {
            // A host has no port; what is known of it is which malware was met.
            (0, Some(summary)) => Seen::line(summary).to_string(),
            (port, _) => format!("{port}/{}", service.key.transport),
        },
    }
}

/// Maker and model, or product, where known.
fn name_of(service: &Service) -> Option<Seen> {
    let facts = &service.facts;
    let product = facts.model.as_ref().or(facts.product.as_ref())?;
    let maker = facts.vendor.as_ref().filter(|maker| !product.starts_with(maker.as_str()));
    Some(Seen::word(&maker.map_or_else(|| product.clone(), |maker| format!("{maker} {product}"))))
}

async fn page(
    app: &App,
    visit: &Visit,
    source: IpAddr,
    trouble: Option<String>,
    found: Option<Found>,
) -> Result<SelfCheckPage, DeskError> {
    let words = &visit.words;
    let homes = if app.simulated.is_some() { Some(homes(app).await?) } else { None };
    let key = if is_inside(source) { "own-address-inside" } else { "own-address" };
    let (frame, address) =
        (Frame::new(visit, &words.say("own-title"), "self-check"), words.with(key, source.to_canonical()));
    let outside = outside_view(words, &outside::offer(app, source.to_canonical()).await);
    Ok(SelfCheckPage { frame, trouble, address, homes, found, outside })
}

fn outside_view(words: &Words, offer: &Offer) -> Option<OutsideView> {
    let (key, offered) = match offer {
        Offer::None => return None,
        Offer::Shared => ("outside-shared", false),
        Offer::OptedOut => ("outside-opted-out", false),
        Offer::Later => ("outside-later", false),
        Offer::Terms(_) => ("outside-offer", true),
    };
    Some(OutsideView { says: words.say(key), offered })
}

/// Some simulated devices that people have at home; any, as long as none of those is known.
async fn homes(app: &App) -> Result<Vec<String>, DeskError> {
    let desk = Desk::new(app.door.clone(), Viewer::Operator, std::sync::Arc::clone(&app.seats));
    let mut homes = Vec::new();
    for query in ["kind:router,camera,nas,recorder", ""] {
        let (query, limit, now) = (query.to_owned(), SELF_CHECK_HOMES * 4, app.now());
        let request = SearchRequest { query, limit, now, ..SearchRequest::default() };
        let found = desk.ask(move |reader| reader.search(&request)).await?;
        homes.extend(found.matches.iter().map(|service| service.key.address.to_string()));
        if !homes.is_empty() {
            break;
        }
    }
    homes.dedup();
    homes.truncate(SELF_CHECK_HOMES);
    Ok(homes)
}

/// Whether the internet sees this visitor under another address (RFC 1918, 6598, 3927, 4193, 4291).
fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            address.is_private() || address.is_loopback() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_home_asks_a_few_times_a_minute() {
        let asked = Asked::default();
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let home: IpAddr = "2001:db8:1:2::1".parse().expect("an address");
        let same: IpAddr = "2001:db8:1:2:9::9".parse().expect("an address");
        assert!((0..SELF_CHECKS).all(|_| asked.may_ask(home, at(0))));
        assert!(!asked.may_ask(same, at(59)), "the same home");
        assert!(asked.may_ask("2001:db8:1:3::1".parse().expect("an address"), at(59)));
        assert!(asked.may_ask(same, at(60)));
    }

    #[test]
    fn who_asks_from_everywhere_fills_a_bounded_table() {
        let asked = Asked::default();
        for number in 0..u32::try_from(SELF_CHECKS_KNOWN).expect("few") + 10 {
            asked.may_ask(IpAddr::V4(number.into()), Timestamp::default());
        }
        assert_eq!(asked.0.lock().expect("no panic").homes.len(), SELF_CHECKS_KNOWN);
        assert!(!asked.may_ask("192.0.2.1".parse().expect("an address"), Timestamp::default()));
        assert!(asked.may_ask("192.0.2.1".parse().expect("an address"), Timestamp::from_micros(WINDOW_MICROS)));
    }

    #[test]
    fn addresses_that_the_internet_does_not_see_are_told() {
        for inside in ["10.1.2.3", "100.64.0.1", "127.0.0.1", "::1", "fd00::1", "::ffff:192.168.0.1"] {
            assert!(is_inside(inside.parse().expect("an address")), "{inside}");
        }
        for outside in ["203.0.113.9", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_inside(outside.parse().expect("an address")), "{outside}");
        }
    }
}
