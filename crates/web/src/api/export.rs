//! Every match of a query as a file, streamed.
//!
//! The lake writes into an [`Outflow`] of bounded length on a thread of its own. If it fails before the first piece, the
//! answer is a problem; later, the transfer breaks off, so that nobody takes half a file for a whole one. What left, and
//! whether that was all, is an entry of the ledger before the body ends.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hinomi_share::{Format, ReadError, Reader};
use serde::Deserialize;
use tokio::sync::mpsc::channel;

use super::outflow::{Outflow, Patience, Pieces, Taken, Unended};
use super::problem;
use super::records::{bounded, malformed, parameters};
use crate::app::App;
use crate::limits::EXPORT_PIECES_WAITING;
use crate::page::fault::Fault;
use crate::read::{Desk, DeskError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(default)]
    q: String,
    format: Option<String>,
}

/// What can be asked for: name, the lake's word for it, media type.
const FORMATS: [(&str, Format, &str); 4] = [
    ("csv", Format::Csv, "text/csv; charset=utf-8"),
    ("jsonl", Format::Jsonl, "application/jsonl"),
    ("parquet", Format::Parquet, "application/vnd.apache.parquet"),
    ("cyclonedx", Format::CycloneDx, "application/vnd.cyclonedx+json; version=1.6"),
];

/// `GET /export`
pub(super) async fn stream(
    State(app): State<App>,
    desk: Desk,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    match start(&app, &desk, query).await {
        Ok(response) => response,
        Err(fault) => problem::respond(&fault),
    }
}

async fn start(app: &App, desk: &Desk, query: Result<Query<Parameters>, QueryRejection>) -> Result<Response, Fault> {
    let asked = parameters(query)?;
    bounded(&asked.q)?;
    let name = asked.format.as_deref().unwrap_or("jsonl");
    let known = FORMATS.into_iter().find(|(each, ..)| *each == name);
    let (name, format, media_type) = known.ok_or_else(|| malformed("format: csv, jsonl, parquet or cyclonedx"))?;
    let now = app.now();
    let write =
        move |reader: &Reader, outflow: &mut Outflow| reader.export_to(&asked.q, format, now, outflow).map(drop);
    let body = pour(desk, format, write).await?;
    // The name that tools of CycloneDX recognise.
    let ending = if format == Format::CycloneDx { "cdx.json" } else { name };
    let headers = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"hinomi.{ending}\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::OK, headers, body).into_response())
}

/// A body of what is written, while it is written. What fails before the first piece is told; later it breaks off.
pub(crate) async fn pour<W>(desk: &Desk, format: Format, write: W) -> Result<Body, DeskError>
where
    W: FnOnce(&Reader, &mut Outflow) -> Result<(), ReadError> + Send + 'static,
{
    let (reader, seat) = desk.export().await?;
    let (pieces, mut waiting) = channel(EXPORT_PIECES_WAITING);
    let (taken, broken) = (Arc::<Taken>::default(), pieces.clone());
    let counted = Arc::clone(&taken);
    let mut outflow = Outflow::new((pieces, Arc::clone(&taken)), format, (desk.holds(), Patience::default()));
    tokio::task::spawn_blocking(move || {
        // Where there is no room to tell why, or the thread panics, the body breaks off all the same.
        let unended = Unended::of(&counted);
        let told = match write(&reader, &mut outflow) {
            Ok(()) => true,
            Err(error) => broken.try_send(Err(error)).is_ok(),
        };
        if told {
            unended.ends();
        }
        drop(seat);
    });
    let first = match waiting.recv().await {
        Some(Err(error)) => return Err(DeskError::Read(error)),
        Some(Ok(first)) => Some(first),
        None if taken.broke_off() => return Err(DeskError::Interrupted),
        None => None,
    };
    Ok(Body::new(Pieces::counted(first, waiting, taken)))
}
