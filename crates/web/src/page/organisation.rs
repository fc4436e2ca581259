//! My organisation: what is held, what of it is open and should not be, what changed lately. One page to begin the day
//! with, for members as for the operator; everything on it is asked through the door, so that it shows what the visitor may
//! see and counts nothing else.

pub(crate) mod alerts;
mod care;
mod days;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_share::policy::MaySee;
use hinomi_share::report::{DayCount, Month};
use hinomi_share::{ChangeEvent, ChangesRequest, ReadError, Reader, SearchRequest};

use care::CareView;
use days::DayView;
use hinomi_state::contacts::Contact;

use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::limits::{PAGE_CHANGES, PAGE_CHANGES_AGE, PAGE_CLAIMS};
use crate::link;
use crate::moment;
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// What should be looked at first, with the query that finds it; names are keys of the catalogues.
pub(crate) const CONCERNS: [(&str, &str); 10] = [
    ("telnet", "protocol:telnet"),
    ("plant", "kind:controller,building,energy"),
    ("camera", "kind:camera,recorder"),
    ("database", "protocol:mysql,postgresql,redis,mongodb,memcached"),
    ("desktop", "protocol:rdp,vnc,ipmi"),
    ("files", "protocol:ftp,smb,nfs,rsync"),
    ("resolver", "tag:recursion"),
    ("anonymous", "tag:anonymous"),
    ("expired", "tag:expired"),
    ("ending", "cert.expires:<30d -tag:expired"),
];

/// What sensors and reports of others say of devices that are infected or misused, as tags of hosts and services. Of
/// infections nobody tells that they ended; what was told longer ago is found by a search.
const INFECTED: &str = "tag:infected,malware,c2,botnet,compromised seen:<30d";

/// What is counted as a service: hosts that are told to be infected are none.
const SERVICES: &str = "-protocol:infection";

#[derive(Template)]
#[template(path = "organisation.html")]
struct OrganisationPage {
    frame: Frame,
    /// Nothing is narrowed: the operator.
    everything: bool,
    organisations: Vec<Seen>,
    purpose: Option<String>,
    audiences: Vec<Seen>,
    claims: Vec<ClaimView>,
    more_claims: Option<String>,
    /// Services in all.
    total: String,
    concerns: Vec<ConcernView>,
    /// How many are infected, with what finds them; none where nothing says so.
    infected: Option<(String, String)>,
    changes: Vec<ChangeView>,
    cares: Vec<CareView>,
    days: Vec<DayView>,
    days_most: String,
    days_width: u32,
    days_height: u32,
    /// Whether there are alerts to be set and reports to be read: for who acts for an organisation.
    alerts: &'static str,
    report: String,
}

struct ClaimView {
    subject: Seen,
    organisation: Seen,
    until: String,
    /// It ends within a month, or has ended.
    pressing: bool,
    href: Option<String>,
}

struct ConcernView {
    what: String,
    count: String,
    is_none: bool,
    href: String,
}

struct ChangeView {
    time: String,
    service: Seen,
    href: String,
    what: String,
    after: Option<Seen>,
}

/// What the page is made of.
struct Told {
    may: MaySee,
    total: u64,
    counts: Vec<u64>,
    infected: u64,
    contacts: Vec<Contact>,
    days: Vec<DayCount>,
}

pub(super) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    match look(&app, &desk).await {
        Ok((told, changes)) => render(&visit, StatusCode::OK, &compose(&visit, &told, &changes, app.now())),
        Err(fault) => fault::page(&visit, &fault),
    }
}

