//! What the script of the pages asks for passkeys: a ceremony's beginning, and its end. JSON both ways.
//!
//! They are no forms: what shows that our own page asks is the token, in a header, where somebody is signed in, and else
//! where the browser says that the request comes from.

use std::net::IpAddr;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hinomi_state::secret;

use super::mine;
use crate::api::problem;
use crate::app::App;
use crate::auth::again::{confirmed, recent};
use crate::auth::entry::enter;
use crate::auth::passkey;
use crate::guard::Source;
use crate::limits::MAX_PASSKEY_BYTES;
use crate::page::fault::Fault;
use crate::visit::Visit;

const TOKEN: HeaderName = HeaderName::from_static("x-hinomi-token");
const LABEL: HeaderName = HeaderName::from_static("x-hinomi-label");

fn answered(done: Result<Response, Fault>) -> Response {
    done.unwrap_or_else(|fault| problem::respond(&fault))
}

fn json(body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
}

async fn whole(body: Body) -> Result<Vec<u8>, Fault> {
    let read = to_bytes(body, MAX_PASSKEY_BYTES).await;
    Ok(read.map_err(|_| Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-not-accepted"))?.to_vec())
}

fn of_session(visit: &Visit, headers: &HeaderMap) -> Result<(), Fault> {
    let token = headers.get(TOKEN).and_then(|token| token.to_str().ok()).unwrap_or_default();
    let own = visit.form_token();
    let same = !own.is_empty() && secret::same(token, &own);
    if same { Ok(()) } else { Err(Fault::new(StatusCode::FORBIDDEN, "form-token")) }
}

/// `POST /account/passkeys`
pub(crate) async fn begin_registration(State(app): State<App>, visit: Visit, headers: HeaderMap) -> Response {
    let begun = async {
        of_session(&visit, &headers)?;
        let mine = mine(&visit)?;
        recent(&app, &mine).await?;
        passkey::begin_registration(&app, &headers, &mine.person).await.map(json)
    };
    answered(begun.await)
}

/// `POST /account/passkeys/end`
pub(crate) async fn end_registration(State(app): State<App>, visit: Visit, headers: HeaderMap, body: Body) -> Response {
    let ended = async {
        of_session(&visit, &headers)?;
        // Percent-encoded: a header holds ASCII.
        let label = headers.get(LABEL).and_then(|label| label.to_str().ok()).unwrap_or_default();
        let label = decoded(label);
        let body = whole(body).await?;
        passkey::end_registration(&app, &headers, &mine(&visit)?.person, &label, &body).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answered(ended.await)
}

fn decoded(text: &str) -> String {
    let uri = format!("/?l={text}").parse::<axum::http::Uri>().ok();
    let all = uri.and_then(|uri| axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    all.and_then(|all| all.0.into_iter().next()).map(|(_, label)| label).unwrap_or_default()
}

/// `POST /sign-in/passkey`
pub(crate) async fn begin_sign_in(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    headers: HeaderMap,
) -> Response {
    answered(begin(&app, &headers, source).await)
}

async fn begin(app: &App, headers: &HeaderMap, source: IpAddr) -> Result<Response, Fault> {
    if let Some(wait) = passkey::count_try(app, source).await? {
        tracing::warn!(%source, "a sign-in was put off: too many tries");
        let mut response = problem::respond(&Fault::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries"));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        return Ok(response);
    }
    passkey::begin_sign_in(app, headers).await.map(json)
}

/// `POST /sign-in/passkey/end`: the answer says where to go on.
pub(crate) async fn end_sign_in(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let entered = async {
        // Only browsers have passkeys, and they say where a request comes from.
        if !headers.contains_key(ORIGIN) {
            return Err(Fault::new(StatusCode::FORBIDDEN, "other-site"));
        }
        let person = passkey::end_sign_in(&app, &headers, &whole(body).await?).await?;
        passkey::take_back_try(&app, source).await?;
        let mut response = enter(&app, &headers, source, (&person, "passkey"), "/").await?;
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().remove(LOCATION);
        Ok(response)
    };
    answered(entered.await)
}

/// `POST /account/again/passkey`
pub(crate) async fn begin_again(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    let begun = async {
        of_session(&visit, &headers)?;
        begin(&app, &headers, source).await
    };
    answered(begun.await)
}

/// `POST /account/again/passkey/end`: the passkey must be the session's owner's.
pub(crate) async fn end_again(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let ended = async {
        of_session(&visit, &headers)?;
        let mine = mine(&visit)?;
        let person = passkey::end_sign_in(&app, &headers, &whole(body).await?).await?;
        if person.id != mine.person.id {
            return Err(Fault::new(StatusCode::FORBIDDEN, "passkey"));
        }
        passkey::take_back_try(&app, source).await?;
        confirmed(&app, &mine).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answered(ended.await)
}
