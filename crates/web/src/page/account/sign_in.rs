//! Signing in, choosing a password by an invitation, and making the first administrator.

use std::net::IpAddr;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use hinomi_state::passkeys::INVITATION;
use hinomi_state::{NewPerson, PasswordHash, Person, secret};

use super::Notice;
use super::provider::{ProviderView, all};
use crate::app::App;
use crate::auth::admit::{own_path, redirect};
use crate::auth::entry::enter;
use crate::auth::form::Form;
use crate::auth::password::{Refusal, Try, judge};
use crate::auth::{Caller, ask, hash};
use crate::guard::Source;
use crate::page::fault::{self, Fault};
use crate::page::{Frame, render};
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    notice: Option<Notice>,
    name: String,
    to: String,
    providers: Vec<ProviderView>,
    script: String,
}

#[derive(Template)]
#[template(path = "first_start.html")]
struct FirstPage {
    frame: Frame,
    notice: Option<Notice>,
    /// What lets the form be sent, from the address.
    key: String,
    /// Set when somebody invited chooses a password: the account is there already.
    invited: bool,
    name: String,
    full_name: String,
    /// With which an invitation can be taken instead.
    providers: Vec<ProviderView>,
}

pub(crate) async fn show(State(app): State<App>, visit: Visit) -> Response {
    match visit.caller {
        Some(Caller::Operator) => redirect("/"),
        Some(Caller::Person(_)) => redirect(visit.parameter("to").and_then(own_path).unwrap_or("/")),
        None => page(&app, &visit, StatusCode::OK, None, ""),
    }
}

fn page(app: &App, visit: &Visit, status: StatusCode, notice: Option<Notice>, name: &str) -> Response {
    let page = SignInPage {
        frame: Frame::new(visit, &visit.words.say("sign-in-title"), ""),
        notice,
        name: name.chars().take(64).collect(),
        to: visit.parameter("to").and_then(own_path).unwrap_or("/").to_owned(),
        providers: all(app, visit),
        script: crate::asset::address("passkey.js"),
    };
    render(visit, status, &page)
}

