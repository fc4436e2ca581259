//! `/objects`: what others say.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_model::parse_address;
use serde::Deserialize;
use serde_json::json;

use super::{json, problem};
use crate::app::App;
use crate::limits::MAX_QUERY_BYTES;
use crate::objects::{About, said};
use crate::page::fault::Fault;
use crate::read::Desk;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    address: Option<String>,
    value: Option<String>,
}

fn about(query: Result<Query<Parameters>, QueryRejection>) -> Result<About, Fault> {
    let wrong = |why: &dyn std::fmt::Display| Fault::new(StatusCode::BAD_REQUEST, "parameter").because(why);
    let Query(asked) = query.map_err(|error| wrong(&error.body_text()))?;
    match (asked.address, asked.value) {
        (Some(address), None) => {
            let refuse = |error: &dyn std::fmt::Display| Fault::new(StatusCode::BAD_REQUEST, "address").because(error);
            parse_address(&address).map(About::Address).map_err(|error| refuse(&error))
        }
        (None, Some(value)) if !value.is_empty() && value.len() <= MAX_QUERY_BYTES => Ok(About::Value(value)),
        _ => Err(wrong(&"ask about one address, or one value: a name, the address of a page, a hash")),
    }
}

/// `GET /objects`
pub(super) async fn show(
    State(app): State<App>,
    desk: Desk,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let about = match about(query) {
        Ok(about) => about,
        Err(fault) => return problem::respond(&fault),
    };
    let (accounts, now) = (app.accounts.clone(), app.now());
    match desk.ask(move |reader| said(&accounts, reader, &about, now)).await {
        Ok(found) => json(&json!({ "objects": found })),
        Err(error) => problem::respond(&error.into()),
    }
}
