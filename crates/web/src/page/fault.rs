//! When something is not as asked: one [`Fault`], shown as a page to people and as RFC 9457 to programs.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use hinomi_share::{QueryError, ReadError};

use super::{Frame, render};
use crate::api::problem;
use crate::app::App;
use crate::auth::admit::is_for_programs;
use crate::language::Language;
use crate::limits::RETRY_AFTER_S;
use crate::read::DeskError;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// What went wrong, under a stable code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    /// One of [`problem::CODES`].
    pub(crate) code: &'static str,
    /// What exactly, in the words of who noticed; may quote the request.
    pub(crate) detail: Option<String>,
    /// The same in Japanese, where there is such a text.
    pub(crate) detail_ja: Option<String>,
    /// Where in the query, in characters, and how many.
    pub(crate) span: Option<(usize, usize)>,
    /// What was likely meant there.
    pub(crate) instead: Option<String>,
}

impl Fault {
    pub(crate) const fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, detail: None, detail_ja: None, span: None, instead: None }
    }

    pub(crate) fn because(mut self, detail: &dyn std::fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// What exactly, in the visitor's language where there is such a text.
    pub(crate) fn in_words_of(&self, words: &Words) -> Option<String> {
        let japanese = self.detail_ja.as_ref().filter(|_| words.language() == Language::Japanese);
        japanese.or(self.detail.as_ref()).cloned()
    }

    fn query(error: &QueryError) -> Self {
        let mut fault = Self::new(StatusCode::BAD_REQUEST, "query").because(&error.message);
        fault.detail_ja = Some(error.message_ja.clone()).filter(|text| !text.is_empty());
        fault.span = Some((error.at, error.len));
        fault.instead.clone_from(&error.instead);
        fault
    }
}

impl From<DeskError> for Fault {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy"),
            DeskError::Read(ReadError::Query(query)) => Self::query(&query),
            DeskError::Read(ReadError::Asked(asked)) => Self::new(StatusCode::BAD_REQUEST, "parameter").because(&asked),
            DeskError::Read(ReadError::Unwitnessed(reason)) => {
                tracing::error!(reason, "a look at findings could not be written down");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unwitnessed")
            }
            DeskError::Read(ReadError::Forgotten(why)) => Self::new(StatusCode::GONE, "forgotten").because(&why),
            DeskError::Read(ReadError::Unfit(why)) => Self::new(StatusCode::BAD_REQUEST, "watch").because(&why),
            DeskError::Read(ReadError::Refused(why)) => Self::new(StatusCode::FORBIDDEN, "not-entitled").because(&why),
            DeskError::Read(ReadError::Cursor) => Self::new(StatusCode::BAD_REQUEST, "cursor"),
            other => {
                tracing::error!(error = %other, "the lake could not be read");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }
}

#[derive(Template)]
#[template(path = "fault.html")]
struct FaultPage {
    frame: Frame,
    status: u16,
    title: String,
    detail: Option<Seen>,
}

/// The answer to a request that went wrong: a problem under `/api/`, else a page.
pub(crate) fn answer(app: &App, uri: &Uri, headers: &HeaderMap, fault: &Fault) -> Response {
    if uri.path().starts_with(crate::taxii::BASE) {
        return crate::taxii::fault(fault);
    }
    if uri.path().starts_with(crate::misp::BASE) {
        return crate::misp::fault(fault);
    }
    if uri.path().starts_with(crate::shodan::BASE) {
        return crate::shodan::fault(fault);
    }
    if is_for_programs(uri.path()) {
        return problem::respond(fault);
    }
    page(&Visit::new(app, uri, headers), fault)
}

/// The page for a fault.
pub(crate) fn page(visit: &Visit, fault: &Fault) -> Response {
    let title = visit.words.say(&format!("problem-{}", fault.code));
    let page = FaultPage {
        frame: Frame::new(visit, &title, ""),
        status: fault.status.as_u16(),
        title,
        detail: fault.detail.as_deref().map(Seen::line),
    };
    let mut response = render(visit, fault.status, &page);
    add_retry(&mut response, fault.status);
    response
}

/// Tells a client that came at a bad moment when to come again.
pub(crate) fn add_retry(response: &mut Response, status: StatusCode) {
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
    }
}

/// For paths that lead nowhere.
pub(crate) async fn not_found(State(app): State<App>, request: Request) -> Response {
    let fault = Fault::new(StatusCode::NOT_FOUND, "not-found");
    answer(&app, request.uri(), request.headers(), &fault)
}

/// For methods other than GET and HEAD. The router adds `Allow`.
pub(crate) async fn wrong_method(State(app): State<App>, request: Request) -> Response {
    let fault = Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method");
    answer(&app, request.uri(), request.headers(), &fault)
}
