//! The part of MISP's API that PyMISP reads with, under `/compat/misp/`: addresses as events, their services as attributes.
//!
//! Read only: what others share comes in by `hinomi objects import`, and their events are told after ours ([`held`]).
//! [`feed`] tells the same as files. An event of ours is an address; its tag is the strictest label of its services. What is
//! of an exercise is not told here: MISP passes on what it is given. Conditions that there is nothing for are refused, not
//! passed over. Everything is asked through a [`Desk`].

mod event;
mod feed;
mod held;

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use held::{Part, Wanted};
use hinomi_model::Service;
use hinomi_share::taxii::labels_of;
use hinomi_share::{MAX_LIMIT, ReadError, Reader, SearchRequest};
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::page::fault::{Fault, add_retry};
use crate::read::{Desk, DeskError};
use crate::shodan::from_offset;

/// Where it is.
pub(crate) const BASE: &str = "/compat/misp/";
/// The version of MISP whose answers these are like.
const VERSION: &str = "2.5.34";
/// Services of one answer when nobody says.
const SERVICES: usize = 200;
/// The most values of one condition.
const MAX_VALUES: usize = 100;
/// Conditions that change nothing here.
const IDLE: [&str; 14] = [
    "returnFormat",
    "withAttachments",
    "enforceWarninglist",
    "includeEventUuid",
    "includeEventTags",
    "includeContext",
    "includeSightings",
    "includeDecayScore",
    "includeCorrelations",
    "sgReferenceOnly",
    "headerless",
    "published",
    "deleted",
    "metadata",
];

pub(crate) fn routes() -> Router<App> {
    let of = |path: &str| format!("{BASE}{path}");
    Router::new()
        .route(&of("servers/getPyMISPVersion.json"), get(client_version))
        .route(&of("servers/getVersion"), get(version))
        .route(&of("users/view/me"), get(me))
        .route(&of("attributes/describeTypes.json"), get(types))
        .route(&of("events/restSearch"), post(events))
        .route(&of("attributes/restSearch"), post(attributes))
        .route(&of("events/view/{event}"), get(one))
        .route(&of("events/add"), post(refused))
        .merge(feed::routes())
}

/// Adding here is refused in words that say where it is done.
async fn refused(_: Desk) -> Refusal {
    let words = "events are not added here: give objects over TAXII, or import the event with hinomi objects import";
    Refusal(StatusCode::FORBIDDEN, words.to_owned())
}

/// Why there is no answer.
#[derive(Clone, Debug)]
struct Refusal(StatusCode, String);

impl Refusal {
    fn bad(words: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, words.to_owned())
    }
}

impl From<DeskError> for Refusal {
    fn from(error: DeskError) -> Self {
        let fault = Fault::from(error);
        Self(fault.status, fault.detail.unwrap_or_else(|| fault.code.to_owned()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "name": self.1, "message": self.1, "url": BASE, "errors": self.1 });
        let mut response = (self.0, told(&body)).into_response();
        add_retry(&mut response, self.0);
        response
    }
}

/// The answer to a request that went wrong before it came here.
pub(crate) fn fault(fault: &Fault) -> Response {
    Refusal(fault.status, fault.detail.clone().unwrap_or_else(|| fault.code.to_owned())).into_response()
}

fn told(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body.to_string()).into_response()
}

async fn client_version(_: Desk) -> Response {
    told(&json!({ "version": VERSION }))
}

async fn version(_: Desk) -> Response {
    told(&json!({
        "version": VERSION,
        "perm_sync": false,
        "perm_sighting": false,
        "perm_galaxy_editor": false,
        "request_encoding": [],
        "filter_sightings": false,
    }))
}

/// The account, as far as PyMISP wants one.
async fn me(_: Desk) -> Response {
    told(&json!({
        "User": { "id": "1", "org_id": "1", "email": "reader@hinomi.invalid", "role_id": "1", "autoalert": false },
        "Role": { "id": "1", "name": "Read Only", "perm_add": false, "perm_modify": false, "perm_auth": true },
        "UserSetting": [],
    }))
}

async fn types(_: Desk) -> Response {
    let category = event::CATEGORY;
    let defaults = json!({ "default_category": category, "to_ids": 0 });
    told(&json!({
        "result": {
            "sane_defaults": { event::KIND: defaults, event::BARE_KIND: defaults },
            "types": [event::KIND, event::BARE_KIND],
            "categories": [category],
            "category_type_mappings": { category: [event::KIND, event::BARE_KIND] },
        },
    }))
}

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    /// In the language of the lake; none when nothing can match.
    query: Option<String>,
    /// Of what others gave.
    held: Wanted,
    offset: usize,
    limit: usize,
}

