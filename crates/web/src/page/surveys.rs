//! How surveys are doing.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;

use super::{Frame, render};
use crate::app::App;
use crate::moment;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::watch::SurveyStatus;
use crate::words::Words;

/// Reasons of errors that a page lists.
const MAX_ERRORS: usize = 20;

#[derive(Template)]
#[template(path = "surveys.html")]
struct SurveysPage {
    frame: Frame,
    surveys: Vec<SurveyView>,
    running: bool,
}

/// A survey in the words of the visitor.
pub(crate) struct SurveyView {
    pub(crate) campaign: Seen,
    pub(crate) scope_name: Seen,
    pub(crate) authority: Seen,
    pub(crate) contact: Seen,
    pub(crate) finished: bool,
    pub(crate) percent: u64,
    pub(crate) targets: u64,
    pub(crate) done: u64,
    pub(crate) progress: String,
    pub(crate) open: String,
    pub(crate) refused: String,
    pub(crate) rate: String,
    pub(crate) started: String,
    pub(crate) remaining: Option<String>,
    pub(crate) note: Option<Seen>,
    pub(crate) errors: Vec<(Seen, String)>,
}

impl SurveyView {
    pub(crate) fn new(words: &Words, now: Timestamp, survey: &SurveyStatus) -> Self {
        let progress = format!("{} / {}", moment::grouped(survey.done), moment::grouped(survey.targets));
        let started = format!("{} ({})", moment::minute(survey.started), moment::relative(words, now, survey.started));
        let error = |(reason, count): &(String, u64)| (Seen::word(reason), moment::grouped(*count));
        Self {
            campaign: Seen::word(&survey.campaign),
            scope_name: Seen::word(&survey.scope_name),
            authority: Seen::line(&survey.authority),
            contact: Seen::line(&survey.contact),
            finished: survey.finished,
            percent: moment::percent(survey.done, survey.targets),
            targets: survey.targets.max(1),
            done: survey.done,
            progress,
            open: moment::grouped(survey.open),
            refused: moment::grouped(survey.refused),
            rate: words.with("rate", rate(survey.rate_pps)),
            started,
            remaining: survey.remaining_s.filter(|_| !survey.finished).map(|left| moment::span(words, left)),
            note: survey.note.as_deref().map(Seen::line),
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

pub(super) async fn show(State(app): State<App>, visit: Visit) -> Response {
    let surveys = app.progress.surveys();
    let page = SurveysPage {
        frame: Frame::new(&visit, &visit.words.say("surveys-title"), "surveys"),
        running: surveys.iter().any(|survey| !survey.finished),
        surveys: surveys.iter().map(|survey| SurveyView::new(&visit.words, app.now(), survey)).collect(),
    };
    render(&visit, StatusCode::OK, &page)
}
