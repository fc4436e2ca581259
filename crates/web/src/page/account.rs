//! My account: what I may, where I am signed in, my keys, passkeys, accounts elsewhere and password.
//!
//! Every name in a form is looked up among what is the caller's own: what is somebody else's is not found.

pub(crate) mod again;
mod mail;
pub(crate) mod passkey;
pub(crate) mod people;
pub(crate) mod provider;
pub(crate) mod sign_in;

use std::net::IpAddr;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hinomi_model::{Purpose, Timestamp};
use hinomi_state::account_mail::AccountMail;
use hinomi_state::{ApiKey, Linked, NewKey, Passkey, PasswordHash, Person, Role, Session};

use self::mail::MailView;
use self::provider::{LinkedView, ProviderView};
use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::auth::admit::{SIGN_IN, redirect};
use crate::auth::again::{lead, recent};
use crate::auth::form::Form;
use crate::auth::password::{Try, confirm};
use crate::auth::{ask, cookie, entry, hash};
use crate::guard::Source;
use crate::language::Language;
use crate::moment;
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// The page.
pub(crate) const ACCOUNT: &str = "/account";

/// What may be read for, as people choose it.
pub(crate) const PURPOSES: [Purpose; 5] =
    [Purpose::ExposureReduction, Purpose::Notification, Purpose::CncDetection, Purpose::Research, Purpose::Exercise];

/// For how many days a key may be asked for.
const KEY_DAYS: [u64; 4] = [30, 90, 365, 730];
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    notice: Option<Notice>,
    name: Seen,
    rights: Vec<String>,
    memberships: Vec<(Seen, String)>,
    administrator: bool,
    has_password: bool,
    purposes: Vec<PurposeView>,
    sessions: Vec<SessionView>,
    keys: Vec<KeyView>,
    organisations: Vec<String>,
    days: Vec<(u64, String)>,
    kinds: [&'static str; 4],
    passkeys: Vec<PasskeyView>,
    linked: Vec<LinkedView>,
    providers: Vec<ProviderView>,
    mails: Vec<MailView>,
    japanese: bool,
    script: String,
}

/// What became of a form.
pub(crate) struct Notice {
    pub(crate) good: bool,
    pub(crate) text: String,
    pub(crate) detail: Option<Seen>,
    /// Shown once.
    pub(crate) secret: Option<String>,
}

impl Notice {
    pub(crate) fn done(text: String) -> Self {
        Self { good: true, text, detail: None, secret: None }
    }

    pub(crate) fn of(w: &Words, fault: &Fault) -> Self {
        let detail = fault.in_words_of(w).map(|detail| Seen::line(&detail));
        Self { good: false, text: w.say(&format!("problem-{}", fault.code)), detail, secret: None }
    }
}

struct PurposeView {
    name: &'static str,
    label: String,
    chosen: bool,
}

struct SessionView {
    id: String,
    here: bool,
    way: String,
    source: Seen,
    agent: Seen,
    created: String,
    used: String,
}

struct KeyView {
    id: String,
    label: Seen,
    organisation: Seen,
    purpose: String,
    may: String,
    kinds: String,
    expires: String,
    used: String,
    /// Whether it still opens something.
    holds: bool,
}

struct PasskeyView {
    id: String,
    label: Seen,
    created: String,
    used: String,
}

/// Who is signed in here, and as which session.
pub(crate) struct Mine {
    pub(crate) person: Person,
    pub(crate) session: String,
}

/// Whoever signed in with a browser.
///
/// # Errors
/// When nobody did: the operator has no account, and keys manage none.
pub(crate) fn mine(visit: &Visit) -> Result<Mine, Fault> {
    let found = visit.caller.as_ref().and_then(|caller| caller.signed_in());
    let found = found.map(|(person, session, _)| Mine { person: person.clone(), session: session.to_owned() });
    found.ok_or_else(|| Fault::new(StatusCode::FORBIDDEN, "no-account"))
}

pub(crate) async fn show(State(app): State<App>, visit: Visit) -> Response {
    answer(&app, &visit, None).await
}