/// Reads the conditions of a search.
fn read(body: &Bytes) -> Result<Asked, Refusal> {
    let members: Map<String, Value> = match body.is_empty() {
        true => Map::new(),
        false => serde_json::from_slice(body).map_err(|error| Refusal::bad(&format!("not a search: {error}")))?,
    };
    let number = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.parse::<usize>().map(Some).map_err(|_| Refusal::bad(&format!("{name}: a number is wanted")))
        }
    };
    let limit = number("limit")?.filter(|limit| *limit > 0).unwrap_or(SERVICES).min(MAX_LIMIT);
    let offset = number("page")?.unwrap_or(1).max(1).saturating_sub(1).saturating_mul(limit);
    if offset > 100_000 {
        return Err(Refusal::bad("100000 services are the most that can be paged through; name a range"));
    }
    let (mut query, mut held) = (Some("-purpose:exercise".to_owned()), Wanted::default());
    for (name, value) in members.iter().filter(|(_, value)| !is_off(value)) {
        let condition = match name.as_str() {
            "page" | "limit" => continue,
            idle if IDLE.contains(&idle) => continue,
            "value" => {
                held.values = texts(value)?;
                addresses(&held.values)
            }
            "type" => {
                held.kinds = texts(value)?;
                held.kinds.iter().any(|kind| kind == event::KIND || kind == event::BARE_KIND).then(String::new)
            }
            "eventid" => {
                held.ids = texts(value)?;
                let known = held
                    .ids
                    .iter()
                    .filter_map(|id| event::address_of(id))
                    .map(|one| format!("ip:{one}"))
                    .collect::<Vec<_>>();
                (!known.is_empty()).then(|| format!("({})", known.join(" OR ")))
            }
            other => return Err(Refusal::bad(&format!("{other}: there is nothing for this condition here"))),
        };
        query = query.zip(condition).map(|(query, condition)| format!("{query} {condition}"));
    }
    Ok(Asked { query, held, offset, limit })
}

/// Whether a condition is named and not meant: PyMISP sends each switch that it knows as 0.
fn is_off(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(false)) || *value == json!(0) || *value == json!("0")
}

/// One text or several, a number as text.
fn texts(value: &Value) -> Result<Vec<String>, Refusal> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Refusal::bad("a condition is a text or a list of texts")),
    };
    let all: Vec<String> = match value {
        Value::Array(many) => many.iter().take(MAX_VALUES + 1).map(one).collect::<Result<_, _>>()?,
        single => vec![one(single)?],
    };
    if all.len() > MAX_VALUES { Err(Refusal::bad(&format!("{MAX_VALUES} values are the most"))) } else { Ok(all) }
}

/// Services at these addresses and ranges; none where no value is one, for there is nothing else here.
fn addresses(values: &[String]) -> Option<String> {
    let read = |value: &String| {
        let (place, port) = value.split_once('|').map_or((value.as_str(), None), |(place, port)| (place, Some(port)));
        let range: IpNet = place.parse().ok().or_else(|| place.parse::<IpAddr>().ok().map(IpNet::from))?;
        let port = port.map(|port| port.parse::<u16>().map(|port| format!(" port:{port}"))).transpose().ok()?;
        Some(format!("(net:{}{})", range.trunc(), port.unwrap_or_default()))
    };
    let known: Vec<String> = values.iter().filter_map(read).collect();
    (!known.is_empty()).then(|| format!("({})", known.join(" OR ")))
}

/// The services of each address of a page, whole: an address that a page begins within was told with the one before.
fn hosts(reader: &Reader, request: SearchRequest, offset: usize, limit: usize) -> Result<Vec<Vec<Service>>, ReadError> {
    let (now, asked) = (request.now, request.query.clone());
    let page = from_offset(reader, request, offset, limit)?;
    let mut hosts: Vec<Vec<Service>> = Vec::new();
    for service in page.matches {
        match hosts.last_mut() {
            Some(host) if host.first().is_some_and(|first| first.key.address == service.key.address) => {
                host.push(service)
            }
            _ => hosts.push(vec![service]),
        }
    }
    let whole = |host: &Vec<Service>| -> Result<Vec<Service>, ReadError> {
        let Some(first) = host.first() else { return Ok(Vec::new()) };
        let query = format!("({asked}) ip:{}", first.key.address);
        let request = SearchRequest { query, limit: MAX_LIMIT, now, ..SearchRequest::default() };
        Ok(reader.search(&request)?.matches)
    };
    // Of an address that fills the whole page and goes on, it is told again: nothing would end the walk of a client.
    let may_drop = hosts.len() > 1 || page.next.is_none();
    if let Some(first) = hosts.first_mut() {
        let all = whole(first)?;
        if offset > 0 && may_drop && all.first().map(|one| one.key) != first.first().map(|one| one.key) {
            hosts.remove(0);
        }
    }
    if let Some(last) = hosts.last_mut() {
        *last = whole(last)?;
    }
    Ok(hosts)
}

