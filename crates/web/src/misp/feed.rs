//! The static feed of MISP under `feed/`: `manifest.json`, one file an event, `hashes.csv`; made for each caller of what he
//! may see. Ids of events stay the same from one reading to the next.
//!
//! Events are addresses with their services, and events of others with the bytes as they came. At most
//! [`MAX_SERVICES`] services: of more the feed is refused and says what to do, for a feed that leaves out is believed.
//! Lists are written while they are made, a few events at a time.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use data_encoding::HEXLOWER;
use hinomi_model::{Service, Timestamp, Tlp};
use hinomi_share::objects::{EventKey, Sight};
use hinomi_share::stix::own_uuid;
use hinomi_share::taxii::labels_of;
use hinomi_share::{Format, ReadError, Reader, SearchRequest};
use hinomi_state::objects::Which;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::held::{failed, shelf};
use super::{BASE, Refusal, event, held};
use crate::api::export::pour;
use crate::api::outflow::Outflow;
use crate::app::App;
use crate::read::Desk;

/// The most services of a feed.
const MAX_SERVICES: u64 = 50_000;
/// Events of others whose bytes are read at once.
const EVENTS_AT_ONCE: usize = 8;
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

/// What lists tell of an address.
#[derive(Clone, Debug, Default)]
struct Host {
    newest: Timestamp,
    label: Option<Tlp>,
    ports: Vec<u16>,
}

impl Host {
    fn take(&mut self, service: &Service, label: Tlp) {
        self.newest = self.newest.max(service.last_seen);
        self.label = Some(self.label.map_or(label, |known| known.max(label)));
        self.ports.push(service.key.port);
    }
}

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
            hosts.entry(service.key.address).or_default().take(&service, label);
        })?;
    }
    Ok(hosts)
}

/// Writes a list of everything that is seen: of each address, and of each event of others.
async fn list(
    (app, desk, known): (App, &Desk, Known),
    (before, after): (&'static str, &'static str),
    own: impl Fn(&mut dyn Write, &str, (IpAddr, &Host)) -> io::Result<()> + Send + 'static,
    others: impl Fn(&mut dyn Write, &str, &Value) -> io::Result<()> + Send + 'static,
) -> Result<Body, Refusal> {
    let now = app.now();
    let write = move |reader: &Reader, out: &mut Outflow| {
        let reader = &reader.witnessed("misp", "feed")?;
        let hosts = hosts(reader, now)?;
        let ids: BTreeMap<String, IpAddr> =
            hosts.keys().map(|address| (id_of(&app.installation, *address), *address)).collect();
        known.keep(ids.iter().map(|(id, address)| (id.clone(), *address)));
        let mut keys: BTreeMap<String, EventKey> = BTreeMap::new();
        let (shelf, sight) = (shelf(&app)?, Sight::of(reader));
        for key in shelf.event_keys(&sight, &Which::All).map_err(failed)? {
            // Another's event under the id of one of ours does not stand for it.
            if !ids.contains_key(&key.id) {
                keys.insert(key.id.clone(), key);
            }
        }
        let broke = |error: io::Error| ReadError::Failed(error.to_string());
        out.write_all(before.as_bytes()).map_err(broke)?;
        for (id, address) in &ids {
            let Some(host) = hosts.get(address) else { continue };
            own(out, id, (*address, host)).map_err(broke)?;
        }
        let keys: Vec<EventKey> = keys.into_values().collect();
        for some in keys.chunks(EVENTS_AT_ONCE) {
            for (key, text) in shelf.event_bodies(some).map_err(failed)? {
                others(out, &key.id, &held::event_in(&text)).map_err(broke)?;
            }
        }
        out.write_all(after.as_bytes()).and_then(|()| out.flush()).map_err(broke)
    };
    Ok(pour(desk, Format::Jsonl, write).await?)
}

/// `GET feed/manifest.json`
async fn manifest(State(app): State<App>, desk: Desk, Extension(known): Extension<Known>) -> Result<Response, Refusal> {
    let installation = app.installation.clone();
    let (first, second) = {
        let comma = Arc::new(AtomicBool::new(false));
        (Arc::clone(&comma), comma)
    };
    let own = move |out: &mut dyn Write, id: &str, (address, host): (IpAddr, &Host)| {
        let label = host.label.unwrap_or(Tlp::Red);
        let head = event::head((address, host.ports.len()), host.newest, label, &installation);
        member(out, &first, id, &entry(&head))
    };
    let others = move |out: &mut dyn Write, id: &str, event: &Value| member(out, &second, id, &entry(event));
    let body = list((app, &desk, known), ("{", "}"), own, others).await?;
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response())
}

/// A member of an object that is being written.
fn member(out: &mut dyn Write, begun: &AtomicBool, name: &str, value: &Value) -> io::Result<()> {
    let comma = if begun.swap(true, Ordering::Relaxed) { "," } else { "" };
    write!(out, "{comma}{}:{value}", Value::from(name))
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
    let own = |out: &mut dyn Write, id: &str, (address, host): (IpAddr, &Host)| {
        let address = address.to_string();
        host.ports.iter().try_for_each(|port| {
            line(out, &address, id)?;
            if *port == 0 { Ok(()) } else { line(out, &port.to_string(), id) }
        })
    };
    let others = |out: &mut dyn Write, id: &str, event: &Value| {
        for attribute in attributes(event) {
            let said = |name: &str| attribute.get(name).and_then(Value::as_str).unwrap_or_default();
            let parts: Vec<&str> =
                if said("type").contains('|') { said("value").split('|').collect() } else { vec![said("value")] };
            parts.iter().try_for_each(|part| line(out, part, id))?;
        }
        Ok(())
    };
    let body = list((app, &desk, known), ("", ""), own, others).await?;
    Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8"), (CACHE_CONTROL, "no-store")], body).into_response())
}

fn line(out: &mut dyn Write, part: &str, id: &str) -> io::Result<()> {
    writeln!(out, "{},{id}", HEXLOWER.encode(&Md5::digest(part.as_bytes())))
}

/// Attributes of an event and of the objects in it.
pub(super) fn attributes(event: &Value) -> impl Iterator<Item = &Value> {
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
            let (shelf, sight) = (shelf(&app)?, Sight::of(reader));
            let which = Which::Ids(vec![id.clone(), id.to_ascii_uppercase()]);
            // One at most: of several under an id the first stays.
            let keys = shelf.event_keys(&sight, &which).map_err(failed)?;
            if let Some((_, text)) = shelf.event_bodies(&keys).map_err(failed)?.into_iter().next() {
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