/// The page, with what became of a form.
async fn answer(app: &App, visit: &Visit, notice: Option<Notice>) -> Response {
    match look(app, visit).await {
        Ok(looked) => {
            let status =
                if notice.as_ref().is_none_or(|notice| notice.good) { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            render(visit, status, &compose(app, visit, &looked, notice))
        }
        Err(fault) => fault::page(visit, &fault),
    }
}

struct Looked {
    mine: Mine,
    sessions: Vec<Session>,
    keys: Vec<ApiKey>,
    passkeys: Vec<Passkey>,
    linked: Vec<Linked>,
    mails: Vec<AccountMail>,
}

async fn look(app: &App, visit: &Visit) -> Result<Looked, Fault> {
    let mine = mine(visit)?;
    let (id, now) = (mine.person.id.clone(), app.now());
    ask(app, move |accounts| {
        let (sessions, keys) = (accounts.sessions(&id, now)?, accounts.keys(&id)?);
        let (passkeys, linked) = (accounts.passkeys(&id)?, accounts.linked(&id)?);
        let mails = accounts.account_mails(&id)?;
        Ok(Looked { mine, sessions, keys, passkeys, linked, mails })
    })
    .await
}

fn compose(app: &App, visit: &Visit, looked: &Looked, notice: Option<Notice>) -> AccountPage {
    let w = &visit.words;
    let person = &looked.mine.person;
    let here = looked.sessions.iter().find(|session| session.id == looked.mine.session);
    let purpose = here.map(|session| session.purpose);
    AccountPage {
        frame: Frame::new(visit, &w.say("account-title"), "account"),
        notice,
        name: Seen::word(&person.name),
        rights: rights(w, person),
        memberships: person.memberships.iter().map(|one| (Seen::word(&one.organisation), role(w, one.role))).collect(),
        administrator: person.administrator,
        has_password: person.has_password,
        purposes: PURPOSES.iter().map(|one| purpose_view(w, *one, purpose == Some(*one))).collect(),
        sessions: looked.sessions.iter().map(|one| session_view(w, one, app.now(), &looked.mine.session)).collect(),
        keys: looked.keys.iter().map(|key| key_view(w, key, app.now())).collect(),
        organisations: person.memberships.iter().map(|one| one.organisation.clone()).collect(),
        days: KEY_DAYS.iter().map(|days| (*days, w.count("key-for-days", *days))).collect(),
        kinds: hinomi_state::keys::KINDS,
        passkeys: looked.passkeys.iter().map(|passkey| passkey_view(w, passkey)).collect(),
        linked: provider::linked_views(app, visit, &looked.linked),
        providers: provider::to_link(app, visit),
        mails: looked.mails.iter().map(|one| MailView::new(w, one)).collect(),
        japanese: w.language() == Language::Japanese,
        script: crate::asset::address("passkey.js"),
    }
}

/// The rights of the installation that a person has.
pub(crate) fn rights(w: &Words, person: &Person) -> Vec<String> {
    let administrator = person.administrator.then(|| w.say("right-administrator"));
    administrator.into_iter().chain(person.analyst.then(|| w.say("right-analyst"))).collect()
}

pub(crate) fn role(w: &Words, role: Role) -> String {
    w.say(&format!("role-{role}"))
}

fn purpose_view(w: &Words, purpose: Purpose, chosen: bool) -> PurposeView {
    PurposeView { name: purpose.name(), label: w.say(&format!("purpose-{purpose}")), chosen }
}

fn session_view(w: &Words, session: &Session, now: Timestamp, here: &str) -> SessionView {
    SessionView {
        id: session.id.clone(),
        here: session.id == here,
        way: w.find("way-", &session.way).unwrap_or_else(|| session.way.clone()),
        source: Seen::word(&session.source),
        agent: Seen::word(&session.agent),
        created: moment::minute(session.created),
        used: moment::relative(w, now, session.used),
    }
}

fn key_view(w: &Words, key: &ApiKey, now: Timestamp) -> KeyView {
    let holds = key.revoked.is_none() && now < key.expires;
    KeyView {
        id: key.id.clone(),
        label: Seen::word(&key.label),
        organisation: key.organisation.as_deref().map_or_else(|| Seen::word("–"), Seen::word),
        purpose: w.say(&format!("purpose-{}", key.purpose)),
        may: w.say(if key.writes { "key-writes" } else { "key-reads" }),
        kinds: if key.kinds.is_empty() { "–".to_owned() } else { key.kinds.join(", ") },
        expires: if key.revoked.is_some() { w.say("key-revoked") } else { moment::date(key.expires) },
        used: key.used.map_or_else(|| w.say("never-used"), |used| moment::relative(w, now, used)),
        holds,
    }
}

fn passkey_view(w: &Words, passkey: &Passkey) -> PasskeyView {
    PasskeyView {
        id: passkey.id.clone(),
        label: Seen::word(&passkey.label),
        created: moment::date(passkey.created),
        used: passkey.used.map_or_else(|| w.say("never-used"), moment::minute),
    }
}

/// `POST /account/sign-out`
pub(crate) async fn sign_out(State(app): State<App>, visit: Visit, headers: HeaderMap, _: Form) -> Response {
    if let Err(fault) = entry::leave(&app, &headers).await {
        return fault::page(&visit, &fault);
    }
    let mut response = redirect(SIGN_IN);
    cookie::clear_session(&app, &mut response);
    response
}

/// `POST /account`: one of the forms of the page.
pub(crate) async fn change(
    State(app): State<App>,
    Extension(Source(source)): Extension<Source>,
    visit: Visit,
    headers: HeaderMap,
    form: Form,
) -> Response {
    let done = match form.get("do") {
        "end-session" => end_session(&app, &visit, &form).await,
        "purpose" => set_purpose(&app, &visit, &form).await,
        "password" => set_password(&app, &visit, &headers, source, &form).await,
        "add-key" => add_key(&app, &visit, &form).await,
        "revoke-key" => revoke_key(&app, &visit, &form).await,
        "remove-passkey" => remove_passkey(&app, &visit, &form).await,
        "unlink" => provider::unlink(&app, &visit, &form).await,
        "mail-ask" | "mail-confirm" | "mail-remove" => mail::change(&app, &visit, &form).await,
        _ => Err(Fault::new(StatusCode::BAD_REQUEST, "parameter")),
    };
    if let Some(asked) = done.as_ref().err().and_then(|fault| lead(fault, ACCOUNT)) {
        return asked;
    }
    let notice = done.unwrap_or_else(|fault| Notice::of(&visit.words, &fault));
    answer(&app, &visit, Some(notice)).await
}

async fn end_session(app: &App, visit: &Visit, form: &Form) -> Result<Notice, Fault> {
    let (mine, session) = (mine(visit)?, form.get("id").to_owned());
    let ended = ask(app, move |accounts| accounts.by(&mine.person.name).end_session(&mine.person.id, &session)).await?;
    found(ended)?;
    Ok(Notice::done(visit.words.say("session-ended")))
}

async fn set_purpose(app: &App, visit: &Visit, form: &Form) -> Result<Notice, Fault> {
    let (mine, purpose) = (mine(visit)?, purpose_of(form.get("purpose"))?);
    ask(app, move |accounts| accounts.set_purpose(&mine.person.id, &mine.session, purpose)).await?;
    Ok(Notice::done(visit.words.say("purpose-set")))
}

async fn set_password(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
    source: IpAddr,
    form: &Form,
) -> Result<Notice, Fault> {
    let mine = mine(visit)?;
    if mine.person.has_password {
        let tried = Try { name: mine.person.name.clone(), password: form.get("current").to_owned(), source };
        confirm(app, headers, &mine.person, tried).await.map_err(|refusal| refusal.into_fault())?;
    } else {
        recent(app, &mine).await?;
    }
    let (password, name) = (form.get("new").to_owned(), mine.person.name.clone());
    let kept = hash(app, move || PasswordHash::of(&password, &name)).await??;
    ask(app, move |accounts| {
        let name = &mine.person.name;
        accounts.by(name).set_password(name, &kept, Some(&mine.session))
    })
    .await?;
    Ok(Notice::done(visit.words.say("password-set")))
}

async fn add_key(app: &App, visit: &Visit, form: &Form) -> Result<Notice, Fault> {
    let (mine, now) = (mine(visit)?, app.now());
    recent(app, &mine).await?;
    let days = form.get("days").parse().ok().filter(|days| KEY_DAYS.contains(days));
    let days = days.ok_or_else(|| Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&"days"))?;
    let new = NewKey {
        label: form.get("label").to_owned(),
        organisation: Some(form.get("organisation").to_owned()).filter(|id| !id.is_empty()),
        purpose: purpose_of(form.get("purpose"))?,
        writes: form.get("may") == "write",
        kinds: form.all("kind").map(str::to_owned).collect(),
        expires: now.plus(DAY * u32::try_from(days).unwrap_or(1)),
    };
    let (text, _) =
        ask(app, move |accounts| accounts.by(&mine.person.name).add_key(&mine.person.id, &new, now)).await?;
    let secret = Some(text.reveal());
    Ok(Notice { secret, ..Notice::done(visit.words.say("key-added")) })
}

