//! Notices as JSON: to who works here all of them, to members those to their organisations.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_share::notice::TellsOthers;
use hinomi_state::notices::{Notice, NoticeFile, NoticeState, Reply, Said};
use serde::{Deserialize, Serialize};

use super::records::{malformed, parameters};
use super::{json, problem};
use crate::app::App;
use crate::auth::ask;
use crate::limits::{DEFAULT_EVENTS, MAX_EVENTS};
use crate::page::fault::Fault;
use crate::page::notices::{Sight, others};
use crate::read::Desk;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    before: Option<String>,
    limit: Option<usize>,
}

/// A notice, without who here did what.
#[derive(Serialize)]
struct Told {
    /// For who sees all of them: it counts those of everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    token: String,
    organisation: String,
    basis: String,
    state: NoticeState,
    label: String,
    purposes: Vec<String>,
    subject: String,
    findings: i64,
    drafted: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl Told {
    fn of(sight: &Sight, one: Notice) -> Self {
        Self {
            number: sight.all.then_some(one.number),
            token: one.token,
            organisation: one.party.organisation,
            basis: one.party.basis,
            state: one.state,
            label: one.label,
            purposes: one.purposes.into_iter().collect(),
            subject: one.subject,
            findings: one.findings,
            drafted: one.drafted,
            sent: one.sent,
            sha256: one.sha256,
        }
    }
}

#[derive(Serialize)]
struct List {
    notices: Vec<Told>,
    /// Before which older ones are.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// What others were told of what the caller holds.
    others: Vec<TellsOthers>,
}

/// An answer, without who wrote it down.
#[derive(Serialize)]
struct Answered {
    finding: i64,
    outcome: &'static str,
    note: String,
    time: Timestamp,
}

impl From<Reply> for Answered {
    fn from(reply: Reply) -> Self {
        Self { finding: reply.place, outcome: reply.outcome.name(), note: reply.note, time: reply.time }
    }
}

#[derive(Serialize)]
struct Whole {
    notice: Told,
    body: String,
    findings: Vec<Said>,
    files: Vec<NoticeFile>,
    replies: Vec<Answered>,
}

/// `GET /notices`
pub(super) async fn list(State(app): State<App>, desk: Desk, query: Result<Query<Asked>, QueryRejection>) -> Response {
    match listed(&app, &desk, query).await {
        Ok(list) => json(&list),
        Err(fault) => problem::respond(&fault),
    }
}

async fn listed(app: &App, desk: &Desk, query: Result<Query<Asked>, QueryRejection>) -> Result<List, Fault> {
    let Asked { before, limit } = parameters(query)?;
    let limit = limit.unwrap_or(DEFAULT_EVENTS);
    if !(1..=MAX_EVENTS).contains(&limit) {
        return Err(malformed(&format!(
            "limit {limit}: one answer holds 1 to {MAX_EVENTS} notices; go on before its `before`"
        )));
    }
    let sight = Sight::of(desk, String::new()).await?;
    let (notices, before) = sight.list(app, before.as_deref(), u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    let others = if sight.all { Vec::new() } else { others(app, desk).await? };
    Ok(List { notices: notices.into_iter().map(|one| Told::of(&sight, one)).collect(), before, others })
}

/// `GET /notices/{notice}`
pub(super) async fn show(State(app): State<App>, desk: Desk, path: Result<Path<String>, PathRejection>) -> Response {
    match whole(&app, &desk, path).await {
        Ok(whole) => json(&whole),
        Err(fault) => problem::respond(&fault),
    }
}

async fn whole(app: &App, desk: &Desk, path: Result<Path<String>, PathRejection>) -> Result<Whole, Fault> {
    let Path(name) = path.map_err(|_| Fault::new(StatusCode::NOT_FOUND, "not-found"))?;
    let sight = Sight::of(desk, name.clone()).await?;
    let notice = sight.find(app, &name).await?;
    let number = notice.number;
    let (findings, files, replies) = ask(app, move |accounts| {
        let database = accounts.database()?;
        Ok((database.notice_findings(number)?, database.notice_files(number)?, database.notice_replies(number)?))
    })
    .await?;
    let (body, replies) = (notice.body.clone(), replies.into_iter().map(Answered::from).collect());
    Ok(Whole { notice: Told::of(&sight, notice), body, findings, files, replies })
}
