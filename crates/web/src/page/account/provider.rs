//! Accounts elsewhere: signing in with one, taking an invitation with one, linking and unlinking, and coming back.

use std::net::IpAddr;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{REFRESH, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use hinomi_state::passkeys::INVITATION;
use hinomi_state::{Linked, NewPerson, Person};

use super::{ACCOUNT, Mine, Notice, found, mine};
use crate::app::App;
use crate::auth::admit::{own_path, redirect};
use crate::auth::again::{confirmed, lead, recent};
use crate::auth::entry::enter_shown;
use crate::auth::form::Form;
use crate::auth::oidc::{self, Aim, Answer, Came, admitted};
use crate::auth::{Caller, ask, cookie};
use crate::guard::Source;
use crate::language::Language;
use crate::moment;
use crate::page::fault::{self, Fault};
use crate::page::{Frame, render};
use crate::seen::Seen;
use crate::settings::provider::Provider;
use crate::visit::Visit;

/// How a session says that it began.
const WAY: &str = "provider";

/// A provider to choose.
pub(crate) struct ProviderView {
    pub(crate) id: String,
    pub(crate) label: String,
}

/// An account elsewhere that is linked.
pub(crate) struct LinkedView {
    pub(crate) provider: Seen,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) shown: Seen,
    pub(crate) created: String,
    pub(crate) used: String,
}

#[derive(Template)]
#[template(path = "led.html")]
struct LedPage {
    frame: Frame,
    lead: String,
    address: String,
}

fn name<'a>(visit: &Visit, provider: &'a Provider) -> &'a str {
    if visit.words.language() == Language::Japanese { &provider.name_ja } else { &provider.name_en }
}

fn view(visit: &Visit, provider: &Provider) -> ProviderView {
    ProviderView { id: provider.id.clone(), label: visit.words.with("sign-in-with", name(visit, provider)) }
}

/// Every provider, to sign in with.
pub(crate) fn all(app: &App, visit: &Visit) -> Vec<ProviderView> {
    app.settings.providers.iter().map(|provider| view(visit, provider)).collect()
}

/// Every provider, to link an account of.
pub(crate) fn to_link(app: &App, visit: &Visit) -> Vec<ProviderView> {
    let label = |provider: &Provider| visit.words.with("identity-link", name(visit, provider));
    app.settings.providers.iter().map(|one| ProviderView { id: one.id.clone(), label: label(one) }).collect()
}

/// Those with which this person can sign in.
pub(crate) fn of_person(app: &App, visit: &Visit, linked: &[Linked]) -> Vec<ProviderView> {
    let has = |provider: &&Provider| linked.iter().any(|one| one.issuer == provider.issuer);
    app.settings.providers.iter().filter(has).map(|provider| view(visit, provider)).collect()
}

/// What is linked.
pub(crate) fn linked_views(app: &App, visit: &Visit, linked: &[Linked]) -> Vec<LinkedView> {
    let (w, now) = (&visit.words, app.now());
    let one = |one: &Linked| {
        let provider = app.settings.providers.iter().find(|provider| provider.issuer == one.issuer);
        LinkedView {
            provider: Seen::word(provider.map_or(one.issuer.as_str(), |provider| name(visit, provider))),
            issuer: one.issuer.clone(),
            subject: one.subject.clone(),
            shown: Seen::word(&one.subject),
            created: moment::date(one.created),
            used: one.used.map_or_else(|| w.say("never-used"), |used| moment::relative(w, now, used)),
        }
    };
    linked.iter().map(one).collect()
}

/// Forgets an account elsewhere, by a form of one's account.
pub(super) async fn unlink(app: &App, visit: &Visit, form: &Form) -> Result<Notice, Fault> {
    let (mine, issuer, subject) = (mine(visit)?, form.get("issuer").to_owned(), form.get("subject").to_owned());
    recent(app, &mine).await?;
    let gone =
        ask(app, move |accounts| accounts.by(&mine.person.name).unlink_identity(&mine.person.id, &issuer, &subject));
    found(gone.await?)?;
    Ok(Notice::done(visit.words.say("identity-unlinked")))
}

