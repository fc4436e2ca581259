//! Every match of a query as a file, streamed.
//!
//! The lake writes into a pipe of bounded length on a thread of its own. If it fails before the first piece, the answer is
//! a problem; later, the transfer breaks off, so that nobody takes half a file for a whole one.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hinomi_share::{Format, ReadError};
use http_body::Frame;
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::problem;
use super::records::{bounded, malformed, parameters};
use crate::app::App;
use crate::limits::{EXPORT_PIECE_BYTES, EXPORT_PIECES_WAITING};
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
const FORMATS: [(&str, Format, &str); 3] = [
    ("csv", Format::Csv, "text/csv; charset=utf-8"),
    ("jsonl", Format::Jsonl, "application/jsonl"),
    ("parquet", Format::Parquet, "application/vnd.apache.parquet"),
];

/// A piece of a body, or why it breaks off.
pub(crate) type Piece = Result<Bytes, ReadError>;

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
    let (name, format, media_type) = known.ok_or_else(|| malformed("format: csv, jsonl or parquet"))?;
    let (reader, seat) = desk.export().await?;
    let (pieces, mut waiting) = channel(EXPORT_PIECES_WAITING);
    let now = app.now();
    tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe { pieces: pieces.clone(), buffer: Vec::with_capacity(EXPORT_PIECE_BYTES) };
        let ended = reader.export(&asked.q, format, now, &mut pipe);
        let ended = ended.and_then(|_| pipe.flush().map_err(|error| ReadError::Failed(error.to_string())));
        if let Err(error) = ended {
            // When the client has gone there is nobody left to tell.
            let _ = pieces.blocking_send(Err(error));
        }
        drop(seat);
    });
    let first = match waiting.recv().await {
        Some(Err(error)) => return Err(DeskError::Read(error).into()),
        Some(Ok(first)) => Some(first),
        None => None,
    };
    let headers = [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"hinomi.{name}\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::OK, headers, Body::new(Pieces::new(first, waiting))).into_response())
}

/// The writing end: gathers what the lake writes into pieces. Blocks while the client is slow.
struct Pipe {
    pieces: Sender<Piece>,
    buffer: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= EXPORT_PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.buffer);
        let sent = self.pieces.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client went away"))
    }
}

/// The reading end, as a body.
pub(crate) struct Pieces {
    first: Option<Bytes>,
    waiting: Receiver<Piece>,
}

impl Pieces {
    /// What is there already, and what comes.
    pub(crate) const fn new(first: Option<Bytes>, waiting: Receiver<Piece>) -> Self {
        Self { first, waiting }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = ReadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let piece = ready!(self.waiting.poll_recv(context));
        if let Some(Err(error)) = &piece {
            tracing::error!(%error, "an export broke off");
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}
