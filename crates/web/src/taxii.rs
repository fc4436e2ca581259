//! A TAXII 2.1 server (OASIS standard of 10 June 2021) under `/taxii2/`: what [`share::taxii`](hinomi_share::taxii) answers,
//! with the addresses, headers and errors of the standard.
//!
//! Collections of services are read only; to those of what is shared ([`shared`]) organisations add. Everything is asked
//! through a [`Desk`], so that each object is one that its caller may see; who may see nothing gets empty collections.

mod answer;
mod shared;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use hinomi_model::Timestamp;
use hinomi_share::objects::MAX_ENVELOPE_BYTES;
use hinomi_share::stix::Object;
use hinomi_share::taxii::{Ask, COLLECTIONS, Collection, DEFAULT_PAGE, MAX_PAGE, Page, collection, page};
use serde_json::{Value, json};

use crate::app::App;
use crate::auth::Caller;
use crate::limits::MAX_PARAMETERS;
use crate::read::Desk;
use answer::{Refusal, envelope, ok, refuse};

/// Where the server is.
pub(crate) const BASE: &str = "/taxii2/";
/// Its one API root.
const ROOT: &str = "/taxii2/default/";
/// The most bytes of a request that adds objects.
pub(crate) const MAX_CONTENT_BYTES: usize = MAX_ENVELOPE_BYTES;

/// The parameters of a request.
type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

pub(crate) fn routes() -> Router<App> {
    let of = |path: &str| format!("{ROOT}{path}");
    let objects = get(objects).post(shared::add).layer(DefaultBodyLimit::max(MAX_CONTENT_BYTES));
    Router::new()
        .route(BASE, get(discovery))
        .route(ROOT, get(root))
        .route(&of("collections/"), get(collections))
        .route(&of("collections/{collection}/"), get(one))
        .route(&of("collections/{collection}/manifest/"), get(manifest))
        .route(&of("collections/{collection}/objects/"), objects)
        .route(&of("collections/{collection}/objects/{object}/"), get(object).delete(shared::remove))
        .route(&of("collections/{collection}/objects/{object}/versions/"), get(versions))
        .route(&of("status/{status}/"), get(shared::status))
}

/// `GET /taxii2/` (4.1)
async fn discovery(_: Desk, headers: HeaderMap) -> Response {
    ok(
        &headers,
        &json!({
            "title": "Hinomi",
            "description": "Services that answered, with what is known of them.",
            "default": ROOT,
            "api_roots": [ROOT],
        }),
    )
}

/// `GET /taxii2/default/` (4.2)
async fn root(_: Desk, headers: HeaderMap) -> Response {
    ok(
        &headers,
        &json!({
            "title": "Hinomi",
            "description": "Only what you may see is here. What that is, and by which rules, says /api/v1/entitlement; why you see an \
                            address, /api/v1/hosts/{address}/why; for people, /entitlement.",
            "versions": ["application/taxii+json;version=2.1"],
            "max_content_length": MAX_CONTENT_BYTES,
        }),
    )
}

fn described(one: &Collection) -> Value {
    json!({
        "id": one.id,
        "title": one.title,
        "description": one.description,
        "alias": one.alias,
        "can_read": true,
        "can_write": false,
        "media_types": ["application/stix+json;version=2.1"],
    })
}