/// Events of ours, then those of others; a page may have of both.
async fn found(app: &App, desk: &Desk, body: &Bytes, part: Part) -> Result<Vec<Value>, Refusal> {
    let Asked { query, held, offset, limit } = read(body)?;
    // One event is short; a page reads and holds many.
    let short = held.ids.len() == 1;
    let (now, app) = (app.now(), app.clone());
    let look = move |reader: &Reader| {
        let words = format!("{} {held:?}", query.as_deref().unwrap_or_default());
        let reader = &reader.witnessed("misp", &words)?;
        let (mut events, mut ours) = (Vec::new(), 0);
        if let Some(query) = query {
            let request = SearchRequest { query, now, ..SearchRequest::default() };
            let count = SearchRequest { limit: 0, ..request.clone() };
            ours = usize::try_from(reader.search(&count)?.total).unwrap_or(usize::MAX);
            if offset < ours {
                for host in hosts(reader, request, offset, limit)? {
                    let labels = labels_of(reader, &host, now)?;
                    events.push(event::event(&host, &labels, &app.installation));
                }
            }
        }
        let ids: BTreeSet<String> = events.iter().filter_map(uuid).collect();
        let (from, until) = (offset.saturating_sub(ours), (offset + limit).saturating_sub(ours));
        if from < until {
            let others = held::find(&app, reader, (&held, part), (from, until - from))?;
            // Another's event under the id of one of ours does not stand for it.
            events.extend(others.into_iter().filter(|event| uuid(event).is_none_or(|id| !ids.contains(&id))));
        }
        Ok(events)
    };
    Ok(if short { desk.ask(look).await? } else { desk.ask_past(look).await? })
}

fn uuid(event: &Value) -> Option<String> {
    Some(event.get("uuid")?.as_str()?.to_ascii_lowercase())
}

/// `POST events/restSearch`
async fn events(State(app): State<App>, desk: Desk, body: Bytes) -> Result<Response, Refusal> {
    let events = found(&app, &desk, &body, Part::Events).await?;
    Ok(told(&json!({ "response": events.into_iter().map(|event| json!({ "Event": event })).collect::<Vec<_>>() })))
}

/// `POST attributes/restSearch`
async fn attributes(State(app): State<App>, desk: Desk, body: Bytes) -> Result<Response, Refusal> {
    let events = found(&app, &desk, &body, Part::Attributes).await?;
    let attributes = events.iter().filter_map(|event| event.get("Attribute")?.as_array()).flatten();
    Ok(told(&json!({ "response": { "Attribute": attributes.collect::<Vec<_>>() } })))
}

/// `GET events/view/{id}`
async fn one(State(app): State<App>, desk: Desk, Path(id): Path<String>) -> Result<Response, Refusal> {
    let body = Bytes::from(json!({ "eventid": id }).to_string());
    match found(&app, &desk, &body, Part::Events).await?.into_iter().next() {
        Some(event) => Ok(told(&json!({ "Event": event }))),
        None => Err(Refusal(StatusCode::NOT_FOUND, "Invalid event".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_those_without_an_answer_are_refused() {
        let query = |body: &str| read(&Bytes::from(body.to_owned())).map(|asked| asked.query);
        let of = |body: &str| query(body).expect(body);
        assert_eq!(of("{}").as_deref(), Some("-purpose:exercise"));
        let some = of(r#"{"value":["203.0.113.9","198.51.100.0/24|22","example.jp"],"returnFormat":"json"}"#);
        let expected = "-purpose:exercise ((net:203.0.113.9/32) OR (net:198.51.100.0/24 port:22))";
        assert_eq!(some.as_deref(), Some(expected));
        assert_eq!(of(r#"{"value":"example.jp"}"#), None, "there are no names of ours");
        assert_eq!(of(r#"{"type":"md5"}"#), None);
        let two = of(r#"{"eventid":[3405803785,"3405803786","x"]}"#);
        assert_eq!(two.as_deref(), Some("-purpose:exercise (ip:203.0.113.9 OR ip:203.0.113.10)"));
        assert_eq!(of(r#"{"excludeDecayed":0,"tags":null,"org":false}"#).as_deref(), Some("-purpose:exercise"));
        for bad in [r#"{"tags":"tlp:red"}"#, r#"{"value":{"OR":["x"]}}"#, "[]", r#"{"limit":"x"}"#] {
            assert!(query(bad).is_err(), "{bad}");
        }
    }
}
