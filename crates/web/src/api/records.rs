//! Search, hosts, surveys and status as JSON.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_share::rulebook::Standing;
use hinomi_share::{CompactionStatus, SampleRequest, SearchRequest, read_facets, read_histograms};
use serde::{Deserialize, Serialize};

use super::{json, problem};
use crate::app::App;
use crate::limits::{DEFAULT_FACET_VALUES, DEFAULT_LIMIT, MAX_QUERY_BYTES, SEARCH_BUDGET};
use crate::page::fault::Fault;
use crate::page::host::address_of;
use crate::read::Desk;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchParameters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    facets: String,
    distinct: Option<String>,
    #[serde(default)]
    histograms: String,
    sample: Option<u64>,
    seed: Option<u64>,
    budget: Option<u64>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A parameter that is not as it should be.
pub(super) fn malformed(detail: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&detail)
}

/// Reads parameters; unknown ones are refused, so that a slip of the pen is not silently something else.
pub(super) fn parameters<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Fault> {
    query.map(|Query(parameters)| parameters).map_err(|error| malformed(&error.body_text()))
}

/// Refuses a query beyond the bound.
pub(super) fn bounded(query: &str) -> Result<(), Fault> {
    if query.len() > MAX_QUERY_BYTES {
        let detail = format!("a query may have {MAX_QUERY_BYTES} bytes; this one has {}", query.len());
        return Err(Fault::new(StatusCode::BAD_REQUEST, "query-too-long").because(&detail));
    }
    Ok(())
}

fn request(app: &App, asked: SearchParameters) -> Result<SearchRequest, Fault> {
    bounded(&asked.q)?;
    Ok(SearchRequest {
        query: asked.q,
        facets: read_facets(&asked.facets, DEFAULT_FACET_VALUES).map_err(|error| malformed(&error.to_string()))?,
        distinct: asked.distinct,
        histograms: read_histograms(&asked.histograms).map_err(|error| malformed(&error.to_string()))?,
        sample: asked.sample.map(|size| SampleRequest { size, seed: asked.seed.unwrap_or(0) }),
        budget: Some(asked.budget.unwrap_or(SEARCH_BUDGET).min(SEARCH_BUDGET)),
        limit: asked.limit.unwrap_or(DEFAULT_LIMIT),
        cursor: asked.cursor,
        now: app.now(),
        ..SearchRequest::default()
    })
}

/// `GET /search`
pub(super) async fn search(
    State(app): State<App>,
    desk: Desk,
    query: Result<Query<SearchParameters>, QueryRejection>,
) -> Response {
    let request = match parameters(query).and_then(|asked| request(&app, asked)) {
        Ok(request) => request,
        Err(fault) => return problem::respond(&fault),
    };
    match desk.ask(move |reader| reader.search(&request)).await {
        Ok(page) => json(&page),
        Err(error) => problem::respond(&error.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanParameters {
    #[serde(default)]
    q: String,
}

/// `GET /plan`
pub(super) async fn plan(desk: Desk, query: Result<Query<PlanParameters>, QueryRejection>) -> Response {
    let asked = match parameters(query).and_then(|asked| bounded(&asked.q).map(|()| asked)) {
        Ok(asked) => asked,
        Err(fault) => return problem::respond(&fault),
    };
    match desk.ask(move |reader| reader.explain(&asked.q)).await {
        Ok(plan) => json(&plan),
        Err(error) => problem::respond(&error.into()),
    }
}

/// `GET /hosts/{address}`
pub(super) async fn host(desk: Desk, path: Result<Path<String>, PathRejection>) -> Response {
    let address = match address_of(path) {
        Ok(address) => address,
        Err(fault) => return problem::respond(&fault),
    };
    match desk.ask(move |reader| reader.host(address)).await {
        Ok(Some(host)) if !host.history.is_empty() || !host.services.is_empty() => json(&host),
        Ok(_) => problem::respond(&Fault::new(StatusCode::NOT_FOUND, "host-not-seen").because(&address)),
        Err(error) => problem::respond(&error.into()),
    }
}

/// `GET /surveys`
pub(super) async fn surveys(State(app): State<App>, desk: Desk) -> Response {
    match app.surveys(&desk).await {
        Ok(surveys) => json(&surveys),
        Err(error) => problem::respond(&error.into()),
    }
}

#[derive(Serialize)]
struct StatusAnswer {
    version: &'static str,
    services: u64,
    sightings: u64,
    evidence: u64,
    bytes: u64,
    behind: u64,
    rules: String,
    compaction: CompactionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<Standing>,
}

/// `GET /status`
pub(super) async fn status(State(app): State<App>, desk: Desk) -> Response {
    let policies = app.door.rules().filter(|_| desk.viewer().sees_all());
    match desk.ask(|reader| reader.status()).await {
        Ok(status) => json(&StatusAnswer {
            version: env!("CARGO_PKG_VERSION"),
            services: status.services,
            sightings: status.sightings.rows,
            evidence: status.evidence.rows,
            bytes: [status.sightings, status.evidence, status.facts].iter().map(|table| table.bytes).sum::<u64>()
                + status.index_bytes,
            behind: status.behind,
            rules: status.rules,
            compaction: status.compaction,
            policies,
        }),
        Err(error) => problem::respond(&error.into()),
    }
}
