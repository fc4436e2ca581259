//! The static feed of MISP under `feed/`: `manifest.json`, one file an event, `hashes.csv`; made for each caller of what he
//! may see. Ids of events stay the same from one reading to the next.
//!
//! Events are addresses with their services, and events of others with the bytes as they came. At most
//! [`MAX_SERVICES`] services: of more the feed is refused and says what to do, for a feed that leaves out is believed.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use data_encoding::HEXLOWER;
use hinomi_model::{Service, Timestamp, Tlp};
use hinomi_share::objects::{ObjectsError, Shelf, Sight};
use hinomi_share::stix::own_uuid;
use hinomi_share::taxii::labels_of;
use hinomi_share::{ReadError, Reader, SearchRequest};
use hinomi_state::objects::Which;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::{BASE, Refusal, event, told};
use crate::app::App;
use crate::read::Desk;

/// The most services of a feed.
const MAX_SERVICES: u64 = 50_000;
/// The most ids of events that are remembered.
const MAX_KNOWN: usize = 200_000;
/// What is told: nothing of exercises, for MISP passes on what it is given.
const QUERY: &str = "-purpose:exercise";
const LABELS: [(Tlp, &str); 5] = [
    (Tlp::Clear, "clear"),
    (Tlp::Green, "green"),
    (Tlp::Amber, "amber"),
    (Tlp::AmberStrict, "\"amber+strict\""),
    (Tlp::Red, "red"),
];

/// Which address an id is of, as far as somebody was told: ids lead nowhere back. Whether it may be seen is asked anew.
#[derive(Clone, Default)]
struct Known(Arc<Mutex<HashMap<String, IpAddr>>>);

impl Known {
    fn find(&self, id: &str) -> Option<IpAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied()
    }

    fn keep(&self, all: impl Iterator<Item = (String, IpAddr)>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MAX_KNOWN {
            known.clear();
        }
        known.extend(all);
    }
}

pub(super) fn routes() -> Router<App> {
    let of = |path: &str| format!("{BASE}feed/{path}");
    Router::new()
        .route(&of("manifest.json"), get(manifest))
        .route(&of("hashes.csv"), get(hashes))
        .route(&of("{file}"), get(file))
        .layer(Extension(Known::default()))
}

/// An address with its services and their labels.
type Host = (Vec<Service>, Vec<Tlp>);

fn id_of(installation: &str, address: IpAddr) -> String {
    own_uuid("event", &format!("{installation} {address}"))
}

/// Every address that is seen.
fn hosts(reader: &Reader, now: Timestamp) -> Result<BTreeMap<IpAddr, Host>, ReadError> {
    let count = SearchRequest { query: QUERY.to_owned(), limit: 0, now, ..SearchRequest::default() };
    if reader.search(&count)?.total > MAX_SERVICES {
        let words =
            format!("the feed holds at most {MAX_SERVICES} services: ask events/restSearch for a range instead");
        return Err(ReadError::Unfit(words));
    }
    let mut hosts: BTreeMap<IpAddr, Host> = BTreeMap::new();
    for (label, word) in LABELS {
        reader.each_service(&format!("{QUERY} tlp:{word}"), now, &mut |service| {
            let host = hosts.entry(service.key.address).or_default();
            host.0.push(service);
            host.1.push(label);
        })?;
    }
    Ok(hosts)
}

/// Events of others, by id, with their bytes.
fn held(app: &App, reader: &Reader, which: Which) -> Result<BTreeMap<String, String>, ReadError> {
    let failed = |error: &dyn std::fmt::Display| ReadError::Failed(error.to_string());
    let shelf = Shelf::new(app.accounts.database().map_err(|error| failed(&error))?);
    let events = shelf.events(&Sight::of(reader), which).map_err(|error| match error {
        ObjectsError::Read(error) => error,
        ObjectsError::TooMuch(why) => ReadError::Unfit(why),
        other => failed(&other),
    })?;
    Ok(events.into_iter().map(|(said, text)| (said.id.to_ascii_lowercase(), text)).collect())
}

/// Everything that is seen, as events by id.
async fn everything(app: &App, desk: &Desk, known: Known) -> Result<BTreeMap<String, Value>, Refusal> {
    let app = app.clone();
    let now = app.now();
    let look = move |reader: &Reader| {
        let reader = &reader.witnessed("misp", "feed")?;
        let hosts = hosts(reader, now)?;
        known.keep(hosts.keys().map(|address| (id_of(&app.installation, *address), *address)));
        let own = hosts.into_iter().map(|(address, (services, labels))| {
            (id_of(&app.installation, address), event::event(&services, &labels, &app.installation))
        });
        let mut events: BTreeMap<String, Value> = own.collect();
        for (id, text) in held(&app, reader, Which::All)? {
            let whole = serde_json::from_str::<Value>(&text).unwrap_or_default();
            // Another's event under the id of one of ours does not stand for it.
            events.entry(id).or_insert_with(|| whole.get("Event").cloned().unwrap_or(whole));
        }
        Ok(events)
    };
    Ok(desk.ask(look).await?)
}

