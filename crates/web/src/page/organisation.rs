//! My organisation: what is held, what of it is open and should not be, what changed lately. One page to begin the day
//! with, for members as for the operator; everything on it is asked through the door, so that it shows what the visitor may
//! see and counts nothing else.

pub(crate) mod alerts;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_share::policy::MaySee;
use hinomi_share::{ChangeEvent, ChangesRequest, ReadError, Reader, SearchRequest};

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
    changes: Vec<ChangeView>,
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
}

pub(super) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    let now = app.now();
    let told = match desk.ask(move |reader| read(reader, now)).await {
        Ok(told) => told,
        Err(error) => return fault::page(&visit, &Fault::from(error)),
    };
    let from = now.minus(PAGE_CHANGES_AGE);
    let lately = ChangesRequest { from: Some(from), limit: PAGE_CHANGES, ..ChangesRequest::new(String::new()) };
    let changes = match desk.ask_past(move |reader| reader.changes(&lately)).await {
        Ok(page) => page.events,
        Err(error) => return fault::page(&visit, &Fault::from(error)),
    };
    render(&visit, StatusCode::OK, &compose(&visit, &told, &changes, now))
}

fn read(reader: &Reader, now: Timestamp) -> Result<Told, ReadError> {
    let count = |query: &str| {
        let request = SearchRequest { query: query.to_owned(), limit: 1, now, ..SearchRequest::default() };
        reader.search(&request).map(|page| page.total)
    };
    let counts = CONCERNS.iter().map(|(_, query)| count(query)).collect::<Result<_, _>>()?;
    Ok(Told { may: reader.may_see()?, total: count("")?, counts })
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
        changes: changes.iter().rev().map(|event| change_view(w, event)).collect(),
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
