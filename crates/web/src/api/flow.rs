//! Findings of C&C servers and their collector as JSON.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::cnc::status::CollectorStatus;
use hinomi_share::ReadError;
use serde::Serialize;

use super::{json, problem};
use crate::app::App;
use crate::page::fault::Fault;
use crate::page::flow::endpoint::find;
use crate::read::{Desk, DeskError};

/// The collector's account, where there is one.
#[derive(Serialize)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    collector: Option<CollectorStatus>,
}

pub(super) async fn findings(State(app): State<App>, desk: Desk) -> Response {
    let now = app.now();
    match desk.ask(move |reader| reader.cnc_findings(now)).await {
        Ok(findings) => json(&findings),
        Err(error) => problem::respond(&Fault::from(error)),
    }
}

pub(super) async fn finding(State(app): State<App>, desk: Desk, path: Result<Path<String>, PathRejection>) -> Response {
    match find(&app, &desk, path).await {
        Ok(story) => json(&story),
        Err(fault) => problem::respond(&fault),
    }
}

pub(super) async fn status(desk: Desk) -> Response {
    match desk.ask(|reader| Ok(reader.collector_status())).await {
        Ok(Ok(collector)) => json(&Status { collector }),
        Ok(Err(error @ ReadError::Unwitnessed(_))) => problem::respond(&Fault::from(DeskError::Read(error))),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the collector's account could not be read");
            problem::respond(&Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "collector-account"))
        }
        Err(error) => problem::respond(&Fault::from(error)),
    }
}
