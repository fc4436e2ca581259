//! What of the ledger concerns the caller, a page at a time.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::past::at_least_one;
use super::records::{malformed, parameters};
use super::{json, problem};
use crate::app::App;
use crate::auth::Caller;
use crate::limits::PAGE_LEDGER;
use crate::mine::{Page, Which, page};
use crate::page::fault::Fault;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    of: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// `GET /ledger`
pub(super) async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    match find(&app, &caller, query).await {
        Ok(page) => json(&page),
        Err(fault) => problem::respond(&fault),
    }
}

async fn find(app: &App, caller: &Caller, query: Result<Query<Parameters>, QueryRejection>) -> Result<Page, Fault> {
    let asked = parameters(query)?;
    let which = match asked.of.as_deref() {
        None | Some("mine") => Which::Mine,
        Some("accounts") => Which::Accounts,
        Some(_) => return Err(malformed("of: mine or accounts")),
    };
    let limit = match asked.limit {
        None => PAGE_LEDGER,
        limit => at_least_one(limit)?,
    };
    page(app, caller, which, (asked.before, limit)).await
}