async fn look(app: &App, desk: &Desk) -> Result<(Told, Vec<ChangeEvent>), Fault> {
    let now = app.now();
    let mut told = desk.ask(move |reader| read(reader, now)).await?;
    told.contacts = care::contacts(app, &told.may).await?;
    let from = now.minus(PAGE_CHANGES_AGE);
    let lately = ChangesRequest { from: Some(from), limit: PAGE_CHANGES, ..ChangesRequest::new(String::new()) };
    let changes = desk.ask_past(move |reader| Ok(reader.changes(&lately)?.events)).await?;
    // Who sees everything has the days of everything on the overview, from counts that are kept.
    if !told.may.everything {
        told.days = desk.ask_past(move |reader| reader.day_counts(days::asked(now), now)).await?;
    }
    Ok((told, changes))
}

fn read(reader: &Reader, now: Timestamp) -> Result<Told, ReadError> {
    let count = |query: &str| {
        let request = SearchRequest { query: query.to_owned(), limit: 1, now, ..SearchRequest::default() };
        reader.search(&request).map(|page| page.total)
    };
    let counts = CONCERNS.iter().map(|(_, query)| count(query)).collect::<Result<_, _>>()?;
    let (may, total, infected) = (reader.may_see()?, count(SERVICES)?, count(INFECTED)?);
    Ok(Told { may, total, counts, infected, contacts: Vec::new(), days: Vec::new() })
}

fn compose(visit: &Visit, told: &Told, changes: &[ChangeEvent], now: Timestamp) -> OrganisationPage {
    let (w, may) = (&visit.words, &told.may);
    let more = may.claims_total.saturating_sub(PAGE_CLAIMS);
    let concern = |((name, query), count): (&(&str, &str), &u64)| ConcernView {
        what: w.say(&format!("organisation-{name}")),
        count: moment::grouped(*count),
        is_none: *count == 0,
        href: link::search(query),
    };
    OrganisationPage {
        frame: Frame::new(visit, &w.say("organisation-title"), "organisation"),
        everything: may.everything,
        organisations: may.organisations.iter().map(|name| Seen::word(name)).collect(),
        purpose: may.purpose.map(|purpose| w.say(&format!("purpose-{purpose}"))),
        audiences: may.audiences.iter().map(|name| Seen::word(name)).collect(),
        claims: may.claims.iter().take(PAGE_CLAIMS).map(|claim| claim_view(claim, now)).collect(),
        more_claims: (more > 0).then(|| w.count("organisation-more-claims", u64::try_from(more).unwrap_or(u64::MAX))),
        total: moment::grouped(told.total),
        concerns: CONCERNS.iter().zip(&told.counts).map(concern).collect(),
        infected: (told.infected > 0).then(|| (moment::grouped(told.infected), link::search(INFECTED))),
        changes: changes.iter().rev().map(|event| change_view(w, event)).collect(),
        cares: care::views(w, may, &told.contacts, now),
        days: days::views(&told.days),
        days_most: days::most(&told.days),
        days_width: crate::chart::days::WIDTH,
        days_height: crate::chart::days::HEIGHT,
        alerts: if may.organisations.is_empty() { "" } else { alerts::PATH },
        report: format!("{}/{}", super::report::PATH, Month::of(now).before()),
    }
}

fn claim_view(claim: &hinomi_share::policy::Reason, now: Timestamp) -> ClaimView {
    let is_prefix = claim.subject.contains('/');
    ClaimView {
        subject: Seen::word(&claim.subject),
        organisation: Seen::word(&claim.organisation),
        until: moment::date(claim.until),
        pressing: claim.until <= now.plus(crate::limits::CLAIM_ENDS_SOON),
        href: is_prefix.then(|| link::search(&link::term("ip", &claim.subject))),
    }
}

fn change_view(w: &Words, event: &ChangeEvent) -> ChangeView {
    let name = serde_json::to_value(event.what).ok();
    let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or_default();
    ChangeView {
        time: moment::minute(event.time),
        service: Seen::word(&event.service.to_string()),
        href: link::host(event.service.address),
        what: w.find("watch-what-", name).unwrap_or_else(|| name.to_owned()),
        after: event.after.as_ref().map(|after| Seen::word(after)),
    }
}
