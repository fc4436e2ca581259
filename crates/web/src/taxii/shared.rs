//! Collections of what is shared: objects with the bytes as they came, for whoever may see each; and adding to them.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use hinomi_model::{Timestamp, Tlp};
use hinomi_share::objects::{Giver, ObjectsError, Report, Shared, Shelf, Sight, Terms, Told, ToldPage};
use hinomi_share::taxii::collection;
use hinomi_share::{ReadError, Reader};
use serde_json::{Value, json};

use super::answer::{Refusal, acceptable, date, is_sent_as_taxii, micros, refuse, written};
use super::{Pairs, read};
use crate::app::App;
use crate::auth::Caller;
use crate::read::{Desk, DeskError};

/// The media type of objects.
const MEDIA_TYPE: &str = "application/stix+json;version=2.1";

/// What is told of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Objects,
    Manifest,
    Versions,
}

/// Asks the shelf, as the caller.
async fn ask<T, F>(app: &App, desk: &Desk, question: F) -> Result<T, Refusal>
where
    T: Send + 'static,
    F: FnOnce(&Shelf, &Reader) -> Result<T, ObjectsError> + Send + 'static,
{
    let accounts = app.accounts.clone();
    let answer = desk.ask(move |reader| {
        let database = accounts.database().map_err(|error| ReadError::Failed(error.to_string()))?;
        Ok(question(&Shelf::new(database), reader))
    });
    Ok(answer.await.map_err(|error: DeskError| Refusal::from(error))??)
}

fn describe(one: &Shared) -> Value {
    json!({
        "id": one.id,
        "title": one.title,
        "description": one.description,
        "alias": one.alias,
        "can_read": true,
        "can_write": one.can_write,
        "media_types": [MEDIA_TYPE],
    })
}

/// The collections of what is shared that are the caller's.
pub(super) async fn described(app: &App, desk: &Desk, caller: &Caller) -> Result<Vec<Value>, Refusal> {
    let giver = caller.giver().map(|giver| giver.organisation);
    let found = ask(app, desk, move |shelf, reader| shelf.collections(&Sight::of(reader), giver.as_deref())).await?;
    Ok(found.iter().map(describe).collect())
}

/// One of them.
pub(super) async fn one(app: &App, desk: &Desk, caller: &Caller, name: String) -> Result<Value, Refusal> {
    let giver = caller.giver().map(|giver| giver.organisation);
    let found = ask(app, desk, move |shelf, reader| shelf.collection(&Sight::of(reader), giver.as_deref(), &name));
    Ok(describe(&found.await?))
}

/// `GET …/objects/`, `…/manifest/`, `…/objects/{id}/`, `…/objects/{id}/versions/` (5.3 to 5.8)
pub(super) async fn page(
    app: &App,
    desk: &Desk,
    headers: &HeaderMap,
    of: (String, Option<String>),
    query: Pairs,
    form: Form,
) -> Response {
    match find(app, desk, headers, of, query, form).await {
        Ok(page) => envelope(&page, form),
        Err(refusal) => refuse(&refusal),
    }
}

async fn find(
    app: &App,
    desk: &Desk,
    headers: &HeaderMap,
    (name, id): (String, Option<String>),
    query: Pairs,
    form: Form,
) -> Result<ToldPage, Refusal> {
    acceptable(headers)?;
    let mut ask_for = read(query, id.as_deref())?;
    if form == Form::Versions {
        ask_for.filter = ask_for.filter.all_versions();
    }
    let first = ask_for.added_after.is_none() && ask_for.next.is_none();
    let found = ask(app, desk, move |shelf, reader| {
        let collection = shelf.collection(&Sight::of(reader), None, &name)?;
        shelf.page(reader, &collection, &ask_for, form == Form::Objects)
    });
    let page = found.await?;
    match id.is_some() && first && page.objects.is_empty() && page.next.is_none() {
        true => Err(Refusal::new(StatusCode::NOT_FOUND, "There is no such object, or it is not for you")),
        false => Ok(page),
    }
}

