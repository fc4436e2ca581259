//! Style sheet, script and logo, built into the program.
//!
//! Pages link to them with a short hash of their content, so they may be kept for ever; without it they are asked for
//! again each time and answered with 304 when unchanged.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hinomi_model::ContentHash;

use crate::app::App;
use crate::page::fault::{Fault, answer};

struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const ASSETS: &[Asset] = &[
    Asset { name: "style.css", media_type: "text/css; charset=utf-8", bytes: include_bytes!("../assets/style.css") },
    Asset {
        name: "hinomi.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/hinomi.js"),
    },
    Asset {
        name: "passkey.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/passkey.js"),
    },
    Asset { name: "logo.svg", media_type: "image/svg+xml", bytes: include_bytes!("../assets/logo.svg") },
];

impl Asset {
    fn version(&self) -> String {
        ContentHash::of(self.bytes).to_string().chars().take(12).collect()
    }
}

/// The address of an asset, with its version.
pub fn address(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or_else(String::new, |asset| format!("/assets/{name}?v={}", asset.version()))
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/assets/{name}", get(serve)).route("/favicon.ico", get(favicon))
}

/// An asset for servers that have no pages of faults.
pub(crate) fn give(name: &str, headers: &HeaderMap, uri: &Uri) -> Response {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or(StatusCode::NOT_FOUND.into_response(), |asset| deliver(asset, headers, uri))
}

async fn favicon(headers: HeaderMap, uri: Uri) -> Response {
    ASSETS
        .iter()
        .find(|asset| asset.name == "logo.svg")
        .map_or(StatusCode::NOT_FOUND.into_response(), |asset| deliver(asset, &headers, &uri))
}

async fn serve(State(app): State<App>, Path(name): Path<String>, headers: HeaderMap, uri: Uri) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => deliver(asset, &headers, &uri),
        None => answer(&app, &uri, &headers, &Fault::new(StatusCode::NOT_FOUND, "not-found")),
    }
}

fn deliver(asset: &Asset, headers: &HeaderMap, uri: &Uri) -> Response {
    let tag = format!("\"{}\"", asset.version());
    let pinned = uri.query() == Some(&format!("v={}", asset.version()));
    let keep = if pinned { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|each| each.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag), (CACHE_CONTROL, keep.to_owned())]).into_response();
    }
    let described = [(CONTENT_TYPE, asset.media_type.to_owned()), (ETAG, tag), (CACHE_CONTROL, keep.to_owned())];
    (described, asset.bytes).into_response()
}
