//! What this is, and how programs talk to it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Frame, render};
use crate::api::{self, problem};
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "about.html")]
struct AboutPage {
    frame: Frame,
    version: &'static str,
    /// Paths of the API.
    paths: Vec<String>,
    /// Codes of problems and what they mean; each is the anchor that a problem's `type` points to.
    problems: Vec<(&'static str, String)>,
}

pub(super) async fn show(visit: Visit) -> Response {
    let words = &visit.words;
    let meaning = |code: &&'static str| (*code, words.say(&format!("problem-{code}")));
    let page = AboutPage {
        frame: Frame::new(&visit, &words.say("about-title"), "about"),
        version: env!("CARGO_PKG_VERSION"),
        paths: api::PATHS.iter().map(|path| format!("{}{path}", api::BASE)).collect(),
        problems: problem::CODES.iter().map(meaning).collect(),
    };
    render(&visit, StatusCode::OK, &page)
}
