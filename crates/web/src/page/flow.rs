//! C&C servers found in flows: what is held, how the collector is doing, what was taken back.
//!
//! No pseudonym and no address of a subscriber can stand here: neither is in what the door gives.

pub(crate) mod endpoint;
pub(crate) mod status;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_model::cnc::status::CollectorStatus;
use hinomi_model::cnc::{Evidence, words as cnc};
use hinomi_share::{CncFindings, HeldFinding, LeftOut, ReadError, Taken};

use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::chart::balance::{self, Balance};
use crate::language::Language;
use crate::link;
use crate::moment;
use crate::read::{Desk, DeskError};
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

use status::StatusView;

/// Findings that one page lists.
const MAX_HELD: usize = 200;
/// Withdrawn findings that one page lists.
const MAX_WITHDRAWN: usize = 100;

#[derive(Template)]
#[template(path = "flow.html")]
struct FlowPage {
    frame: Frame,
    figures: Vec<(String, String)>,
    held: Vec<HeldRow>,
    more_held: Option<String>,
    balance: Balance,
    balance_width: u32,
    groups: Vec<(&'static str, String)>,
    status: Option<StatusView>,
    unread: Option<String>,
    withdrawn: Vec<WithdrawnRow>,
    left_out: Option<String>,
    empty: bool,
}

struct HeldRow {
    href: String,
    endpoint: String,
    confidence: String,
    reasons: Vec<Reason>,
    clients: String,
    passes: bool,
    verdict: Seen,
    last_told: String,
}

/// A reason in a word or two.
pub(super) struct Reason {
    pub(super) label: String,
    pub(super) against: bool,
}

pub(super) struct WithdrawnRow {
    pub(super) href: String,
    pub(super) endpoint: String,
    pub(super) time: String,
    pub(super) ago: String,
    pub(super) why: String,
}

pub(super) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    match find(&app, &desk).await {
        Ok((findings, account)) => render(&visit, StatusCode::OK, &compose(&visit, app.now(), &findings, account)),
        Err(error) => fault::page(&visit, &Fault::from(error)),
    }
}

/// The collector's account: none, one, or one that cannot be read, which takes no finding away.
type Account = Result<Option<CollectorStatus>, ReadError>;

async fn find(app: &App, desk: &Desk) -> Result<(CncFindings, Account), DeskError> {
    let now = app.now();
    desk.ask(move |reader| Ok((reader.cnc_findings(now)?, reader.collector_status()))).await
}

fn compose(visit: &Visit, now: Timestamp, findings: &CncFindings, account: Account) -> FlowPage {
    let w = &visit.words;
    let unread = account.as_ref().err().map(|error| {
        tracing::warn!(%error, "the collector's account could not be read");
        w.say("flow-account-unread")
    });
    let status = account.ok().flatten().map(|status| StatusView::new(w, now, &status));
    let more = findings.held.len().saturating_sub(MAX_HELD);
    let groups = hinomi_model::cnc::Group::ALL;
    FlowPage {
        frame: Frame::new(visit, &w.say("flow-title"), "flow"),
        figures: figures(w, findings),
        held: findings.held.iter().take(MAX_HELD).map(|held| row(w, now, held)).collect(),
        more_held: (more > 0).then(|| w.count("flow-more", as_u64(more))),
        balance: balance::draw(findings.held.iter().map(|held| &held.finding)),
        balance_width: balance::WIDTH,
        groups: groups.map(|group| (group.name(), cnc::group(catalogue(w), group))).to_vec(),
        empty: findings.held.is_empty() && findings.withdrawn.is_empty() && status.is_none() && unread.is_none(),
        status,
        unread,
        withdrawn: findings.withdrawn.iter().take(MAX_WITHDRAWN).map(|taken| withdrawn(w, now, taken)).collect(),
        left_out: left_out(w, findings.left_out),
    }
}

/// The sentences of reasons in a visitor's language.
pub(super) const fn catalogue(words: &Words) -> &'static str {
    match words.language() {
        Language::Japanese => cnc::JAPANESE,
        Language::English => cnc::ENGLISH,
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn figures(w: &Words, findings: &CncFindings) -> Vec<(String, String)> {
    let pass = findings.held.iter().filter(|held| held.export.passes()).count();
    let counts = [
        ("flow-figure-held", findings.held.len()),
        ("flow-figure-pass", pass),
        ("flow-figure-inside", findings.held.len() - pass),
        ("flow-figure-withdrawn", findings.withdrawn.len()),
    ];
    counts.map(|(key, count)| (moment::grouped(as_u64(count)), w.say(key))).to_vec()
}

fn row(w: &Words, now: Timestamp, held: &HeldFinding) -> HeldRow {
    let finding = &held.finding;
    HeldRow {
        href: link::flow(&finding.endpoint),
        endpoint: finding.endpoint.to_string(),
        confidence: percent(finding.confidence),
        reasons: reasons(w, finding.reasons.iter().chain(&finding.counter_evidence)),
        clients: moment::grouped(finding.clients),
        passes: held.export.passes(),
        verdict: Seen::line(&cnc::verdict(catalogue(w), &held.export)),
        last_told: moment::relative(w, now, held.last_told),
    }
}

fn reasons<'a>(w: &Words, all: impl Iterator<Item = &'a Evidence>) -> Vec<Reason> {
    let reason = |reason: &Evidence| Reason {
        label: cnc::short(catalogue(w), reason.code),
        against: reason.log_likelihood_ratio < 0.0,
    };
    all.map(reason).collect()
}

pub(super) fn withdrawn(w: &Words, now: Timestamp, taken: &Taken) -> WithdrawnRow {
    WithdrawnRow {
        href: link::flow(&taken.endpoint),
        endpoint: taken.endpoint.to_string(),
        time: moment::minute(taken.time),
        ago: moment::relative(w, now, taken.time),
        why: cnc::withdrawn(catalogue(w), taken.reason),
    }
}

/// A chance as people read it; nothing here is certain, so never 100.
pub(super) fn percent(chance: f64) -> String {
    format!("{:.1}%", (chance * 100.0).clamp(0.0, 99.9))
}

fn left_out(w: &Words, left_out: LeftOut) -> Option<String> {
    let told = [
        (left_out.damaged_lines, "flow-damaged"),
        (left_out.old_bytes, "flow-too-old"),
        (left_out.torn_bytes, "flow-torn"),
    ];
    let parts: Vec<_> =
        told.into_iter().filter(|(count, _)| *count > 0).map(|(count, key)| w.count(key, count)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
