//! Counts by day as JSON.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_share::{DIMENSIONS, DayCount};
use serde::{Deserialize, Serialize};

use super::records::{malformed, parameters};
use super::{json, problem};
use crate::page::fault::Fault;
use crate::read::Desk;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    by: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
}

#[derive(Serialize)]
struct Answer {
    by: String,
    counts: Vec<DayCount>,
    behind: bool,
}

/// `GET /rollups`
pub(super) async fn show(desk: Desk, query: Result<Query<Asked>, QueryRejection>) -> Response {
    let (by, from, until) = match parameters(query).and_then(read) {
        Ok(read) => read,
        Err(fault) => return problem::respond(&fault),
    };
    let dimension = by.clone();
    match desk.ask(move |reader| reader.rollups(&dimension, from, until)).await {
        Ok(found) => json(&Answer { by, counts: found.counts, behind: found.behind }),
        Err(error) => problem::respond(&error.into()),
    }
}

fn read(asked: Asked) -> Result<(String, Timestamp, Timestamp), Fault> {
    let by = if asked.by.is_empty() { "all".to_owned() } else { asked.by };
    if !DIMENSIONS.contains(&by.as_str()) {
        return Err(malformed(&format!("by is one of {}", DIMENSIONS.join(", "))));
    }
    let end = |text: &str, open: i64| match text {
        "" => Ok(Timestamp::from_micros(open)),
        text => text.parse().map_err(|error: hinomi_model::time::NotATime| malformed(&error.to_string())),
    };
    Ok((by, end(&asked.from, i64::MIN)?, end(&asked.until, i64::MAX)?))
}
