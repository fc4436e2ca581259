//! What may I see, and why: the rules, labels and claims that the visitor's view rests on, of one address if it is named,
//! and what of the ledger concerns the visitor. Of others nothing is said.

use std::net::IpAddr;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::address::parse_address;
use hinomi_share::ledger::{Actor, Event};
use hinomi_share::policy::{MaySee, Reason, Why};
use hinomi_share::rules::Rule;
use hinomi_share::{ReadError, Reader};

use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::auth::Caller;
use crate::limits::{PAGE_CLAIMS, PAGE_LEDGER};
use crate::link;
use crate::mine::{self, Told, Which};
use crate::moment;
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// Where it is.
pub(crate) const PATH: &str = "/entitlement";

#[derive(Template)]
#[template(path = "entitlement.html")]
struct EntitlementPage {
    frame: Frame,
    everything: bool,
    /// Why what the folder of rules says now does not count; for who sees everything.
    refused: Option<Seen>,
    organisations: Vec<Seen>,
    purpose: Option<String>,
    audiences: Vec<Seen>,
    labels: Vec<LabelView>,
    rules: Vec<RuleView>,
    claims: Vec<ClaimView>,
    more_claims: Option<String>,
    host: Option<HostView>,
    ledger: Vec<EntryView>,
    accounts: Vec<EntryView>,
}

struct LabelView {
    label: &'static str,
    meaning: String,
    wherever: String,
}

struct RuleView {
    id: Seen,
    says: Seen,
    forbids: bool,
}

struct ClaimView {
    subject: Seen,
    organisation: Seen,
    from: String,
    until: String,
}

struct HostView {
    address: String,
    href: String,
    /// Nothing is seen there.
    unseen: bool,
    services: Vec<WhyView>,
}

struct WhyView {
    service: Seen,
    seen: String,
    label: &'static str,
    purpose: String,
    rules: Vec<RuleView>,
    claims: Vec<ClaimView>,
}

struct EntryView {
    place: u64,
    time: String,
    what: String,
    by: Seen,
    about: Seen,
}

/// What is asked of the lake.
type Asked = (MaySee, Option<(IpAddr, Option<Vec<Why>>)>);

pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    visit: Visit,
) -> Response {
    match find(&app, &caller, &desk, &visit).await {
        Ok(page) => render(&visit, StatusCode::OK, &page),
        Err(fault) => fault::page(&visit, &fault),
    }
}

async fn find(app: &App, caller: &Caller, desk: &Desk, visit: &Visit) -> Result<EntitlementPage, Fault> {
    let refuse = || Fault::new(StatusCode::BAD_REQUEST, "address");
    let address = visit.parameter("address").map(parse_address).transpose();
    let address = address.map_err(|error| refuse().because(&error))?;
    let (may, host) = desk.ask(move |reader| read(reader, address)).await?;
    let page = |which| mine::page(app, caller, which, (None, PAGE_LEDGER));
    // Where there is no ledger, or it is not for this visitor, the page has no such part.
    let ledger = page(Which::Mine).await.map(|page| page.entries).unwrap_or_default();
    let is_administrator = caller.signed_in().is_some_and(|(person, ..)| person.administrator);
    let accounts = match is_administrator {
        true => page(Which::Accounts).await.map(|page| page.entries).unwrap_or_default(),
        false => Vec::new(),
    };
    let refused = app.door.rules().filter(|_| may.everything || is_administrator).and_then(|rules| rules.refused);
    let mut composed = compose(visit, &may, host);
    composed.refused = refused.map(|why| Seen::line(&why));
    composed.ledger = ledger.iter().map(|told| entry_view(&visit.words, told)).collect();
    composed.accounts = accounts.iter().map(|told| entry_view(&visit.words, told)).collect();
    Ok(composed)
}

fn read(reader: &Reader, address: Option<IpAddr>) -> Result<Asked, ReadError> {
    let host = address.map(|address| Ok::<_, ReadError>((address, reader.why_host(address)?))).transpose()?;
    Ok((reader.may_see()?, host))
}

