//! Saved queries and their events as JSON. What changes them takes its parameters from the address, as everything here.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_share::{NewWatch, Saved};
use serde::{Deserialize, Serialize};

use super::records::{bounded, malformed, parameters};
use super::{json, problem};
use crate::app::App;
use crate::limits::{DEFAULT_EVENTS, MAX_EVENTS};
use crate::page::fault::Fault;
use crate::read::Desk;

#[derive(Serialize)]
struct List {
    watches: Vec<Saved>,
}

/// `GET /watches`
pub(super) async fn list(desk: Desk) -> Response {
    match desk.ask(|reader| reader.watches().queries()).await {
        Ok(watches) => json(&List { watches }),
        Err(error) => problem::respond(&error.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    query: String,
    owner: String,
}

/// `POST /watches`
pub(super) async fn add(State(app): State<App>, desk: Desk, query: Result<Query<New>, QueryRejection>) -> Response {
    let new = match parameters(query).and_then(|new| bounded(&new.query).map(|()| new)) {
        Ok(New { name, query, owner }) => NewWatch { name, query, owner, within: None },
        Err(fault) => return problem::respond(&fault),
    };
    let now = app.now();
    match desk.ask(move |reader| reader.watches().add(&new, now)).await {
        Ok(saved) => json(&saved),
        Err(error) => problem::respond(&error.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    name: String,
}

#[derive(Serialize)]
struct Removed {
    removed: bool,
}

/// `DELETE /watches`
pub(super) async fn remove(desk: Desk, query: Result<Query<Named>, QueryRejection>) -> Response {
    let name = match parameters(query) {
        Ok(Named { name }) => name,
        Err(fault) => return problem::respond(&fault),
    };
    match desk.ask(move |reader| reader.watches().remove(&name)).await {
        Ok(true) => json(&Removed { removed: true }),
        Ok(false) => problem::respond(&Fault::new(StatusCode::NOT_FOUND, "watch-not-saved")),
        Err(error) => problem::respond(&error.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventParameters {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    watch: Option<u64>,
}

/// `GET /watches/events`
pub(super) async fn events(desk: Desk, query: Result<Query<EventParameters>, QueryRejection>) -> Response {
    let EventParameters { after, limit, watch } = match parameters(query) {
        Ok(asked) => asked,
        Err(fault) => return problem::respond(&fault),
    };
    let limit = limit.unwrap_or(DEFAULT_EVENTS);
    if !(1..=MAX_EVENTS).contains(&limit) {
        let detail = format!("limit {limit}: one answer holds 1 to {MAX_EVENTS} events; go on after its `next`");
        return problem::respond(&malformed(&detail));
    }
    match desk.ask(move |reader| reader.watches().events(after, limit, watch)).await {
        Ok(events) => json(&events),
        Err(error) => problem::respond(&error.into()),
    }
}
