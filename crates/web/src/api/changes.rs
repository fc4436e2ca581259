//! What happened to services: a page at a time as JSON, or as a stream of events that goes on (Server-Sent Events, HTML
//! standard, section 9.2).
//!
//! A stream tells what becomes known from its beginning on; each event carries an id, and `Last-Event-ID` goes on behind
//! it after a break. It asks the lake anew each time, through the reader: an entitlement that ends, ends the stream.
//! Streams are few ([`MAX_STREAMS`]), hold a few pieces for a slow client ([`EXPORT_PIECES_WAITING`]), and end when it
//! takes none for long ([`STREAM_SEND_TIME`]) and after a while ([`STREAM_LOOKS`]); clients come again by themselves.

use std::fmt::Write;

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use hinomi_share::{ArrivedPage, ArrivedRequest, ChangesRequest};
use serde::Deserialize;
use tokio::sync::mpsc::{Sender, channel};

use super::outflow::{Piece, Pieces};
use super::past::{at_least_one, fault, moment};
use super::records::{bounded, malformed, parameters};
use super::{json, problem};
#[cfg(doc)]
use crate::limits::MAX_STREAMS;
use crate::limits::{
    EXPORT_PIECES_WAITING, STREAM_EVENTS, STREAM_LOOK_EVERY, STREAM_LOOKS, STREAM_QUIET, STREAM_SEND_TIME,
};
use crate::page::fault::Fault;
use crate::read::{Desk, DeskError};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: &str = "text/event-stream";

/// After so many milliseconds a client comes again.
const RETRY_MS: u32 = 2_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(default)]
    q: String,
    from: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /changes`
pub(super) async fn show(desk: Desk, headers: HeaderMap, query: Result<Query<Parameters>, QueryRejection>) -> Response {
    let asked = match parameters(query).and_then(|asked| bounded(&asked.q).map(|()| asked)) {
        Ok(asked) => asked,
        Err(fault) => return problem::respond(&fault),
    };
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let answer = match accepts.flat_map(|value| value.split(',')).any(|one| one.trim().starts_with(EVENT_STREAM)) {
        true => stream(desk, asked, &headers).await,
        false => page(&desk, asked).await,
    };
    answer.unwrap_or_else(|fault| problem::respond(&fault))
}

async fn page(desk: &Desk, asked: Parameters) -> Result<Response, Fault> {
    let request = ChangesRequest {
        from: asked.from.map(|text| moment("from", &text)).transpose()?,
        until: asked.until.map(|text| moment("until", &text)).transpose()?,
        limit: at_least_one(asked.limit)?,
        cursor: asked.cursor,
        ..ChangesRequest::new(asked.q)
    };
    let found = desk.ask_past(move |reader| reader.changes(&request)).await.map_err(fault)?;
    Ok(json(&found))
}

async fn stream(desk: Desk, asked: Parameters, headers: &HeaderMap) -> Result<Response, Fault> {
    if asked.from.is_some() || asked.until.is_some() || asked.limit.is_some() || asked.cursor.is_some() {
        return Err(malformed(
            "a stream takes q alone: it tells what becomes known from now on, or after Last-Event-ID",
        ));
    }
    let seat = desk.stream()?;
    let after = match headers.get(LAST_EVENT_ID) {
        Some(id) => id.to_str().map_err(|_| malformed("Last-Event-ID is not one of this stream"))?.to_owned(),
        None => desk.ask(|reader| reader.arrivals_begin()).await?.1,
    };
    let request = ArrivedRequest { query: asked.q, after, limit: STREAM_EVENTS, within: None };
    let first = ask(&desk, &request).await.map_err(fault)?;
    let (pieces, waiting) = channel(EXPORT_PIECES_WAITING);
    tokio::spawn(async move {
        tell(&desk, request, first, &pieces).await;
        drop(seat);
    });
    let headers = [(CONTENT_TYPE, EVENT_STREAM), (CACHE_CONTROL, "no-store")];
    let begin = Bytes::from(format!("retry: {RETRY_MS}\n\n"));
    Ok((headers, Body::new(Pieces::new(Some(begin), waiting))).into_response())
}

async fn ask(desk: &Desk, request: &ArrivedRequest) -> Result<ArrivedPage, DeskError> {
    desk.check().await?;
    let request = request.clone();
    desk.ask_past(move |reader| reader.arrived(&request)).await
}

/// Tells what arrives until the client goes, the lake refuses, or it is enough.
async fn tell(desk: &Desk, mut request: ArrivedRequest, mut page: ArrivedPage, pieces: &Sender<Piece>) {
    let mut tick = tokio::time::interval(STREAM_LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for look in 1..=STREAM_LOOKS {
        let text = written(&page, &request.after, look % STREAM_QUIET == 0);
        if !text.is_empty() && !hand(text, pieces).await {
            return;
        }
        request.after = page.next;
        if !page.more {
            tokio::select! {
                () = pieces.closed() => return,
                _ = tick.tick() => {}
            }
        }
        page = match ask(desk, &request).await {
            Ok(page) => page,
            // Asked again at the next look.
            Err(DeskError::Busy) => ArrivedPage { next: request.after.clone(), ..ArrivedPage::default() },
            Err(error) => {
                // When the client has gone there is nobody left to tell.
                hand(refusal(&fault(error)), pieces).await;
                return;
            }
        };
    }
}

/// Hands a piece on; whether the client took it, or made room for it in time.
async fn hand(text: String, pieces: &Sender<Piece>) -> bool {
    matches!(tokio::time::timeout(STREAM_SEND_TIME, pieces.send(Ok(text.into()))).await, Ok(Ok(())))
}

/// Events as the standard writes them; `JSON` has no line breaks. What comes last is where to go on, told without an event.
fn written(page: &ArrivedPage, after: &str, quiet: bool) -> String {
    let mut text = String::new();
    for one in &page.events {
        let Ok(data) = serde_json::to_string(one) else { continue };
        // Writing to a String cannot fail.
        let _ = write!(text, "id: {}\ndata: {data}\n\n", one.id);
    }
    if page.next != after {
        let _ = write!(text, "id: {}\n\n", page.next);
    } else if quiet {
        text.push_str(":\n\n");
    }
    text
}

/// Why the stream ends.
fn refusal(fault: &Fault) -> String {
    let data = serde_json::json!({ "code": fault.code, "status": fault.status.as_u16(), "detail": fault.detail });
    format!("event: problem\ndata: {data}\n\n")
}