async fn revoke_key(app: &App, visit: &Visit, form: &Form) -> Result<Notice, Fault> {
    let (mine, key, now) = (mine(visit)?, form.get("id").to_owned(), app.now());
    let revoked =
        ask(app, move |accounts| accounts.by(&mine.person.name).revoke_key(&mine.person.id, &key, now)).await?;
    found(revoked)?;
    Ok(Notice::done(visit.words.say("key-is-revoked")))
}

async fn remove_passkey(app: &App, visit: &Visit, form: &Form) -> Result<Notice, Fault> {
    let (mine, passkey) = (mine(visit)?, form.get("id").to_owned());
    recent(app, &mine).await?;
    let removed =
        ask(app, move |accounts| accounts.by(&mine.person.name).remove_passkey(&mine.person.id, &passkey)).await?;
    found(removed)?;
    Ok(Notice::done(visit.words.say("passkey-removed")))
}

fn found(found: bool) -> Result<(), Fault> {
    if found { Ok(()) } else { Err(Fault::new(StatusCode::NOT_FOUND, "not-found")) }
}

/// A purpose of a form.
pub(crate) fn purpose_of(text: &str) -> Result<Purpose, Fault> {
    let found = PURPOSES.into_iter().find(|purpose| purpose.name() == text);
    found.ok_or_else(|| Fault::new(StatusCode::BAD_REQUEST, "parameter").because(&"purpose"))
}
