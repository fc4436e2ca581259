//! Streams: a banner for each service that something happened to, one line of JSON each; an empty line now and then.
//!
//! Bounds are those of the stream of changes: few at a time, a few pieces for a slow client, an end after a while.

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hinomi_share::{ArrivedPage, ArrivedRequest, ReadError, Reader, SearchRequest};
use tokio::sync::mpsc::{Sender, channel};

use super::alert::{every, find};
use super::banner::banner;
use super::query::translate;
use super::{App, Desk, Pairs, Path, Refusal, parameter};
use crate::api::outflow::{Piece, Pieces};
use crate::auth::Caller;
use crate::limits::{
    EXPORT_PIECES_WAITING, STREAM_EVENTS, STREAM_LOOK_EVERY, STREAM_LOOKS, STREAM_QUIET, STREAM_SEND_TIME,
};
use crate::read::DeskError;

/// `GET /shodan/banners`
pub(super) async fn banners(desk: Desk) -> Result<Response, Refusal> {
    stream(desk, String::new()).await
}

/// `GET /shodan/custom?query=`
pub(super) async fn custom(desk: Desk, pairs: Pairs) -> Result<Response, Refusal> {
    let query = parameter(&pairs, "query")?.unwrap_or_default();
    stream(desk, translate(&query).map_err(|why| Refusal::bad(&why))?).await
}

/// `GET /shodan/{ports,asn,countries,tags}/{values}`
pub(super) async fn filtered(desk: Desk, Path((filter, values)): Path<(String, String)>) -> Result<Response, Refusal> {
    let name = match filter.as_str() {
        "ports" => "port",
        "asn" => "asn",
        "countries" => "country",
        "tags" => "tag",
        "vulns" => return Err(Refusal::bad("vulnerabilities are not matched here yet")),
        other => return Err(Refusal::bad(&format!("there is no stream {other:?}"))),
    };
    stream(desk, translate(&format!("{name}:{values}")).map_err(|why| Refusal::bad(&why))?).await
}

/// `GET /shodan/alert`
pub(super) async fn every_alert(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
) -> Result<Response, Refusal> {
    let all = every(&app, &desk, &caller).await?;
    let queries: Vec<String> = all.into_iter().map(|one| format!("({})", one.query)).collect();
    if queries.is_empty() {
        return Err(Refusal::bad("there is no alert yet"));
    }
    stream(desk, queries.join(" OR ")).await
}

/// `GET /shodan/alert/{id}`
pub(super) async fn one_alert(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    desk: Desk,
    Path(alert): Path<String>,
) -> Result<Response, Refusal> {
    let query = find(&app, &desk, &caller, alert).await?.query;
    stream(desk, query).await
}

async fn stream(desk: Desk, query: String) -> Result<Response, Refusal> {
    let seat = desk.stream()?;
    let after = desk.ask(|reader| reader.arrivals_begin()).await?.1;
    let request = ArrivedRequest { query, after, limit: STREAM_EVENTS, within: None };
    // A query that is not understood is told at once.
    look(&desk, &request).await?;
    let (pieces, waiting) = channel(EXPORT_PIECES_WAITING);
    tokio::spawn(async move {
        tell(&desk, request, &pieces).await;
        drop(seat);
    });
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(Pieces::new(Some(Bytes::from_static(b"\n")), waiting))).into_response())
}

/// What arrived, and the banners of those services as they are now.
async fn look(desk: &Desk, request: &ArrivedRequest) -> Result<(ArrivedPage, String), DeskError> {
    let request = request.clone();
    desk.check().await?;
    desk.ask_past(move |reader| {
        let page = reader.arrived(&request)?;
        let lines = lines(reader, &page)?;
        Ok((page, lines))
    })
    .await
}

fn lines(reader: &Reader, page: &ArrivedPage) -> Result<String, ReadError> {
    let mut text = String::new();
    for one in &page.events {
        let key = one.event.service;
        let query = format!("ip:{} port:{} transport:{}", key.address, key.port, key.transport);
        let found =
            reader.search(&SearchRequest { query, limit: 1, now: one.event.time, ..SearchRequest::default() })?;
        for service in &found.matches {
            text.push_str(&banner(service).to_string());
            text.push('\n');
        }
    }
    Ok(text)
}

/// Tells what arrives until the client goes, the lake refuses, or it is enough.
async fn tell(desk: &Desk, mut request: ArrivedRequest, pieces: &Sender<Piece>) {
    let mut tick = tokio::time::interval(STREAM_LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for number in 1..=STREAM_LOOKS {
        let (page, mut text) = match look(desk, &request).await {
            Ok(found) => found,
            // Asked again at the next look.
            Err(DeskError::Busy) => {
                (ArrivedPage { next: request.after.clone(), ..ArrivedPage::default() }, String::new())
            }
            Err(_) => return,
        };
        if text.is_empty() && number % STREAM_QUIET == 0 {
            text.push('\n');
        }
        let taken = || tokio::time::timeout(STREAM_SEND_TIME, pieces.send(Ok(text.clone().into())));
        if !text.is_empty() && !matches!(taken().await, Ok(Ok(()))) {
            return;
        }
        request.after = page.next;
        if !page.more {
            tokio::select! {
                () = pieces.closed() => return,
                _ = tick.tick() => {}
            }
        }
    }
}
