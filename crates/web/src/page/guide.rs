//! How to begin: a look around, then a network of one's own, and what a survey does to it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Frame, render};
use crate::link;
use crate::visit::Visit;

/// What to look at first: a query and the key of what it shows.
const TOUR: &[(&str, &str)] = &[
    ("kind:camera,recorder", "guide-tour-cameras"),
    ("tag:telnet-open OR tag:anonymous", "guide-tour-open"),
    ("cert.expires:<30d", "guide-tour-certificates"),
    ("first:<1d", "guide-tour-new"),
];

/// The way to a survey of one's own: the key of what a step is for, and its command.
const STEPS: &[(&str, &str)] = &[
    (
        "guide-step-new",
        "hinomi scope new --name office --range 192.0.2.0/24 \\\n    --organisation \"Example Ltd\" --person \"N. N.\" \
         \\\n    --email noc@example.org --out office.toml",
    ),
    ("guide-step-key", "hinomi scope key signer.key"),
    ("guide-step-sign", "hinomi scope sign office.toml --key signer.key"),
    ("guide-step-trust", "hinomi scope trust PUBLIC-KEY --name \"N. N.\" --state office"),
    ("guide-step-check", "hinomi scope verify office.toml --state office"),
    ("guide-step-survey", "hinomi survey --scope office.toml --state office"),
    ("guide-step-look", "hinomi serve --state office"),
];

/// What those ask who answer for the devices: a key each, the answer under the same key with `-how`.
pub(crate) const QUESTIONS: &[&str] =
    &["guide-gentle", "guide-exclude", "guide-hours", "guide-opt-out", "guide-sent", "guide-kept"];

#[derive(Template)]
#[template(path = "guide.html")]
struct GuidePage {
    frame: Frame,
    tour: Vec<Stop>,
    steps: Vec<(String, &'static str)>,
    questions: Vec<(String, String)>,
}

/// One thing to look at.
struct Stop {
    query: &'static str,
    href: String,
    shows: String,
}

pub(super) async fn show(visit: Visit) -> Response {
    let words = &visit.words;
    let stop = |(query, key): &(&'static str, &str)| Stop { query, href: link::search(query), shows: words.say(key) };
    let page = GuidePage {
        frame: Frame::new(&visit, &words.say("guide-title"), "guide"),
        tour: TOUR.iter().map(stop).collect(),
        steps: STEPS.iter().map(|(key, command)| (words.say(key), *command)).collect(),
        questions: QUESTIONS.iter().map(|key| (words.say(key), words.say(&format!("{key}-how")))).collect(),
    };
    render(&visit, StatusCode::OK, &page)
}
