//! One endpoint: every reason for and against in words, what loss and sampling did, and what became of it.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_model::cnc::{Endpoint, Evidence, Finding, Visibility, words as cnc};
use hinomi_share::{HeldFinding, Story};

use super::super::fault::{self, Fault};
use super::super::{Frame, render};
use super::{Reason, WithdrawnRow, catalogue, percent, withdrawn};
use crate::app::App;
use crate::chart::classes::{self, Classes};
use crate::chart::waterfall::{self, Waterfall};
use crate::link;
use crate::moment;
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// Scorings that the table lists: the newest.
const MAX_SCORINGS: usize = 60;

#[derive(Template)]
#[template(path = "flow_endpoint.html")]
struct EndpointPage {
    frame: Frame,
    endpoint: String,
    api_href: String,
    host_href: String,
    held: bool,
    confidence: String,
    told: Option<Told>,
    passes: bool,
    verdict: Option<Seen>,
    listed: Option<String>,
    finding: Option<FindingView>,
    classes: Classes,
    classes_width: u32,
    class_labels: Vec<String>,
    scorings: Vec<Scoring>,
    more_scorings: bool,
    withdrawn: Vec<WithdrawnRow>,
}

struct Told {
    first: String,
    last: String,
    confidence: String,
}

struct FindingView {
    scored: String,
    waterfall: Waterfall,
    waterfall_width: u32,
    step_labels: Vec<String>,
    reasons: Vec<Sentence>,
    against: Vec<Sentence>,
    refuted_by: Vec<String>,
    base: String,
    clients: String,
    seen: Vec<String>,
}

/// A reason with what it weighs.
struct Sentence {
    group: &'static str,
    weight: String,
    text: String,
}

struct Scoring {
    time: String,
    confidence: String,
    reasons: Vec<Reason>,
}

pub(crate) async fn show(
    State(app): State<App>,
    desk: Desk,
    visit: Visit,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    match find(&app, &desk, path).await {
        Ok(story) => render(&visit, StatusCode::OK, &compose(&visit, app.now(), &story)),
        Err(fault) => fault::page(&visit, &fault),
    }
}

/// The story of the endpoint of a path.
pub(crate) async fn find(app: &App, desk: &Desk, path: Result<Path<String>, PathRejection>) -> Result<Story, Fault> {
    let refuse = || Fault::new(StatusCode::BAD_REQUEST, "endpoint");
    let Path(text) = path.map_err(|_| refuse())?;
    let endpoint: Endpoint = text.parse().map_err(|error| refuse().because(&error))?;
    let now = app.now();
    let story = desk.ask(move |reader| reader.cnc_finding(&endpoint, now)).await?;
    story.ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "endpoint-not-told").because(&endpoint))
}

fn compose(visit: &Visit, now: Timestamp, story: &Story) -> EndpointPage {
    let w = &visit.words;
    let endpoint = story.endpoint.to_string();
    let held = story.held.as_ref();
    let finding = held.map(|held| &held.finding).or(story.last.as_ref());
    let classes = classes::draw(&story.points, &story.taken);
    let scorings = story.points.iter().rev().take(MAX_SCORINGS);
    EndpointPage {
        frame: Frame::new(visit, &endpoint, "flow"),
        api_href: link::flow_api(&story.endpoint),
        host_href: link::search(&link::term("ip", &story.endpoint.address.to_string())),
        held: held.is_some(),
        confidence: finding.map_or_else(String::new, |finding| percent(finding.confidence)),
        told: held.map(|held| told(w, now, held)),
        passes: held.is_some_and(|held| held.export.passes()),
        verdict: held.map(|held| Seen::line(&cnc::verdict(catalogue(w), &held.export))),
        listed: held.and_then(|held| held.listed).map(moment::date),
        finding: finding.map(|finding| view(w, finding)),
        classes_width: classes::WIDTH,
        class_labels: classes.rows.iter().map(|row| cnc::short(catalogue(w), row.code)).collect(),
        classes,
        scorings: scorings.map(|point| scoring(w, point)).collect(),
        more_scorings: story.points.len() > MAX_SCORINGS,
        withdrawn: story.taken.iter().rev().map(|taken| withdrawn(w, now, taken)).collect(),
        endpoint,
    }
}

fn told(w: &Words, now: Timestamp, held: &HeldFinding) -> Told {
    let when = |time| format!("{} ({})", moment::minute(time), moment::relative(w, now, time));
    Told { first: when(held.first_told), last: when(held.last_told), confidence: percent(held.told_confidence) }
}

fn scoring(w: &Words, point: &hinomi_share::Point) -> Scoring {
    let reason = |(code, ratio): &(hinomi_model::cnc::Code, f64)| Reason {
        label: cnc::short(catalogue(w), *code),
        against: *ratio < 0.0,
    };
    Scoring {
        time: moment::minute(point.time),
        confidence: percent(point.confidence),
        reasons: point.reasons.iter().map(reason).collect(),
    }
}

fn view(w: &Words, finding: &Finding) -> FindingView {
    let waterfall = waterfall::draw(finding);
    let label = |name: &str| {
        let group = hinomi_model::cnc::Group::ALL.into_iter().find(|group| group.name() == name);
        group.map_or_else(|| w.say(&format!("flow-step-{name}")), |group| cnc::group(catalogue(w), group))
    };
    let refuted_by = finding.refuted_by.iter().map(|what| cnc::refutation(catalogue(w), *what));
    FindingView {
        scored: moment::minute(finding.time),
        step_labels: waterfall.steps.iter().map(|step| label(step.name)).collect(),
        waterfall,
        waterfall_width: waterfall::WIDTH,
        reasons: finding.reasons.iter().map(|reason| sentence(w, reason)).collect(),
        against: finding.counter_evidence.iter().map(|reason| sentence(w, reason)).collect(),
        refuted_by: refuted_by.collect(),
        base: w.count("flow-base", one_in(finding.base_rate)),
        clients: w.count("flow-clients", finding.clients) + &w.count("flow-epochs", u64::from(finding.epochs)),
        seen: seen(w, &finding.visibility),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and a cast saturates")]
fn one_in(rate: f64) -> u64 {
    (1.0 / rate.clamp(1e-12, 1.0)).round() as u64
}

fn sentence(w: &Words, reason: &Evidence) -> Sentence {
    Sentence {
        group: reason.code.family().group().name(),
        weight: format!("{:+.2}", reason.log_likelihood_ratio).replace('-', "−"),
        text: cnc::sentence(catalogue(w), reason),
    }
}

/// What loss and sampling did, in sentences.
fn seen(w: &Words, visibility: &Visibility) -> Vec<String> {
    let mut told = Vec::new();
    told.push(match visibility.sampling {
        0 | 1 => w.say("flow-unsampled"),
        one_of => w.count("flow-sampled", u64::from(one_of)),
    });
    if visibility.sampling_unknown {
        told.push(w.say("flow-sampling-unknown"));
    }
    if visibility.loss > 0.0 {
        told.push(w.with("flow-lost", percent(visibility.loss)));
    } else {
        told.push(w.say("flow-nothing-lost"));
    }
    if visibility.sampling > 1 || visibility.loss > 0.0 {
        told.push(w.with("flow-if-all-seen", percent(visibility.confidence_if_all_seen)));
    }
    told
}