fn compose(visit: &Visit, may: &MaySee, host: Option<(IpAddr, Option<Vec<Why>>)>) -> EntitlementPage {
    let w = &visit.words;
    let more = may.claims_total.saturating_sub(PAGE_CLAIMS);
    EntitlementPage {
        frame: Frame::new(visit, &w.say("entitlement-title"), ""),
        everything: may.everything,
        refused: None,
        organisations: may.organisations.iter().map(|name| Seen::word(name)).collect(),
        purpose: may.purpose.map(|purpose| w.say(&format!("purpose-{purpose}"))),
        audiences: may.audiences.iter().map(|name| Seen::word(name)).collect(),
        labels: may.labels.iter().map(|one| label_view(w, one)).collect(),
        rules: may.rules.iter().map(|rule| rule_view(w, rule)).collect(),
        claims: may.claims.iter().take(PAGE_CLAIMS).map(claim_view).collect(),
        more_claims: (more > 0).then(|| w.count("organisation-more-claims", u64::try_from(more).unwrap_or(u64::MAX))),
        host: host.map(|(address, why)| host_view(w, address, why.as_deref())),
        ledger: Vec::new(),
        accounts: Vec::new(),
    }
}

fn label_view(w: &Words, one: &hinomi_share::policy::MayLabel) -> LabelView {
    let name = one.label.trim_start_matches("TLP:").to_ascii_lowercase().replace('+', "-");
    let wherever = match (one.anywhere, one.held) {
        (true, _) => "entitlement-anywhere",
        (false, true) => "entitlement-held",
        (false, false) => "entitlement-nowhere",
    };
    LabelView { label: one.label, meaning: w.find("label-", &name).unwrap_or_default(), wherever: w.say(wherever) }
}

/// The sentence of a built-in rule in the visitor's language; others say what their text has.
fn rule_view(w: &Words, rule: &Rule) -> RuleView {
    let says = w.find("rule-", &rule.id).unwrap_or_else(|| rule.says.clone());
    RuleView { id: Seen::word(&rule.id), says: Seen::line(&says), forbids: rule.forbids }
}

fn claim_view(claim: &Reason) -> ClaimView {
    ClaimView {
        subject: Seen::word(&claim.subject),
        organisation: Seen::word(&claim.organisation),
        from: moment::date(claim.from),
        until: moment::date(claim.until),
    }
}

fn host_view(w: &Words, address: IpAddr, why: Option<&[Why]>) -> HostView {
    let view = |one: &Why| WhyView {
        service: Seen::word(&one.service.to_string()),
        seen: moment::minute(one.seen),
        label: one.label,
        purpose: w.say(&format!("purpose-{}", one.purpose)),
        rules: one.rules.iter().map(|rule| rule_view(w, rule)).collect(),
        claims: one.claims.iter().take(PAGE_CLAIMS).map(claim_view).collect(),
    };
    HostView {
        address: address.to_string(),
        href: link::host(address),
        unseen: why.is_none(),
        services: why.into_iter().flatten().map(view).collect(),
    }
}

fn entry_view(w: &Words, told: &Told) -> EntryView {
    let event = &told.entry.event;
    let nobody = Actor::default();
    let (by, about) = match event {
        Event::Look { by, what, .. } => (by, what.clone()),
        Event::Export { by, format, records, cut, .. } => {
            let cut = if *cut { format!(" ({})", w.say("ledger-cut")) } else { String::new() };
            (by, format!("{records} × {format}{cut}"))
        }
        Event::Notice { by, recipient, channel, findings, .. } => (by, format!("{recipient}, {channel}, {findings}")),
        Event::Policy { by, sha256, .. } => (by, sha256.chars().take(16).collect()),
        Event::Ownership { by, organisation, subject, change, .. } => {
            (by, format!("{organisation}, {subject}: {change}"))
        }
        Event::Account { by, account, change, detail } => {
            (by, format!("{account}: {change}; {}", detail.as_deref().unwrap_or_default()))
        }
        Event::Consent { by, address, ports, .. } => (by, format!("{address}, {ports}")),
        _ => (&nobody, String::new()),
    };
    EntryView {
        place: told.place,
        time: moment::minute(told.entry.time),
        what: w.say(&format!("ledger-{}", event.kind())),
        by: Seen::word(&by.name),
        about: Seen::line(&about),
    }
}