/// `GET feed/manifest.json`
async fn manifest(State(app): State<App>, desk: Desk, Extension(known): Extension<Known>) -> Result<Response, Refusal> {
    let events = everything(&app, &desk, known).await?;
    let entries: Map<String, Value> = events.iter().map(|(id, event)| (id.clone(), entry(event))).collect();
    Ok(told(&Value::Object(entries)))
}

/// What the manifest says of an event.
fn entry(event: &Value) -> Value {
    let said = |name: &str| event.get(name).cloned().unwrap_or(Value::Null);
    let part = |of: &Value, names: &[&str]| {
        let each = names.iter().filter_map(|name| Some(((*name).to_owned(), of.get(*name)?.clone())));
        Value::Object(each.collect())
    };
    let tags = event.get("Tag").and_then(Value::as_array).into_iter().flatten();
    json!({
        "Orgc": part(&said("Orgc"), &["name", "uuid"]),
        "Tag": tags.map(|tag| part(tag, &["name", "colour"])).collect::<Vec<_>>(),
        "info": said("info"),
        "date": said("date"),
        "analysis": said("analysis"),
        "threat_level_id": said("threat_level_id"),
        "timestamp": said("timestamp"),
    })
}

/// `GET feed/hashes.csv`: MD5 of every value, and of each part of one with a bar, beside the id of its event.
async fn hashes(State(app): State<App>, desk: Desk, Extension(known): Extension<Known>) -> Result<Response, Refusal> {
    let events = everything(&app, &desk, known).await?;
    let mut lines = String::new();
    for (id, event) in &events {
        for attribute in attributes(event) {
            let said = |name: &str| attribute.get(name).and_then(Value::as_str).unwrap_or_default();
            let parts: Vec<&str> =
                if said("type").contains('|') { said("value").split('|').collect() } else { vec![said("value")] };
            for part in parts {
                lines.push_str(&format!("{},{id}\n", HEXLOWER.encode(&Md5::digest(part.as_bytes()))));
            }
        }
    }
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8"), (CACHE_CONTROL, "no-store")], lines).into_response())
}

/// Attributes of an event and of the objects in it.
fn attributes(event: &Value) -> impl Iterator<Item = &Value> {
    let objects = event.get("Object").and_then(Value::as_array).into_iter().flatten();
    std::iter::once(event).chain(objects).filter_map(|part| part.get("Attribute")?.as_array()).flatten()
}

/// `GET feed/{uuid}.json`
async fn file(
    State(app): State<App>,
    desk: Desk,
    Extension(known): Extension<Known>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let missing = || Refusal(StatusCode::NOT_FOUND, "there is no such event, or it is not for you".to_owned());
    let id = name.strip_suffix(".json").ok_or_else(missing)?.to_ascii_lowercase();
    let look = move |reader: &Reader| {
        let reader = &reader.witnessed("misp", &format!("feed {id}"))?;
        // Of an id that the manifest told as ours it is ours.
        if known.find(&id).is_none() {
            let held = held(&app, reader, Which::Ids(vec![id.clone(), id.to_ascii_uppercase()]))?;
            if let Some(text) = held.into_values().next() {
                return Ok(Some(text));
            }
        }
        let now = app.now();
        if known.find(&id).is_none() {
            let seen = hosts(reader, now)?;
            known.keep(seen.keys().map(|address| (id_of(&app.installation, *address), *address)));
        }
        let Some(address) = known.find(&id) else { return Ok(None) };
        let query = format!("{QUERY} ip:{address}");
        let asked = SearchRequest { query, limit: hinomi_share::MAX_LIMIT, now, ..SearchRequest::default() };
        let services = reader.search(&asked)?.matches;
        let labels = labels_of(reader, &services, now)?;
        let event = event::event(&services, &labels, &app.installation);
        Ok((!services.is_empty()).then(|| event.to_string()))
    };
    let text = desk.ask(look).await?.ok_or_else(missing)?;
    // As they came, inside what every file of a feed is.
    let wrapped = serde_json::from_str::<Wrapped>(&text).is_ok_and(|whole| whole.event.is_some());
    let body = if wrapped { text } else { format!("{{\"Event\":{text}}}") };
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response())
}

#[derive(serde::Deserialize)]
struct Wrapped {
    #[serde(default, rename = "Event")]
    event: Option<serde::de::IgnoredAny>,
}
