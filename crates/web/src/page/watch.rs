//! Saved queries and what they were told of last. The forms are the only ones of this server that change something; they
//! are taken from its own pages only ([`crate::guard`]).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use hinomi_share::{Event, Events, NewWatch, Saved};

use super::fault::{self, Fault};
use super::{Frame, render};
use crate::app::App;
use crate::auth::form::Form as Fields;
use crate::guard::FORMS;
use crate::limits::{PAGE_EVENTS, PAGE_WATCHES};
use crate::link;
use crate::moment;
use crate::read::{Desk, DeskError};
use crate::seen::Seen;
use crate::visit::Visit;
use crate::words::Words;

/// What a change may be called, as in keys of the catalogues.
pub(crate) const WHATS: [&str; 4] = ["opened", "changed", "closed", "reopened"];

#[derive(Template)]
#[template(path = "watch.html")]
struct WatchPage {
    frame: Frame,
    trouble: Option<Trouble>,
    /// What the form had, when it could not be taken.
    name: String,
    query: String,
    owner: String,
    watches: Vec<WatchView>,
    more: Option<String>,
    events: Vec<EventView>,
    damaged: bool,
    /// Saved queries cannot be read.
    unread: bool,
}

struct Trouble {
    title: String,
    detail: Option<Seen>,
}

struct WatchView {
    name: String,
    shown: Seen,
    query: Seen,
    href: String,
    owner: Seen,
    created: String,
    within: Option<String>,
}

struct EventView {
    number: String,
    seen: String,
    what: String,
    service: Seen,
    href: String,
    watches: Vec<Seen>,
}

pub(super) async fn show(desk: Desk, visit: Visit) -> Response {
    let form = Form { query: visit.parameter("q").unwrap_or_default().to_owned(), ..Form::default() };
    answer(&desk, &visit, &form, None).await
}

/// The fields of the form.
#[derive(Default)]
struct Form {
    remove: Option<String>,
    name: String,
    query: String,
    owner: String,
}

/// `POST`: saves a query, or removes the one of a name, and shows the page again.
pub(super) async fn change(State(app): State<App>, desk: Desk, visit: Visit, fields: Fields) -> Response {
    let form = Form {
        remove: fields.find("remove").map(str::to_owned),
        name: fields.get("name").trim().to_owned(),
        query: fields.get("query").trim().to_owned(),
        owner: fields.get("owner").trim().to_owned(),
    };
    match take(&app, &desk, &form).await {
        Ok(()) => Redirect::to(FORMS).into_response(),
        Err(error) => answer(&desk, &visit, &form, Some(Fault::from(error))).await,
    }
}

async fn take(app: &App, desk: &Desk, form: &Form) -> Result<(), DeskError> {
    if let Some(name) = form.remove.clone() {
        return desk.ask(move |reader| reader.watches().remove(&name).map(|_| ())).await;
    }
    let (name, query, owner) = (form.name.clone(), form.query.clone(), form.owner.clone());
    let (new, now) = (NewWatch { name, query, owner, within: None }, app.now());
    desk.ask(move |reader| reader.watches().add(&new, now).map(|_| ())).await
}

async fn answer(desk: &Desk, visit: &Visit, form: &Form, trouble: Option<Fault>) -> Response {
    let looked = desk.ask(|reader| {
        let desk = reader.watches();
        let events = desk.last_events(PAGE_EVENTS)?;
        // What is saved may be unreadable; what was told is shown all the same.
        Ok((desk.queries(), events))
    });
    let status = trouble.as_ref().map_or(StatusCode::OK, |fault| fault.status);
    match looked.await {
        Ok((saved, events)) => {
            if let Err(error) = &saved {
                tracing::error!(%error, "saved queries cannot be read");
            }
            let unread = saved.is_err();
            let mut page = compose(visit, form, trouble, &saved.unwrap_or_default(), &events);
            page.unread = unread;
            render(visit, status, &page)
        }
        Err(error) => fault::page(visit, &Fault::from(error)),
    }
}

fn compose(visit: &Visit, form: &Form, trouble: Option<Fault>, saved: &[Saved], events: &Events) -> WatchPage {
    let w = &visit.words;
    let left = u64::try_from(saved.len().saturating_sub(PAGE_WATCHES)).unwrap_or(u64::MAX);
    let trouble = trouble.map(|fault| Trouble {
        title: w.say(&format!("problem-{}", fault.code)),
        detail: fault.in_words_of(w).map(|detail| Seen::line(&detail)),
    });
    WatchPage {
        frame: Frame::new(visit, &w.say("watch-title"), "watch"),
        trouble,
        name: form.name.clone(),
        query: form.query.clone(),
        owner: form.owner.clone(),
        watches: saved.iter().take(PAGE_WATCHES).map(|one| watch_view(w, one)).collect(),
        more: (left > 0).then(|| w.count("watch-more", left)),
        events: events.events.iter().map(|event| event_view(w, event, saved)).collect(),
        damaged: events.damaged > 0,
        unread: false,
    }
}

fn watch_view(w: &Words, saved: &Saved) -> WatchView {
    let prefixes = saved.within.as_ref().map(|nets| u64::try_from(nets.len()).unwrap_or(u64::MAX));
    WatchView {
        name: saved.name.clone(),
        shown: Seen::line(&saved.name),
        query: Seen::line(&saved.query),
        href: link::search(&saved.query),
        owner: Seen::word(&saved.owner),
        created: moment::minute(saved.created),
        within: prefixes.map(|count| w.count("watch-within", count)),
    }
}

fn event_view(w: &Words, event: &Event, saved: &[Saved]) -> EventView {
    let name = |id: &u64| {
        let known = saved.binary_search_by_key(id, |one| one.id).ok().and_then(|at| saved.get(at));
        known.map_or_else(|| Seen::word(&format!("#{id}")), |one| Seen::word(&one.name))
    };
    let what = WHATS.iter().find(|what| **what == event.what);
    EventView {
        number: moment::grouped(event.number),
        seen: moment::minute(event.seen),
        what: what.map_or_else(|| event.what.clone(), |what| w.say(&format!("watch-what-{what}"))),
        service: Seen::word(&event.service.to_string()),
        href: link::host(event.service.address),
        watches: event.watches.iter().take(20).map(name).collect(),
    }
}
