//! The part of Shodan's API that its command line and library speak, under `/compat/shodan`.
//!
//! Who sets `SHODAN_API_URL` to it asks this lake in place of theirs: search, count, facets, hosts, alerts (saved queries
//! on a range), streams. There are no credits and no scans to buy: a survey needs a signed scope. Errors are
//! `{"error": …}`. The key travels as `?key=`, which the guard takes and nobody else looks at. Everything is asked through
//! a [`Desk`]: what the caller may not see is in no answer and in no count.

mod alert;
mod banner;
mod lists;
mod query;
mod search;
mod stream;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};

use crate::app::App;
use crate::page::fault::{Fault, add_retry};
use crate::read::{Desk, DeskError};

/// Where it is.
pub(crate) const BASE: &str = "/compat/shodan";
/// Below it some requests have a body: alerts, and scans that are refused.
pub(crate) const BODIES: &str = "/compat/shodan/shodan/";
/// The most parameters of a request.
const MAX_PARAMETERS: usize = 32;

pub(crate) fn routes() -> Router<App> {
    let paths = Router::new()
        .route("/api-info", get(lists::account))
        .route("/account/profile", get(lists::profile))
        .route("/shodan/host/count", get(search::count))
        .route("/shodan/host/search", get(search::search))
        .route("/shodan/host/search/facets", get(lists::facets))
        .route("/shodan/host/search/filters", get(lists::filters))
        .route("/shodan/host/search/tokens", get(search::tokens))
        .route("/shodan/host/{addresses}", get(search::hosts))
        .route("/shodan/ports", get(search::ports))
        .route("/shodan/protocols", get(lists::protocols))
        .route("/shodan/services", get(search::services))
        .route("/shodan/alert", post(alert::create).get(stream::every_alert))
        .route("/shodan/alert/info", get(alert::all))
        .route("/shodan/alert/triggers", get(alert::triggers))
        .route("/shodan/alert/{alert}", post(alert::edit).delete(alert::remove).get(stream::one_alert))
        .route("/shodan/alert/{alert}/info", get(alert::one))
        .route("/shodan/alert/{alert}/trigger/{trigger}", put(alert::trigger).delete(alert::trigger))
        .route("/shodan/scan", post(lists::no_scan))
        .route("/shodan/scan/internet", post(lists::no_scan))
        .route("/shodan/scan/{scan}", get(lists::unknown_scan))
        .route("/shodan/scans", get(lists::nothing))
        .route("/shodan/query", get(lists::nothing))
        .route("/shodan/query/search", get(lists::nothing))
        .route("/shodan/query/tags", get(lists::nothing))
        .route("/shodan/data", get(lists::empty))
        .route("/notifier", get(lists::nothing))
        .route("/notifier/provider", get(lists::no_members))
        .route("/dns/domain/{domain}", get(search::domain))
        .route("/tools/myip", get(lists::own_address))
        .route("/labs/honeyscore/{address}", get(search::honeyscore))
        .route("/shodan/banners", get(stream::banners))
        .route("/shodan/{filter}/{values}", get(stream::filtered))
        .route("/shodan/custom", get(stream::custom));
    Router::new().nest(BASE, paths)
}

/// The parameters of a request.
type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// One of them, if it is there.
fn parameter(pairs: &Pairs, name: &str) -> Result<Option<String>, Refusal> {
    let Query(pairs) = pairs.as_ref().map_err(|error| Refusal::bad(&error.body_text()))?;
    if pairs.len() > MAX_PARAMETERS {
        return Err(Refusal::bad(&format!("{MAX_PARAMETERS} parameters are the most")));
    }
    Ok(pairs.iter().find(|(each, _)| each == name).map(|(_, value)| value.clone()))
}

/// Why there is no answer.
#[derive(Clone, Debug)]
struct Refusal {
    status: StatusCode,
    words: String,
}

impl Refusal {
    fn new(status: StatusCode, words: &str) -> Self {
        Self { status, words: words.to_owned() }
    }

    fn bad(words: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, words)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::new(fault.status, fault.detail.as_deref().unwrap_or(fault.code))
    }
}

impl From<DeskError> for Refusal {
    fn from(error: DeskError) -> Self {
        Fault::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, json!({ "error": self.words }).to_string()).into_response();
        add_retry(&mut response, self.status);
        response
    }
}

/// An answer in JSON.
struct Told(Value);

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        (headers, self.0.to_string()).into_response()
    }
}

pub(crate) use search::from_offset;

type Answer = Result<Told, Refusal>;

/// The answer to a request that went wrong before it came here.
pub(crate) fn fault(fault: &Fault) -> Response {
    let words = match fault.status {
        StatusCode::UNAUTHORIZED => fault.detail.as_deref().unwrap_or("this API key is not valid here"),
        _ => fault.detail.as_deref().unwrap_or(fault.code),
    };
    Refusal::new(fault.status, words).into_response()
}
