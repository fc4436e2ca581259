//! Letting somebody in who has shown who they are, and out again.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::response::Response;
use hinomi_model::Timestamp;
use hinomi_state::{Entry, Person, secret};

use super::admit::{own_path, redirect};
use super::credentials::read_cookie;
use super::password::DEVICE_SECRET;
use super::{ask, cookie};
use crate::app::App;
use crate::page::fault::Fault;

/// Begins a session of this person, who showed now that it is them, and leads the browser on. It is a new one always, and
/// one that the browser had before ends: what somebody planted there is worth nothing.
pub(crate) async fn enter(
    app: &App,
    headers: &HeaderMap,
    source: IpAddr,
    (person, way): (&Person, &'static str),
    to: &str,
) -> Result<Response, Fault> {
    enter_shown(app, headers, source, (person, way, app.now()), to).await
}

/// The same where this person showed at another time that it is them.
pub(crate) async fn enter_shown(
    app: &App,
    headers: &HeaderMap,
    source: IpAddr,
    (person, way, shown): (&Person, &'static str, Timestamp),
    to: &str,
) -> Result<Response, Fault> {
    leave(app, headers).await?;
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default().to_owned();
    let key = ask(app, |accounts| accounts.installation_secret(DEVICE_SECRET)).await?;
    let is_known = cookie::known_device(app, headers, &key, &person.name).is_some();
    let (id, now) = (person.id.clone(), app.now());
    let token = ask(app, move |accounts| {
        let source = source.to_string();
        let entry = Entry { way, source: &source, agent: &agent };
        let token = accounts.begin_session_shown(&id, &entry, shown, now)?;
        if !is_known {
            accounts.tell_new_browser(&id, (&source, &agent))?;
        }
        Ok(token)
    })
    .await?;
    let mut response = redirect(own_path(to).unwrap_or("/"));
    cookie::set_session(app, &mut response, &token);
    cookie::set_device(app, &mut response, &key, &person.name);
    Ok(response)
}

/// Ends the session that the browser has, if it has one.
pub(crate) async fn leave(app: &App, headers: &HeaderMap) -> Result<(), Fault> {
    let Some(token) = read_cookie(headers, cookie::session_name(app.settings.is_secure())) else { return Ok(()) };
    let now = app.now();
    ask(app, move |accounts| match accounts.session(&token, now)? {
        Some((session, person)) => accounts.by(&person.name).end_session(&person.id, &session.id).map(drop),
        None => Ok(()),
    })
    .await
}

/// A secret with which this person chooses a password, once. Those before open nothing any more.
pub(crate) async fn invite(app: &App, person: &Person, by: String) -> Result<String, Fault> {
    let (id, now) = (person.id.clone(), app.now());
    ask(app, move |accounts| {
        let key = secret::secret()?;
        accounts.by(&by).invite(&id, &key, now)?;
        Ok(key)
    })
    .await
}
