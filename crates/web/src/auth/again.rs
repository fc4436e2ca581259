//! Asking again who it is, before somebody changes how they sign in, makes a key, or changes what others may (OWASP ASVS
//! V3.7): who finds a browser open does not get further than its session.

use axum::http::StatusCode;
use axum::response::Response;

use super::admit::redirect;
use super::ask;
use crate::app::App;
use crate::limits::RECENT;
use crate::link;
use crate::page::account::Mine;
use crate::page::fault::Fault;

/// The page that asks.
pub(crate) const AGAIN: &str = "/account/again";
/// The code of who must show it first.
const CODE: &str = "again";

/// Whether the owner of this session showed a short while ago that it is them.
pub(crate) async fn recent(app: &App, mine: &Mine) -> Result<(), Fault> {
    let (person, session, now) = (mine.person.id.clone(), mine.session.clone(), app.now());
    let shown = ask(app, move |accounts| accounts.confirmed(&person, &session)).await?;
    let recent = shown.is_some_and(|shown| now < shown.plus(RECENT));
    if recent { Ok(()) } else { Err(Fault::new(StatusCode::FORBIDDEN, CODE)) }
}

/// Leads to the page that asks, and from there back, when that is what is missing.
pub(crate) fn lead(fault: &Fault, back: &str) -> Option<Response> {
    (fault.code == CODE).then(|| redirect(&link::with_parameters(AGAIN, [("to", back)])))
}

/// That it was shown now.
pub(crate) async fn confirmed(app: &App, mine: &Mine) -> Result<(), Fault> {
    let (person, session, now) = (mine.person.id.clone(), mine.session.clone(), app.now());
    ask(app, move |accounts| accounts.confirm_session(&person, &session, now)).await
}
