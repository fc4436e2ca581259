//! One address: what it is, why we believe so, and what happened there.

pub(super) mod crypto;
mod presence;
mod proof;

use std::net::IpAddr;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::{CertificateFacts, EvidenceRef, Service, Terms, Timestamp, parse_address};
use hinomi_share::objects::Said;
use hinomi_share::{HistoryEntry, Host, HostPresence};

use super::fault::{self, Fault};
use super::service::{self, ServiceView};
use super::{Frame, render};
use crate::app::App;
use crate::chart::presence::{Presence, WIDTH};
use crate::limits::{MAX_HISTORY_ROWS, MAX_STRETCH_ROWS};
use crate::link;
use crate::moment;
use crate::objects::{self, About, SaidView};
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

use crypto::CryptoView;
use presence::StretchView;
use proof::{Opened, ProofView};

/// Services that one page shows in full.
const MAX_SERVICES: usize = 100;

/// Names of a certificate that are shown.
const MAX_NAMES: usize = 16;

/// A certificate that ends within these days is marked.
const SOON_DAYS: u64 = 30;

#[derive(Template)]
#[template(path = "host.html")]
struct HostPage {
    frame: Frame,
    address: String,
    device: Device,
    services: Vec<Part>,
    more_services: Option<String>,
    picture: Presence,
    picture_width: u32,
    timeline_title: String,
    stretches: Vec<StretchView>,
    more_stretches: bool,
    history: Vec<Row>,
    more_history: bool,
    search_href: String,
    said: Vec<SaidView>,
}

/// What the services together say of the device.
#[derive(Default)]
struct Device {
    family: &'static str,
    kind: Option<String>,
    name: String,
    firmware: Option<Seen>,
    os: Option<Seen>,
    network: Option<String>,
    first_seen: String,
    last_seen: String,
    last_seen_ago: String,
}

/// One service with everything known of it.
struct Part {
    service: ServiceView,
    crypto: Option<CryptoView>,
    certificate: Option<Certificate>,
    proofs: Vec<ProofView>,
    evidence: Vec<EvidenceLink>,
    terms: Vec<(String, Seen)>,
}

struct Certificate {
    subject: Seen,
    issuer: Seen,
    names: Vec<Seen>,
    more_names: usize,
    not_before: String,
    not_after: String,
    /// How far the end is from now.
    distance: String,
    /// `expired`, `soon`, `early` or `valid`.
    state: &'static str,
    self_signed: bool,
    key: Seen,
    signature: Seen,
    sha256: Seen,
}

struct EvidenceLink {
    href: String,
    kind: String,
}

struct Row {
    time: String,
    port: String,
    outcome: String,
    outcome_class: &'static str,
    label: Seen,
    changes: Vec<Seen>,
    sensor: Seen,
    remark: Option<Seen>,
    evidence: Vec<EvidenceLink>,
    terms: Vec<(String, Seen)>,
}

pub(super) async fn show(
    State(app): State<App>,
    desk: Desk,
    visit: Visit,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    match find(&app, &desk, path).await {
        Ok(seen) => render(&visit, StatusCode::OK, &compose(&app, &visit, &seen)),
        Err(fault) => fault::page(&visit, &fault),
    }
}

/// Reads the address of a path.
pub(crate) fn address_of(path: Result<Path<String>, PathRejection>) -> Result<IpAddr, Fault> {
    let refuse = || Fault::new(StatusCode::BAD_REQUEST, "address");
    let Path(text) = path.map_err(|_| refuse())?;
    parse_address(&text).map_err(|error| refuse().because(&error))
}

/// What is read for a page.
struct Read {
    host: Host,
    opened: Opened,
    presence: Option<HostPresence>,
    said: Vec<Said>,
}

async fn find(app: &App, desk: &Desk, path: Result<Path<String>, PathRejection>) -> Result<Read, Fault> {
    let address = address_of(path)?;
    let (now, accounts) = (app.now(), app.accounts.clone());
    let found = desk.ask(move |reader| {
        let seen = |host: &Host| !host.services.is_empty() || !host.history.is_empty();
        let Some(host) = reader.host(address)?.filter(seen) else { return Ok(None) };
        let opened = Opened::for_services(reader, host.services.iter().take(MAX_SERVICES))?;
        let said = objects::said(&accounts, reader, &About::Address(address), now)?;
        Ok(Some(Read { presence: reader.presence(address, now)?, host, opened, said }))
    });
    found.await?.ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "host-not-seen").because(&address))
}

fn compose(app: &App, visit: &Visit, seen: &Read) -> HostPage {
    let (w, now, Read { host, opened, .. }) = (&visit.words, app.now(), seen);
    let stretches = seen.presence.as_ref().map(|told| presence::rows(w, told)).unwrap_or_default();
    let more_stretches = stretches.len() > MAX_STRETCH_ROWS || seen.presence.as_ref().is_some_and(presence::is_cut);
    let address = host.address.to_string();
    let more = host.services.len().saturating_sub(MAX_SERVICES);
    HostPage {
        frame: Frame::new(visit, &address, ""),
        device: device(w, now, host),
        services: host.services.iter().take(MAX_SERVICES).map(|service| part(w, now, service, opened)).collect(),
        more_services: (more > 0).then(|| w.count("more-services", u64::try_from(more).unwrap_or(u64::MAX))),
        picture: seen.presence.as_ref().map(|told| presence::draw(w, told, now)).unwrap_or_default(),
        picture_width: WIDTH,
        timeline_title: w.with("timeline-title", &address),
        stretches: stretches.into_iter().take(MAX_STRETCH_ROWS).collect(),
        more_stretches,
        history: host.history.iter().take(MAX_HISTORY_ROWS).map(|entry| row(w, host.address, entry)).collect(),
        more_history: host.history.len() > MAX_HISTORY_ROWS,
        search_href: link::search(&link::term("ip", &address)),
        said: seen.said.iter().map(|one| SaidView::new(w, one)).collect(),
        address,
    }
}

