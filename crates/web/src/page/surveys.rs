//! Every campaign: how those that run are doing, and what became of the others.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;

use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::moment;
use crate::read::Desk;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::watch::{SurveyState, SurveyStatus, Surveys};
use crate::words::Words;

/// Reasons of errors that a page lists.
const MAX_ERRORS: usize = 20;

#[derive(Template)]
#[template(path = "surveys.html")]
struct SurveysPage {
    frame: Frame,
    surveys: Vec<SurveyView>,
    running: bool,
    /// Says that the oldest are left out, when they are.
    more: Option<String>,
}

/// A survey in the words of the visitor.
pub(crate) struct SurveyView {
    pub(crate) campaign: Seen,
    pub(crate) scope_name: Seen,
    pub(crate) authority: Seen,
    pub(crate) contact: Seen,
    /// `running`, `stopped` or `finished`: a class of the style sheet.
    pub(crate) state: &'static str,
    pub(crate) state_label: String,
    pub(crate) percent: u64,
    pub(crate) targets: u64,
    pub(crate) done: u64,
    pub(crate) progress: String,
    pub(crate) open: String,
    pub(crate) refused: String,
    pub(crate) rate: String,
    pub(crate) started: String,
    pub(crate) updated: String,
    pub(crate) remaining: Option<String>,
    pub(crate) note: Option<Seen>,
    pub(crate) errors: Vec<(Seen, String)>,
}

impl SurveyView {
    pub(crate) fn new(words: &Words, now: Timestamp, survey: &SurveyStatus) -> Self {
        let progress = format!("{} / {}", moment::grouped(survey.done), moment::grouped(survey.targets));
        let when = |time| format!("{} ({})", moment::minute(time), moment::relative(words, now, time));
        let state = survey.state.name();
        let error = |(reason, count): &(String, u64)| (Seen::word(reason), moment::grouped(*count));
        Self {
            campaign: Seen::word(&survey.campaign),
            scope_name: Seen::word(&survey.scope_name),
            authority: Seen::line(&survey.authority),
            contact: Seen::line(&survey.contact),
            state,
            state_label: words.say(&format!("survey-{state}")),
            percent: moment::percent(survey.done, survey.targets),
            targets: survey.targets.max(1),
            done: survey.done,
            progress,
            open: moment::grouped(survey.open),
            refused: moment::grouped(survey.refused),
            rate: words.with("rate", rate(survey.rate_pps)),
            started: when(survey.started),
            updated: when(survey.updated),
            remaining: survey
                .remaining_s
                .filter(|_| survey.state == SurveyState::Running)
                .map(|left| moment::span(words, left)),
            note: survey.note.as_deref().map(|note| Seen::remark(words, note)),
            errors: survey.errors.iter().take(MAX_ERRORS).map(error).collect(),
        }
    }
}

/// A rate without false precision: one decimal below ten, thousands apart above.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "finite and positive here; a cast saturates"
)]
fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second <= 0.0 {
        return "0".to_owned();
    }
    if per_second < 10.0 { format!("{per_second:.1}") } else { moment::grouped(per_second.round() as u64) }
}

pub(super) async fn show(State(app): State<App>, desk: Desk, visit: Visit) -> Response {
    match app.surveys(&desk).await {
        Ok(surveys) => render(&visit, StatusCode::OK, &compose(&visit, app.now(), &surveys)),
        Err(error) => fault::page(&visit, &Fault::from(error)),
    }
}

fn compose(visit: &Visit, now: Timestamp, surveys: &Surveys) -> SurveysPage {
    let words = &visit.words;
    let left_out = surveys.total.saturating_sub(surveys.surveys.len());
    SurveysPage {
        frame: Frame::new(visit, &words.say("surveys-title"), "surveys"),
        running: surveys.any_running(),
        surveys: surveys.surveys.iter().map(|survey| SurveyView::new(words, now, survey)).collect(),
        more: (left_out > 0).then(|| words.count("surveys-left-out", u64::try_from(left_out).unwrap_or(u64::MAX))),
    }
}
