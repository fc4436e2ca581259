//! The API under `/api/v1/`. `openapi.json` describes it; a test holds the real answers against that.

mod changes;
mod entitlement;
mod evidence;
pub(crate) mod export;
mod flow;
mod ledger;
mod notices;
mod objects;
pub(crate) mod organisation;
pub(crate) mod outflow;
mod past;
pub(crate) mod problem;
mod records;
mod rollup;
mod watch;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde::Serialize;

use crate::app::App;

/// Where the API begins.
pub const BASE: &str = "/api/v1";

/// Every path below [`BASE`], as the description writes them.
pub const PATHS: [&str; 29] = [
    "/search",
    "/plan",
    "/as-of",
    "/diff",
    "/changes",
    "/hosts/{address}",
    "/hosts/{address}/presence",
    "/evidence/{hash}",
    "/surveys",
    "/status",
    "/export",
    "/flow/findings",
    "/flow/findings/{endpoint}",
    "/flow/status",
    "/rollups",
    "/watches",
    "/watches/events",
    "/objects",
    "/organisation/watches",
    "/organisation/watches/ranges",
    "/organisation/channels",
    "/organisation/channels/confirm",
    "/organisation/channels/feed",
    "/openapi.json",
    "/notices",
    "/notices/{notice}",
    "/entitlement",
    "/hosts/{address}/why",
    "/ledger",
];

/// The description.
pub const DESCRIPTION: &str = include_str!("../openapi.json");

pub(crate) fn routes() -> Router<App> {
    let handlers: [MethodRouter<App>; PATHS.len()] = [
        get(records::search),
        get(records::plan),
        get(past::as_of),
        get(past::diff),
        get(changes::show),
        get(records::host),
        get(past::presence),
        get(evidence::show),
        get(records::surveys),
        get(records::status),
        get(export::stream),
        get(flow::findings),
        get(flow::finding),
        get(flow::status),
        get(rollup::show),
        get(watch::list).post(watch::add).delete(watch::remove),
        get(watch::events),
        get(objects::show),
        get(organisation::watches).post(organisation::add_watch).delete(organisation::remove_watch),
        post(organisation::watch_ranges),
        get(organisation::channels).post(organisation::add_channel).delete(organisation::remove_channel),
        post(organisation::confirm),
        get(organisation::feed),
        get(describe),
        get(notices::list),
        get(notices::show),
        get(entitlement::show),
        get(entitlement::why),
        get(ledger::show),
    ];
    let routes = PATHS.into_iter().zip(handlers);
    routes.fold(Router::new(), |router, (path, handler)| router.route(&format!("{BASE}{path}"), handler))
}

async fn describe() -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], DESCRIPTION).into_response()
}

/// A record as JSON. Not for disk caches.
fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
