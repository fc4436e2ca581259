//! What the caller may see, and why; of others nothing is said.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use axum::response::Response;
use hinomi_share::policy::Why;
use serde::Serialize;

use super::{json, problem};
use crate::page::fault::Fault;
use crate::page::host::address_of;
use crate::read::Desk;

/// `GET /entitlement`
pub(super) async fn show(desk: Desk) -> Response {
    match desk.ask(|reader| reader.may_see()).await {
        Ok(may) => json(&may),
        Err(error) => problem::respond(&error.into()),
    }
}

/// Why the services of an address are seen.
#[derive(Serialize)]
struct Reasons {
    address: String,
    /// Everything is seen: no rule is asked.
    everything: bool,
    services: Vec<Why>,
}

/// `GET /hosts/{address}/why`
pub(super) async fn why(desk: Desk, path: Result<Path<String>, PathRejection>) -> Response {
    let address = match address_of(path) {
        Ok(address) => address,
        Err(fault) => return problem::respond(&fault),
    };
    let everything = desk.viewer().sees_all();
    match desk.ask(move |reader| reader.why_host(address)).await {
        Ok(Some(services)) => json(&Reasons { address: address.to_string(), everything, services }),
        Ok(None) => problem::respond(&Fault::new(StatusCode::NOT_FOUND, "host-not-seen").because(&address)),
        Err(error) => problem::respond(&error.into()),
    }
}
