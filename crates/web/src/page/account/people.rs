//! Administration of people: who has an account, what they may, for whom they act. For administrators alone.
//!
//! What a form may set is read by name; nothing else of it counts.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hinomi_state::{NewPerson, Person, Role};

use super::{Mine, Notice, mine, rights, role};
use crate::app::App;
use crate::auth::again::{lead, recent};
use crate::auth::form::Form;
use crate::auth::{Caller, ask, entry};
use crate::guard::own_origin;
use crate::limits::PAGE_PEOPLE;
use crate::link;
use crate::moment;
use crate::page::fault::{self, Fault};
use crate::page::{Frame, render};
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// The page.
pub(crate) const PEOPLE: &str = "/account/people";

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    notice: Option<Notice>,
    people: Vec<PersonView>,
    more: Option<String>,
    roles: Vec<(&'static str, String)>,
}

struct PersonView {
    name: String,
    shown: Seen,
    full_name: Seen,
    rights: Vec<String>,
    memberships: Vec<(Seen, String)>,
    created: String,
    closed: bool,
}

/// Whoever administers people.
fn administrator(visit: &Visit) -> Result<Mine, Fault> {
    let mine = mine(visit)?;
    let refused = || Fault::new(StatusCode::FORBIDDEN, "not-entitled");
    Some(mine).filter(|mine| mine.person.administrator).ok_or_else(refused)
}

pub(crate) async fn show(State(app): State<App>, visit: Visit) -> Response {
    answer(&app, &visit, None).await
}

async fn answer(app: &App, visit: &Visit, notice: Option<Notice>) -> Response {
    if let Err(fault) = administrator(visit) {
        return fault::page(visit, &fault);
    }
    match ask(app, |accounts| accounts.people()).await {
        Ok(people) => {
            let status =
                if notice.as_ref().is_none_or(|notice| notice.good) { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            render(visit, status, &compose(visit, &people, notice))
        }
        Err(fault) => fault::page(visit, &fault),
    }
}

fn compose(visit: &Visit, people: &[Person], notice: Option<Notice>) -> PeoplePage {
    let w = &visit.words;
    let left = people.len().saturating_sub(PAGE_PEOPLE);
    PeoplePage {
        frame: Frame::new(visit, &w.say("people-title"), "account"),
        notice,
        people: people.iter().take(PAGE_PEOPLE).map(|person| person_view(w, person)).collect(),
        more: (left > 0).then(|| w.count("people-more", u64::try_from(left).unwrap_or(u64::MAX))),
        roles: Role::ALL.iter().map(|one| (one.name(), role(w, *one))).collect(),
    }
}

fn person_view(w: &Words, person: &Person) -> PersonView {
    PersonView {
        name: person.name.clone(),
        shown: Seen::word(&person.name),
        full_name: Seen::word(&person.full_name),
        rights: rights(w, person),
        memberships: person.memberships.iter().map(|one| (Seen::word(&one.organisation), role(w, one.role))).collect(),
        created: moment::date(person.created),
        closed: person.disabled.is_some(),
    }
}

/// `POST /account/people`: one of the forms of the page.
pub(crate) async fn change(State(app): State<App>, visit: Visit, headers: HeaderMap, form: Form) -> Response {
    let mine = match administrator(&visit) {
        Ok(mine) => mine,
        Err(fault) => return fault::page(&visit, &fault),
    };
    if let Err(fault) = recent(&app, &mine).await {
        return lead(&fault, PEOPLE).unwrap_or_else(|| fault::page(&visit, &fault));
    }
    let origin = own_origin(&app.settings, &headers);
    let done = match form.get("do") {
        "add" => add(&app, &visit, &origin, &form).await,
        "invite" => invite(&app, &visit, &origin, &form).await,
        "close" | "open" | "rights" | "role" => set(&app, &visit, &form).await,
        _ => Err(Fault::new(StatusCode::BAD_REQUEST, "parameter")),
    };
    let notice = done.unwrap_or_else(|fault| Notice::of(&visit.words, &fault));
    answer(&app, &visit, Some(notice)).await
}

async fn add(app: &App, visit: &Visit, origin: &str, form: &Form) -> Result<Notice, Fault> {
    let new = NewPerson {
        name: form.get("name").to_owned(),
        full_name: form.get("full-name").to_owned(),
        administrator: form.get("administrator") == "yes",
        analyst: form.get("analyst") == "yes",
        password: None,
    };
    let now = app.now();
    let by = by(visit);
    let person = ask(app, move |accounts| accounts.by(&by).add(&new, now)).await?;
    invitation(app, visit, origin, &person).await
}

async fn invite(app: &App, visit: &Visit, origin: &str, form: &Form) -> Result<Notice, Fault> {
    let name = form.get("name").to_owned();
    let person = ask(app, move |accounts| accounts.person(&name)).await?;
    let person = person.ok_or_else(|| Fault::new(StatusCode::NOT_FOUND, "not-found"))?;
    invitation(app, visit, origin, &person).await
}

/// The link is shown, and not sent: how it gets there is the administrator's to see to. It calls the server as the
/// administrator's browser did, so that it leads to the same port.
async fn invitation(app: &App, visit: &Visit, origin: &str, person: &Person) -> Result<Notice, Fault> {
    let key = entry::invite(app, person, by(visit)).await?;
    let path = link::with_parameters("/sign-in/invited", [("key", key.as_str())]);
    let text = visit.words.with("invitation-made", &person.name);
    Ok(Notice { secret: Some(format!("{origin}{path}")), ..Notice::done(text) })
}

/// Who changes accounts here, for the ledger.
fn by(visit: &Visit) -> String {
    visit.caller.as_ref().map(Caller::name).unwrap_or_default()
}

async fn set(app: &App, visit: &Visit, form: &Form) -> Result<Notice, Fault> {
    let (name, now) = (form.get("name").to_owned(), app.now());
    let flags = (form.get("administrator") == "yes", form.get("analyst") == "yes");
    let organisation = form.get("organisation").trim().to_owned();
    let role = match form.get("role") {
        "" | "none" => None,
        text => Some(text.parse::<Role>()?),
    };
    let (what, by) = (form.get("do").to_owned(), by(visit));
    ask(app, move |accounts| {
        let accounts = accounts.by(&by);
        match what.as_str() {
            "close" => accounts.disable(&name, Some(now)),
            "open" => accounts.disable(&name, None),
            "rights" => accounts.set_rights(&name, flags.0, flags.1),
            _ => accounts.set_role(&name, &organisation, role),
        }
    })
    .await?;
    Ok(Notice::done(visit.words.say("people-changed")))
}