/// `POST /sign-in/with/{provider}`: to sign in, or to take an invitation.
pub(crate) async fn sign_in(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    Path(id): Path<String>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Response {
    if visit.caller.is_some() {
        return redirect("/");
    }
    let begun = async {
        let aim = match form.get("key") {
            "" => Aim::SignIn { to: own_path(form.get("to")).unwrap_or("/").to_owned() },
            key => invited(&app, key).await?,
        };
        lead_on(&app, &visit, &headers, source, (&id, aim)).await
    };
    begun.await.unwrap_or_else(|fault| fault::page(&visit, &fault))
}

async fn invited(app: &App, key: &str) -> Result<Aim, Fault> {
    let (key, now) = (key.to_owned(), app.now());
    let asked = key.clone();
    let stands = ask(app, move |accounts| accounts.ceremony(INVITATION, &asked, now)).await?.is_some();
    if stands { Ok(Aim::Invited { key }) } else { Err(Fault::new(StatusCode::FORBIDDEN, "invitation")) }
}

/// `POST /account/with/{provider}`: to link an account there, or to show by one that it is oneself.
pub(crate) async fn of_account(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    Path(id): Path<String>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Response {
    let begun = async {
        let Mine { person, session } = mine(&visit)?;
        let aim = match form.get("do") {
            "link" => {
                recent(&app, &Mine { person: person.clone(), session: session.clone() }).await?;
                Aim::Link { person: person.id, session }
            }
            "again" => {
                let to = own_path(form.get("to")).unwrap_or(ACCOUNT).to_owned();
                Aim::Again { person: person.id, session, to }
            }
            _ => return Err(Fault::new(StatusCode::BAD_REQUEST, "parameter")),
        };
        lead_on(&app, &visit, &headers, source, (&id, aim)).await
    };
    begun.await.unwrap_or_else(|fault| lead(&fault, ACCOUNT).unwrap_or_else(|| fault::page(&visit, &fault)))
}

/// The page that leads on. It is a page, since browsers let a form of ours end nowhere but here.
async fn lead_on(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
    source: IpAddr,
    (id, aim): (&str, Aim),
) -> Result<Response, Fault> {
    let provider = oidc::provider(app, id)?;
    if let Some(wait) = oidc::count_try(app, source).await? {
        tracing::warn!(%source, "a sign-in was put off: too many tries");
        let mut response = fault::page(visit, &Fault::new(StatusCode::TOO_MANY_REQUESTS, "too-many-tries"));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        return Ok(response);
    }
    let words = visit.words.with("led-on", name(visit, &provider));
    let begun = oidc::begin(app, headers, provider, aim).await?;
    let refresh = HeaderValue::from_str(&format!("0;url={}", begun.address));
    let refresh = refresh.map_err(|_| Fault::new(StatusCode::BAD_GATEWAY, "provider"))?;
    let frame = Frame::new(visit, &visit.words.say("led-title"), "");
    let mut response = render(visit, StatusCode::OK, &LedPage { frame, lead: words, address: begun.address });
    response.headers_mut().insert(REFRESH, refresh);
    cookie::set_flow(app, &mut response, &begun.cookie);
    Ok(response)
}

/// `GET /sign-in/back/{provider}`: a browser comes back.
pub(crate) async fn back(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    Path(id): Path<String>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    let text = |name: &str| visit.parameter(name).map(str::to_owned);
    let answer = Answer {
        state: text("state").unwrap_or_default(),
        code: text("code"),
        issuer: text("iss"),
        error: text("error"),
    };
    let ended = async {
        let came = oidc::end(&app, &headers, &id, answer).await?;
        arrive(&app, &visit, &headers, source, came).await
    };
    let mut response = ended.await.unwrap_or_else(|fault| fault::page(&visit, &fault));
    cookie::clear_flow(&app, &mut response);
    response
}

/// A session that begins here counts as shown when the provider says that it was shown there: a provider may have let
/// somebody in without asking anything.
async fn arrive(app: &App, visit: &Visit, headers: &HeaderMap, source: IpAddr, came: Came) -> Result<Response, Fault> {
    match &came.aim {
        Aim::SignIn { to } => {
            let person = known(app, &came).await?;
            oidc::take_back_try(app, source).await?;
            enter_shown(app, headers, source, (&person, WAY, came.shown), to).await
        }
        Aim::Invited { key } => {
            let (key, issuer, subject, now) = (key.clone(), came.provider.issuer, came.subject, app.now());
            let person = ask(app, move |accounts| accounts.link_invited(&key, &issuer, &subject, now)).await?;
            let person = person.ok_or_else(|| Fault::new(StatusCode::FORBIDDEN, "invitation"))?;
            oidc::take_back_try(app, source).await?;
            enter_shown(app, headers, source, (&person, WAY, came.shown), "/").await
        }
        Aim::Link { person, session } => {
            let by = same(visit, person, session)?.person.name;
            let (person, now) = (person.clone(), app.now());
            let (issuer, subject) = (came.provider.issuer, came.subject);
            ask(app, move |accounts| accounts.by(&by).link_identity(&person, &issuer, &subject, now)).await?;
            oidc::take_back_try(app, source).await?;
            Ok(redirect(ACCOUNT))
        }
        Aim::Again { person, session, to } => {
            let mine = same(visit, person, session)?;
            let found = by_identity(app, &came).await?.filter(|found| found.id == *person);
            found.ok_or_else(|| Fault::new(StatusCode::FORBIDDEN, "provider-refused"))?;
            confirmed(app, &mine).await?;
            oidc::take_back_try(app, source).await?;
            Ok(redirect(own_path(to).unwrap_or(ACCOUNT)))
        }
    }
}

/// The session in which it began, if it is still this browser's.
fn same(visit: &Visit, person: &str, session: &str) -> Result<Mine, Fault> {
    let own = visit.caller.as_ref().and_then(Caller::signed_in).is_some();
    let mine = own.then(|| mine(visit)).transpose()?;
    let mine = mine.filter(|mine| mine.person.id == person && mine.session == session);
    mine.ok_or_else(|| Fault::new(StatusCode::FORBIDDEN, "provider-refused"))
}

async fn by_identity(app: &App, came: &Came) -> Result<Option<Person>, Fault> {
    let (issuer, subject, now) = (came.provider.issuer.clone(), came.subject.clone(), app.now());
    ask(app, move |accounts| {
        let found = accounts.by_identity(&issuer, &subject)?;
        if found.is_some() {
            accounts.used_identity(&issuer, &subject, now)?;
        }
        Ok(found)
    })
    .await
}

/// Whose account it is; where the settings say so, an account is made for who has none.
async fn known(app: &App, came: &Came) -> Result<Person, Fault> {
    if let Some(person) = by_identity(app, came).await? {
        return Ok(person);
    }
    let unknown = || Fault::new(StatusCode::FORBIDDEN, "identity-unknown");
    let (name, full_name) = admitted(&came.provider, &came.claims).ok_or_else(unknown)?;
    let (issuer, subject, now) = (came.provider.issuer.clone(), came.subject.clone(), app.now());
    let new = NewPerson { name, full_name, administrator: false, analyst: false, password: None };
    // None where it is of somebody whose account is closed.
    let add = ask(app, move |accounts| accounts.by("first sign-in elsewhere").add_linked(&new, &issuer, &subject, now));
    add.await?.ok_or_else(unknown)
}
