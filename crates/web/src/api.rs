//! The API under `/api/v1/`. `openapi.json` describes it; a test holds the real answers against that.

mod evidence;
mod export;
mod flow;
pub(crate) mod problem;
mod records;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use serde::Serialize;

use crate::app::App;

/// Where the API begins.
pub const BASE: &str = "/api/v1";

/// Every path below [`BASE`], as the description writes them.
pub const PATHS: [&str; 10] = [
    "/search",
    "/hosts/{address}",
    "/evidence/{hash}",
    "/surveys",
    "/status",
    "/export",
    "/flow/findings",
    "/flow/findings/{endpoint}",
    "/flow/status",
    "/openapi.json",
];

/// The description.
pub const DESCRIPTION: &str = include_str!("../openapi.json");

pub(crate) fn routes() -> Router<App> {
    let handlers: [MethodRouter<App>; PATHS.len()] = [
        get(records::search),
        get(records::host),
        get(evidence::show),
        get(records::surveys),
        get(records::status),
        get(export::stream),
        get(flow::findings),
        get(flow::finding),
        get(flow::status),
        get(describe),
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