/// `POST /sign-in`
pub(crate) async fn sign_in(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Response {
    if matches!(visit.caller, Some(Caller::Operator)) {
        return redirect("/");
    }
    let name = form.get("name").to_owned();
    let tried = Try { name: name.clone(), password: form.get("password").to_owned(), source };
    let refused = match judge(&app, &headers, tried).await {
        Ok(person) => match enter(&app, &headers, source, (&person, "password"), form.get("to")).await {
            Ok(response) => return response,
            Err(fault) => Refusal::Fault(fault),
        },
        Err(refusal) => refusal,
    };
    let wait = if let Refusal::Wait(wait) = &refused { Some(wait.as_secs().max(1)) } else { None };
    let fault = refused.into_fault();
    let mut notice = Notice::of(&visit.words, &fault);
    if let Some(seconds) = wait {
        notice.text = visit.words.count("sign-in-wait", seconds);
    }
    let mut response = page(&app, &visit, fault.status, Some(notice), &name);
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// `GET /first-start`: makes the first administrator.
pub(crate) async fn first(State(app): State<App>, visit: Visit) -> Response {
    let key = visit.parameter("key").unwrap_or_default().to_owned();
    match may_begin(&app, &key).await {
        Ok(()) => first_page(&visit, None, &Form::default(), key),
        Err(fault) => fault::page(&visit, &fault),
    }
}

/// Whether nobody has an account, and this is the key that the program printed.
async fn may_begin(app: &App, key: &str) -> Result<(), Fault> {
    let somebody = ask(app, |accounts| accounts.exist()).await?;
    let allowed = !somebody && secret::same(key, &app.first);
    if allowed { Ok(()) } else { Err(Fault::new(StatusCode::NOT_FOUND, "not-found")) }
}

fn first_page(visit: &Visit, fault: Option<&Fault>, form: &Form, key: String) -> Response {
    let page = FirstPage {
        frame: Frame::new(visit, &visit.words.say("first-title"), ""),
        notice: fault.map(|fault| Notice::of(&visit.words, fault)),
        key,
        invited: false,
        name: form.get("name").to_owned(),
        full_name: form.get("full-name").to_owned(),
        providers: Vec::new(),
    };
    render(visit, fault.map_or(StatusCode::OK, |fault| fault.status), &page)
}

/// `POST /first-start`
pub(crate) async fn begin(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Response {
    if let Err(fault) = may_begin(&app, form.get("key")).await {
        return fault::page(&visit, &fault);
    }
    match make_first(&app, &headers, source, &form).await {
        Ok(response) => response,
        Err(fault) => first_page(&visit, Some(&fault), &form, form.get("key").to_owned()),
    }
}

async fn make_first(app: &App, headers: &HeaderMap, source: IpAddr, form: &Form) -> Result<Response, Fault> {
    let (name, full_name) = (form.get("name").to_owned(), form.get("full-name").to_owned());
    let kept = hashed(app, form.get("password"), &name).await?;
    // Who starts it also sees what the operator saw until now.
    let new = NewPerson { name, full_name, administrator: true, analyst: true, password: Some(kept) };
    let now = app.now();
    let person = ask(app, move |accounts| accounts.by("first start").add_first(&new, now)).await?;
    enter(app, headers, source, (&person, "password"), "/").await
}

async fn hashed(app: &App, password: &str, name: &str) -> Result<PasswordHash, Fault> {
    let (password, name) = (password.to_owned(), name.to_owned());
    Ok(hash(app, move || PasswordHash::of(&password, &name)).await??)
}

/// `GET /sign-in/invited`: somebody who was invited chooses a password.
pub(crate) async fn invited(State(app): State<App>, visit: Visit) -> Response {
    invited_page(&app, &visit, None, visit.parameter("key").unwrap_or_default().to_owned())
}

fn invited_page(app: &App, visit: &Visit, fault: Option<&Fault>, key: String) -> Response {
    let page = FirstPage {
        frame: Frame::new(visit, &visit.words.say("invited-title"), ""),
        notice: fault.map(|fault| Notice::of(&visit.words, fault)),
        key,
        invited: true,
        name: String::new(),
        full_name: String::new(),
        providers: all(app, visit),
    };
    render(visit, fault.map_or(StatusCode::OK, |fault| fault.status), &page)
}

/// `POST /sign-in/invited`
pub(crate) async fn accept(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Response {
    let key = form.get("key").to_owned();
    match take_invitation(&app, &headers, source, &form).await {
        Ok(response) => response,
        Err(fault) => invited_page(&app, &visit, Some(&fault), key),
    }
}

async fn take_invitation(app: &App, headers: &HeaderMap, source: IpAddr, form: &Form) -> Result<Response, Fault> {
    let (now, key) = (app.now(), form.get("key").to_owned());
    // Looked at before anything is hashed: strangers make no work here.
    let person = ask(app, move |accounts| {
        let ceremony = accounts.ceremony(INVITATION, &key, now)?;
        ceremony.and_then(|found| found.person).map_or(Ok(None), |id| accounts.person_by_id(&id))
    });
    let gone = || Fault::new(StatusCode::FORBIDDEN, "invitation");
    let person: Person = person.await?.filter(|person| person.disabled.is_none()).ok_or_else(gone)?;
    let kept = hashed(app, form.get("password"), &person.name).await?;
    let (name, key) = (person.name.clone(), form.get("key").to_owned());
    let taken = ask(app, move |accounts| {
        // Ended first: of two who come with it, one sets the password.
        let taken = accounts.end_ceremony(INVITATION, &key, now)?.is_some();
        if taken {
            accounts.by(&name).set_password(&name, &kept, None)?;
        }
        Ok(taken)
    });
    if !taken.await? {
        return Err(gone());
    }
    enter(app, headers, source, (&person, "password"), "/").await
}
