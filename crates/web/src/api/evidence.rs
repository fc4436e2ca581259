//! One piece of evidence as JSON, or its very bytes.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hinomi_model::{ContentHash, EvidenceKind, Timestamp};
use hinomi_share::StoredEvidence;
use serde::{Deserialize, Serialize};

use super::records::parameters;
use super::{json, problem};
use crate::page::evidence::find;
use crate::read::Desk;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    /// Present, with any value: the bytes themselves.
    raw: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    hash: ContentHash,
    kind: EvidenceKind,
    size: usize,
    truncated: bool,
    first_seen: Timestamp,
    /// The bytes as UTF-8, what is not replaced.
    text: &'a str,
    /// The bytes, exactly.
    hex: String,
}

/// `GET /evidence/{hash}`
pub(super) async fn show(
    desk: Desk,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let asked = match parameters(query) {
        Ok(asked) => asked,
        Err(fault) => return problem::respond(&fault),
    };
    match find(&desk, path).await {
        Ok((hash, evidence)) if asked.raw.is_some() => raw(&hash, evidence),
        Ok((hash, evidence)) => describe(hash, &evidence),
        Err(fault) => problem::respond(&fault),
    }
}

fn describe(hash: ContentHash, evidence: &StoredEvidence) -> Response {
    let hex: String = evidence.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    json(&Answer {
        hash,
        kind: evidence.kind,
        size: evidence.bytes.len(),
        truncated: evidence.truncated,
        first_seen: evidence.first_seen,
        text: &String::from_utf8_lossy(&evidence.bytes),
        hex,
    })
}

/// The bytes as a file to keep, of no type that a browser would show: they come from a stranger.
fn raw(hash: &ContentHash, evidence: StoredEvidence) -> Response {
    let short: String = hash.to_string().chars().take(16).collect();
    let name = format!("attachment; filename=\"hinomi-{}-{short}.bin\"", evidence.kind);
    let headers = [
        (CONTENT_TYPE, "application/octet-stream".to_owned()),
        (CONTENT_DISPOSITION, name),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, evidence.bytes).into_response()
}