/// The envelope, with each object's own bytes in it.
fn envelope(page: &ToldPage, form: Form) -> Response {
    let one = |told: &Told| match form {
        Form::Objects => told.body.clone(),
        Form::Versions => Value::from(told.version.as_str()).to_string(),
        Form::Manifest => {
            let (added, version) = (micros(told.added), &told.version);
            json!({ "id": told.id, "date_added": added, "version": version, "media_type": MEDIA_TYPE }).to_string()
        }
    };
    let mut members = Vec::new();
    if let Some(next) = &page.next {
        members.push(format!("\"more\":true,\"next\":{}", Value::from(next.as_str())));
    }
    if !page.objects.is_empty() {
        let name = if form == Form::Versions { "versions" } else { "objects" };
        members.push(format!("\"{name}\":[{}]", page.objects.iter().map(one).collect::<Vec<_>>().join(",")));
    }
    let mut response = written(StatusCode::OK, format!("{{{}}}", members.join(",")));
    let added = |told: Option<&Told>| told.map(|told| told.added);
    date(&mut response, added(page.objects.first()), added(page.objects.last()));
    response
}

/// `POST …/objects/` (5.5)
pub(super) async fn add(
    State(app): State<App>,
    desk: Desk,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(name): Path<String>,
    body: Bytes,
) -> Response {
    match added(&app, &desk, &caller, &headers, name, body).await {
        Ok(status) => written(StatusCode::ACCEPTED, status),
        Err(refusal) => refuse(&refusal),
    }
}

async fn added(
    app: &App,
    desk: &Desk,
    caller: &Caller,
    headers: &HeaderMap,
    name: String,
    body: Bytes,
) -> Result<String, Refusal> {
    acceptable(headers)?;
    let giver = giver(caller, &name)?;
    is_sent_as_taxii(headers)?;
    let now = app.now();
    let taken = ask(app, desk, move |shelf, reader| {
        let collection = shelf.collection(&Sight::of(reader), Some(&giver.organisation), &name)?;
        if !collection.can_write {
            return Err(ObjectsError::Forbidden("This collection can only be read".to_owned()));
        }
        let then = reader.places_then()?;
        let asn = |address, time| then.asn(address, time);
        let audience = collection.audience.as_deref();
        let terms = Terms { giver: &giver, audience, unmarked: Tlp::Red, origin: "", asn: &asn };
        let report = shelf.give(&terms, &body, now)?;
        shelf.keep_status(&giver, now, |id| status_of(id, &report, now))
    });
    taken.await
}

/// As whom objects are given to a collection.
fn giver(caller: &Caller, name: &str) -> Result<Giver, Refusal> {
    if collection(name).is_some() {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "This collection can only be read"));
    }
    caller.giver().ok_or_else(|| {
        let why = "Objects are given for one organisation: use a key for one of which its owner is an editor";
        Refusal::new(StatusCode::FORBIDDEN, why)
    })
}

/// The status of the standard (4.3).
fn status_of(id: &str, report: &Report, now: Timestamp) -> String {
    let mut status = json!({
        "id": id,
        "status": "complete",
        "request_timestamp": micros(now),
        "total_count": report.total,
        "success_count": report.successes.len(),
        "failure_count": report.failures.len(),
        "pending_count": 0,
    });
    for (name, list) in [("successes", &report.successes), ("failures", &report.failures)] {
        if !list.is_empty() {
            status[name] = json!(list);
        }
    }
    status.to_string()
}

/// `GET …/status/{id}/` (4.3): for whoever gave what it is about.
pub(super) async fn status(
    State(app): State<App>,
    desk: Desk,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let missing = || Refusal::new(StatusCode::NOT_FOUND, "There is no such status");
    let found = async {
        acceptable(&headers)?;
        let giver = caller.giver().ok_or_else(missing)?;
        ask(&app, &desk, move |shelf, _| shelf.status(&giver, &id)).await?.ok_or_else(missing)
    };
    match found.await {
        Ok(status) => written(StatusCode::OK, status),
        Err(refusal) => refuse(&refusal),
    }
}

/// `DELETE …/objects/{id}/` (5.7): the last version, where no version is named.
pub(super) async fn remove(
    State(app): State<App>,
    desk: Desk,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path((name, id)): Path<(String, String)>,
    query: Pairs,
) -> Response {
    let removed = async {
        acceptable(&headers)?;
        let giver = giver(&caller, &name)?;
        let filter = read(query, Some(&id))?.filter;
        let done = ask(&app, &desk, move |shelf, reader| {
            let collection = shelf.collection(&Sight::of(reader), Some(&giver.organisation), &name)?;
            if !collection.can_write {
                return Err(ObjectsError::Forbidden("This collection can only be read".to_owned()));
            }
            shelf.withdraw(reader, &collection, &giver.organisation, &filter)
        });
        done.await
    };
    match removed.await {
        Ok(_) => written(StatusCode::OK, "{}".to_owned()),
        Err(refusal) => refuse(&refusal),
    }
}
