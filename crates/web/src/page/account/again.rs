//! Showing again that it is oneself: by the password, a passkey, or where one has an account.

use std::net::IpAddr;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::provider::{ProviderView, of_person};
use super::{ACCOUNT, Mine, Notice, mine};
use crate::app::App;
use crate::auth::admit::{own_path, redirect};
use crate::auth::again::confirmed;
use crate::auth::ask;
use crate::auth::form::Form;
use crate::auth::password::{Try, confirm};
use crate::guard::Source;
use crate::page::fault::{self, Fault};
use crate::page::{Frame, render};
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage {
    frame: Frame,
    notice: Option<Notice>,
    name: String,
    to: String,
    has_password: bool,
    has_passkey: bool,
    providers: Vec<ProviderView>,
    script: String,
}

/// `GET /account/again`
pub(crate) async fn show(State(app): State<App>, visit: Visit) -> Response {
    let to = visit.parameter("to").unwrap_or(ACCOUNT).to_owned();
    page(&app, &visit, &to, None).await
}

async fn page(app: &App, visit: &Visit, to: &str, fault: Option<&Fault>) -> Response {
    match compose(app, visit, to, fault).await {
        Ok(page) => render(visit, fault.map_or(StatusCode::OK, |fault| fault.status), &page),
        Err(fault) => fault::page(visit, &fault),
    }
}

async fn compose(app: &App, visit: &Visit, to: &str, fault: Option<&Fault>) -> Result<AgainPage, Fault> {
    let mine = mine(visit)?;
    let id = mine.person.id.clone();
    let (passkeys, linked) = ask(app, move |accounts| Ok((accounts.passkeys(&id)?, accounts.linked(&id)?))).await?;
    Ok(AgainPage {
        frame: Frame::new(visit, &visit.words.say("again-title"), "account"),
        notice: fault.map(|fault| Notice::of(&visit.words, fault)),
        name: mine.person.name,
        to: own_path(to).unwrap_or(ACCOUNT).to_owned(),
        has_password: mine.person.has_password,
        has_passkey: !passkeys.is_empty(),
        providers: of_person(app, visit, &linked),
        script: crate::asset::address("passkey.js"),
    })
}

/// `POST /account/again`: by the password.
pub(crate) async fn by_password(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Response {
    let to = own_path(form.get("to")).unwrap_or(ACCOUNT);
    match judged(&app, &visit, &headers, source, &form).await {
        Ok(()) => redirect(to),
        Err(fault) => page(&app, &visit, to, Some(&fault)).await,
    }
}

async fn judged(app: &App, visit: &Visit, headers: &HeaderMap, source: IpAddr, form: &Form) -> Result<(), Fault> {
    let mine: Mine = mine(visit)?;
    let tried = Try { name: mine.person.name.clone(), password: form.get("password").to_owned(), source };
    confirm(app, headers, &mine.person, tried).await.map_err(|refusal| refusal.into_fault())?;
    confirmed(app, &mine).await
}
