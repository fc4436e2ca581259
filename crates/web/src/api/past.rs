//! The past as JSON: services as they stood, what became different, when a host's services were there.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_share::{DiffRequest, MAX_LIMIT, PastRequest, ReadError, read_known, read_side};
use serde::Deserialize;

use super::records::{bounded, malformed, parameters};
use super::{json, problem};
use crate::app::App;
use crate::limits::DEFAULT_LIMIT;
use crate::page::fault::Fault;
use crate::page::host::address_of;
use crate::read::{Desk, DeskError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AsOf {
    #[serde(default)]
    q: String,
    at: String,
    known: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /as-of`
pub(super) async fn as_of(desk: Desk, query: Result<Query<AsOf>, QueryRejection>) -> Response {
    let request = match parameters(query).and_then(past) {
        Ok(request) => request,
        Err(fault) => return problem::respond(&fault),
    };
    match desk.ask_past(move |reader| reader.as_of(&request)).await {
        Ok(page) => json(&page),
        Err(error) => problem::respond(&fault(error)),
    }
}

fn past(asked: AsOf) -> Result<PastRequest, Fault> {
    bounded(&asked.q)?;
    let known = asked.known.as_deref().map(read_known).transpose().map_err(|error| named("known", &error))?;
    let mut request = PastRequest::new(asked.q, moment("at", &asked.at)?);
    (request.known, request.cursor) = (known, asked.cursor);
    request.limit = at_least_one(asked.limit)?;
    Ok(request)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Diff {
    #[serde(default)]
    q: String,
    from: String,
    to: String,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /diff`
pub(super) async fn diff(State(app): State<App>, desk: Desk, query: Result<Query<Diff>, QueryRejection>) -> Response {
    let now = app.now();
    let request = match parameters(query).and_then(|asked| comparison(asked, now)) {
        Ok(request) => request,
        Err(fault) => return problem::respond(&fault),
    };
    match desk.ask_past(move |reader| reader.diff(&request)).await {
        Ok(page) => json(&page),
        Err(error) => problem::respond(&fault(error)),
    }
}

fn comparison(asked: Diff, now: Timestamp) -> Result<DiffRequest, Fault> {
    bounded(&asked.q)?;
    let side = |name, text: &str| read_side(text).map_err(|error| named(name, &error));
    let (from, to) = (side("from", &asked.from)?, side("to", &asked.to)?);
    let limit = at_least_one(asked.limit)?;
    Ok(DiffRequest { query: asked.q, from, to, now, limit, cursor: asked.cursor, within: None })
}

/// `GET /hosts/{address}/presence`
pub(super) async fn presence(
    State(app): State<App>,
    desk: Desk,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let address = match address_of(path) {
        Ok(address) => address,
        Err(fault) => return problem::respond(&fault),
    };
    let now = app.now();
    match desk.ask(move |reader| reader.presence(address, now)).await {
        Ok(Some(host)) => json(&host),
        Ok(None) => problem::respond(&Fault::new(StatusCode::NOT_FOUND, "host-not-seen").because(&address)),
        Err(error) => problem::respond(&error.into()),
    }
}

/// What the lake cannot do for a reason of the asker's is about parameters here.
pub(super) fn fault(error: DeskError) -> Fault {
    match error {
        DeskError::Read(ReadError::Unfit(why)) => malformed(&why),
        other => other.into(),
    }
}

/// How many of a page: a page of none has no last one to go on behind.
pub(super) fn at_least_one(limit: Option<usize>) -> Result<usize, Fault> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        0 => Err(malformed(&format!("limit 0: one answer holds 1 to {MAX_LIMIT}; go on with its `next`"))),
        limit => Ok(limit),
    }
}

/// Reads a moment of a parameter.
pub(super) fn moment(name: &str, text: &str) -> Result<Timestamp, Fault> {
    text.parse().map_err(|error: hinomi_model::time::NotATime| named(name, &error))
}

fn named(name: &str, error: &dyn std::fmt::Display) -> Fault {
    malformed(&format!("{name}: {error}"))
}