/// The services' own words for the device: the surest that names a kind, else the surest of all.
fn device(w: &Words, now: Timestamp, host: &Host) -> Device {
    let weight =
        |service: &&Service| (service.facts.kind.is_some(), service.facts.model.is_some(), service.facts.confidence);
    let Some(best) = host.services.iter().max_by_key(weight) else { return Device::default() };
    let view = ServiceView::new(w, now, best);
    let first = host.services.iter().map(|service| service.first_seen).min().unwrap_or_default();
    let last = host.services.iter().map(|service| service.last_seen).max().unwrap_or_default();
    let all = || host.services.iter();
    let firmware = all().find_map(|service| service.facts.firmware.as_deref());
    let os = all().find_map(|service| service.facts.os.as_deref());
    let name = [view.vendor.as_ref(), view.model.as_ref().or(view.product.as_ref())];
    Device {
        family: view.family,
        kind: view.kind,
        name: name.into_iter().flatten().map(Seen::as_str).collect::<Vec<_>>().join(" "),
        firmware: firmware.map(Seen::word),
        os: os.map(Seen::word),
        network: network(best),
        first_seen: moment::minute(first),
        last_seen: moment::minute(last),
        last_seen_ago: moment::relative(w, now, last),
    }
}

fn network(service: &Service) -> Option<String> {
    let asn = service.asn.map(|asn| format!("AS{asn}"));
    let country = service.country.as_deref().map(|country| Seen::word(country).to_string());
    let parts: Vec<_> = [asn, country].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn part(w: &Words, now: Timestamp, service: &Service, opened: &Opened) -> Part {
    Part {
        service: ServiceView::new(w, now, service),
        crypto: service.facts.crypto.as_ref().map(|crypto| CryptoView::new(w, crypto)),
        certificate: service.facts.certificate.as_ref().map(|facts| certificate(w, now, facts)),
        proofs: opened.proofs(w, service),
        evidence: service.evidence.iter().map(|reference| evidence_link(w, service.key.address, reference)).collect(),
        terms: terms(w, &service.terms),
    }
}

/// Embargo, licence and handling, with their names.
fn terms(w: &Words, terms: &Terms) -> Vec<(String, Seen)> {
    let embargo = terms.embargo.map(|until| ("terms-embargo", Seen::line(&moment::minute(until))));
    let licence = terms.licence.as_deref().map(|licence| ("terms-licence", Seen::line(licence)));
    let words: Vec<&str> = terms.handling.iter().map(String::as_str).collect();
    let handling = (!words.is_empty()).then(|| ("terms-handling", Seen::line(&words.join(" "))));
    [embargo, licence, handling].into_iter().flatten().map(|(name, told)| (w.say(name), told)).collect()
}

fn evidence_link(w: &Words, host: IpAddr, reference: &EvidenceRef) -> EvidenceLink {
    EvidenceLink {
        href: link::evidence(&reference.hash, host, None),
        kind: w.say(&format!("evidence-kind-{}", reference.kind)),
    }
}

fn certificate(w: &Words, now: Timestamp, facts: &CertificateFacts) -> Certificate {
    let left_days = facts.not_after.since(now).as_secs() / (24 * 60 * 60);
    let state = match () {
        () if facts.not_after < now => "expired",
        () if facts.not_before > now => "early",
        () if left_days < SOON_DAYS => "soon",
        () => "valid",
    };
    Certificate {
        subject: Seen::line(&facts.subject),
        issuer: Seen::line(&facts.issuer),
        names: facts.names.iter().take(MAX_NAMES).map(|name| Seen::word(name)).collect(),
        more_names: facts.names.len().saturating_sub(MAX_NAMES),
        not_before: moment::date(facts.not_before),
        not_after: moment::date(facts.not_after),
        distance: moment::relative(w, now, facts.not_after),
        state,
        self_signed: facts.self_signed,
        key: Seen::word(&facts.key),
        signature: Seen::word(&facts.signature),
        sha256: Seen::word(&facts.sha256),
    }
}

fn row(w: &Words, host: IpAddr, entry: &HistoryEntry) -> Row {
    let change = |name: &String| w.find("change-", name).map_or_else(|| Seen::word(name), |text| Seen::word(&text));
    Row {
        time: moment::minute(entry.time),
        port: service::port(w, entry.port, entry.transport),
        outcome: w.say(&format!("outcome-{}", entry.outcome.name())),
        outcome_class: entry.outcome.name(),
        label: Seen::line(&entry.label),
        changes: entry.changes.iter().take(8).map(change).collect(),
        sensor: Seen::word(&entry.sensor),
        remark: entry.remark.as_deref().map(|remark| Seen::remark(w, remark)),
        evidence: entry.evidence.iter().take(8).map(|reference| evidence_link(w, host, reference)).collect(),
        terms: terms(w, &entry.terms),
    }
}