/// `GET …/collections/` (5.1)
async fn collections(
    State(app): State<App>,
    desk: Desk,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    match shared::described(&app, &desk, &caller).await {
        Ok(more) => {
            let all: Vec<Value> = COLLECTIONS.iter().map(described).chain(more).collect();
            ok(&headers, &json!({ "collections": all }))
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// `GET …/collections/{id}/` (5.2)
async fn one(
    State(app): State<App>,
    desk: Desk,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Response {
    if let Some(found) = collection(&name) {
        return ok(&headers, &described(found));
    }
    match shared::one(&app, &desk, &caller, name).await {
        Ok(found) => ok(&headers, &found),
        Err(refusal) => refuse(&refusal),
    }
}

/// `GET …/objects/` (5.4)
async fn objects(
    State(app): State<App>,
    desk: Desk,
    headers: HeaderMap,
    Path(name): Path<String>,
    query: Pairs,
) -> Response {
    let Some(found) = collection(&name) else {
        return shared::page(&app, &desk, &headers, (name, None), query, shared::Form::Objects).await;
    };
    match answered(&app, &desk, read(query, None).map(|ask| (found, ask))).await {
        Ok(page) => envelope(&headers, &page, "objects", |object| object.body.clone()),
        Err(refusal) => refuse(&refusal),
    }
}

/// `GET …/manifest/` (5.3)
async fn manifest(
    State(app): State<App>,
    desk: Desk,
    headers: HeaderMap,
    Path(name): Path<String>,
    query: Pairs,
) -> Response {
    let Some(found) = collection(&name) else {
        return shared::page(&app, &desk, &headers, (name, None), query, shared::Form::Manifest).await;
    };
    let record = |object: &Object| {
        json!({
            "id": object.id,
            "date_added": object.added,
            "version": object.version,
            "media_type": "application/stix+json;version=2.1",
        })
    };
    match answered(&app, &desk, read(query, None).map(|ask| (found, ask))).await {
        Ok(page) => envelope(&headers, &page, "objects", record),
        Err(refusal) => refuse(&refusal),
    }
}

/// `GET …/objects/{id}/` (5.6)
async fn object(
    State(app): State<App>,
    desk: Desk,
    headers: HeaderMap,
    Path((name, id)): Path<(String, String)>,
    query: Pairs,
) -> Response {
    let Some(found) = collection(&name) else {
        return shared::page(&app, &desk, &headers, (name, Some(id)), query, shared::Form::Objects).await;
    };
    match of_object(&app, &desk, (found, &id), query).await {
        Ok(page) => envelope(&headers, &page, "objects", |object| object.body.clone()),
        Err(refusal) => refuse(&refusal),
    }
}

/// `GET …/objects/{id}/versions/` (5.8)
async fn versions(
    State(app): State<App>,
    desk: Desk,
    headers: HeaderMap,
    Path((name, id)): Path<(String, String)>,
    query: Pairs,
) -> Response {
    let Some(found) = collection(&name) else {
        return shared::page(&app, &desk, &headers, (name, Some(id)), query, shared::Form::Versions).await;
    };
    match of_object(&app, &desk, (found, &id), query).await {
        Ok(page) => envelope(&headers, &page, "versions", |object| object.version.clone().into()),
        Err(refusal) => refuse(&refusal),
    }
}

/// One object; several services may tell of it, and it is told once.
async fn of_object(
    app: &App,
    desk: &Desk,
    (found, id): (&'static Collection, &str),
    query: Pairs,
) -> Result<Page, Refusal> {
    let ask = Ask { newest: true, ..read(query, Some(id))? };
    let first = ask.added_after.is_none() && ask.next.is_none();
    let mut page = answered(app, desk, Ok((found, ask))).await?;
    // The newest version comes last.
    page.objects = page.objects.pop().into_iter().collect();
    match page.objects.is_empty() && first && page.next.is_none() {
        true => Err(Refusal::new(StatusCode::NOT_FOUND, "There is no such object, or it is not for you")),
        false => Ok(page),
    }
}

async fn answered(app: &App, desk: &Desk, asked: Result<(&'static Collection, Ask), Refusal>) -> Result<Page, Refusal> {
    let (found, ask) = asked?;
    let (now, installation) = (app.now(), app.installation.clone());
    Ok(desk.ask(move |reader| page(reader, &installation, found, &ask, now)).await?)
}

/// Reads parameters (3.4, 3.5); what is not known is refused, so that no filter is passed over in silence.
fn read(query: Pairs, object: Option<&str>) -> Result<Ask, Refusal> {
    let bad =
        |detail: String| Refusal::new(StatusCode::BAD_REQUEST, "A parameter is not as it should be").because(detail);
    let mut ask = Ask { limit: DEFAULT_PAGE, ..Ask::default() };
    let Query(pairs) = query.map_err(|error| bad(error.body_text()))?;
    if pairs.len() > MAX_PARAMETERS {
        return Err(bad(format!("{MAX_PARAMETERS} parameters are the most")));
    }
    for (name, value) in pairs {
        match name.as_str() {
            "added_after" => {
                ask.added_after = Some(time(&value).ok_or_else(|| bad(format!("added_after: {value:?} is no time")))?)
            }
            "limit" => {
                ask.limit = limit(&value).ok_or_else(|| bad(format!("limit: {value:?} is no number from 1 on")))?
            }
            "next" => ask.next = Some(value),
            filter => ask.filter.add(filter, &value).map_err(bad)?,
        }
    }
    if let Some(id) = object {
        ask.filter = ask.filter.of_object(id);
    }
    Ok(ask)
}

fn time(text: &str) -> Option<Timestamp> {
    text.contains('T').then(|| text.parse().ok()).flatten()
}

/// More than a page holds is a page (3.5.1).
fn limit(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().unwrap_or(MAX_PAGE).min(MAX_PAGE);
    (digits && number > 0).then_some(number)
}

/// The answer to a request that went wrong before it came here.
pub(crate) fn fault(fault: &crate::page::fault::Fault) -> Response {
    refuse(&Refusal::from(fault))
}

#[cfg(test)]
mod tests {
    use hinomi_share::taxii::Filter;

    use super::*;

    #[test]
    fn parameters_are_read_and_slips_are_refused() {
        let read = |query: &str| {
            let uri = format!("/?{query}").parse().expect("an address");
            read(Query::try_from_uri(&uri), None)
        };
        let ask = read("added_after=2026-11-22T00%3A00%3A00Z&limit=20&match%5Btype%5D=ipv4-addr,identity");
        let ask = ask.expect("good ones");
        assert_eq!((ask.limit, ask.added_after), (20, "2026-11-22T00:00:00Z".parse().ok()));
        assert_ne!(ask.filter, Filter::default());
        for bad in ["limit=0", "limit=-1", "limit=x", "added_after=2026-11-22", "match%5Bkind%5D=x", "match=x"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert_eq!(limit("99999999999999999999"), Some(MAX_PAGE));
    }
}
