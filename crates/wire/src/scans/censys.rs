//! Censys's hosts: answers and exports of its Search API (v2) and of its Platform, as lines, lists or one object.
//!
//! The evidence of a service is its element of `services` in its own words, without address and times. Its banner, and
//! the HTTP answer put together from header and body, become evidence of their own kind. Censys gives certificates only
//! in parts, so they stay words.
//!
//! The members read: of Search v2 `services[]` with `service_name`, `extended_service_name`, `transport_protocol`,
//! `observed_at`, `banner`, `banner_hex`, `http.response.body`, `software[]`; of the Platform `protocol`, `scan_time`,
//! `endpoints[].http.body`, `software[]`, `hardware[]`, `operating_systems[]` (the models of its Python SDK 0.16 of
//! October 2026). The summaries that a search of v2 gives carry the time of the host.

use std::collections::VecDeque;
use std::io::BufRead;
use std::net::IpAddr;

use data_encoding::HEXLOWER_PERMISSIVE;
use hinomi_model::address::{Transport, parse_address};
use hinomi_model::evidence::{Evidence, EvidenceKind};
use hinomi_model::time::Timestamp;
use serde_json::Value;

use super::bounded::Bounded;
use super::error::ScanError;
use super::json::{Found, Objects};
use super::lines::{Item, Step, Steps};
use super::masscan::offset;
use super::words::{push_claim, text, time, words};
use super::{MAX_RECORD_BYTES, Record, State, seen};
use crate::field::Field;
use crate::fields::Fields;
use crate::malformed::Malformed;

/// How deep a host may be wrapped in answers of the API.
const MAX_WRAPPERS: usize = 6;

/// Members that wrap hosts.
pub(super) const WRAPPERS: &[&str] = &["result", "hits", "host_v1", "host", "resource"];

/// The most services of one host.
const MAX_SERVICES: usize = 65_536;

/// Members that are parts of the sighting, or say how it was made, or repeat others in another form.
const LEFT_OUT: &[&str] = &[
    "ip",
    "observed_at",
    "scan_time",
    "source_ip",
    "perspective_id",
    "perspective",
    "_encoding",
    "banner_hex",
    "screenshots",
    "matched_services",
];

/// What is said of a time, or why it cannot be read.
type Told = Result<Option<Timestamp>, String>;

/// The most names of products that are read.
const MAX_NAMES: usize = 8;

/// Reads records from a file; see [`super`].
#[derive(Debug)]
pub struct Records<R>(Steps<Reader<R>>);

#[derive(Debug)]
struct Reader<R>(Objects<R>);

impl<R: BufRead> Records<R> {
    /// Starts reading.
    pub fn new(source: R) -> Self {
        Self(Steps::new(Reader(Objects::new(source, MAX_RECORD_BYTES, None))))
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        self.0.next()
    }
}

impl<R: BufRead> Step for Reader<R> {
    fn step(&mut self, ready: &mut VecDeque<Item>) -> Result<bool, ScanError> {
        let found = self.0.next().map_err(|error| self.0.source().read_error(error))?;
        let position = self.0.position();
        let refuse = |reason: String| Bounded::<R>::record_error(position, reason);
        match found {
            Found::End => return Ok(false),
            Found::Skipped(reason) => ready.push_back(Err(refuse(reason.to_owned()))),
            Found::Object => match serde_json::from_slice::<Value>(self.0.bytes()) {
                Err(error) => ready.push_back(Err(refuse(error.to_string()))),
                Ok(value) => read_hosts(value, MAX_WRAPPERS, &mut |item| ready.push_back(item.map_err(refuse))),
            },
        }
        Ok(true)
    }
}

/// Every host in an object: itself, or those that it wraps.
fn read_hosts(mut value: Value, depth: usize, take: &mut dyn FnMut(Result<Record, String>)) {
    let wrapper =
        WRAPPERS.iter().find(|name| value.get(**name).is_some_and(|inside| inside.is_object() || inside.is_array()));
    let own = text(&value, "/ip");
    if let Some(name) = wrapper.filter(|_| own.is_empty() && depth > 0) {
        match value.get_mut(*name).map(Value::take) {
            Some(Value::Array(list)) => list.into_iter().for_each(|inside| read_hosts(inside, depth - 1, take)),
            Some(inside) => read_hosts(inside, depth - 1, take),
            None => {}
        }
        return;
    }
    match parse_address(own) {
        Err(_) if own.is_empty() => take(Err("no host of Censys: it has no ip".to_owned())),
        Err(error) => take(Err(error.to_string())),
        Ok(address) => read_services(&mut value, address, take),
    }
}

fn read_services(host: &mut Value, address: IpAddr, take: &mut dyn FnMut(Result<Record, String>)) {
    let host_time = time(host, "/last_updated_at");
    let services = match host.get_mut("services").map(Value::take) {
        None | Some(Value::Null) => return,
        Some(Value::Array(services)) => services,
        Some(_) => return take(Err("the services of the host are no list".to_owned())),
    };
    let surplus = services.len().saturating_sub(MAX_SERVICES);
    services.into_iter().take(MAX_SERVICES).for_each(|service| take(record(service, address, &host_time)));
    if surplus > 0 {
        take(Err(format!("{surplus} services beyond the first {MAX_SERVICES} of one host")));
    }
}

/// What the host says of the time counts where the service says nothing.
fn record(mut service: Value, address: IpAddr, host_time: &Told) -> Result<Record, String> {
    let port = service.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or("a service has no port number")?;
    let transport = transport(text(&service, "/transport_protocol"))?;
    let own = ["/observed_at", "/scan_time"].iter().find_map(|pointer| time(&service, pointer).transpose());
    let time = own.map_or_else(|| host_time.clone(), |own| own.map(Some))?;
    let seen = take_seen(&mut service);
    let mut evidence = vec![Evidence::new(EvidenceKind::CensysRecord, words(&mut service, LEFT_OUT))];
    evidence.extend(seen);
    Ok(Record { address, port, transport, state: State::Open, time, evidence })
}

/// QUIC is spoken over UDP.
fn transport(name: &str) -> Result<Transport, String> {
    match name.to_ascii_lowercase().as_str() {
        "quic" => Ok(Transport::Udp),
        other => other.parse().map_err(|error| format!("{error}")),
    }
}

/// What was seen; a page that is stored as such is taken out of the words.
fn take_seen(service: &mut Value) -> Vec<Evidence> {
    let hex =
        HEXLOWER_PERMISSIVE.decode(text(service, "/banner_hex").as_bytes()).ok().filter(|bytes| !bytes.is_empty());
    let banner = hex.unwrap_or_else(|| text(service, "/banner").as_bytes().to_vec());
    let places = ["/http/response", "/endpoints/0/http"];
    let place = places.into_iter().find(|place| service.pointer(place).is_some_and(Value::is_object));
    let page = place.map_or("", |place| text(service, &format!("{place}/body")));
    // What the Platform read of a web server stands at its first endpoint.
    let head = if banner.is_empty() { text(service, "/endpoints/0/banner").as_bytes() } else { &banner };
    let answer = seen::answer(head, page);
    let greeting = if answer.is_some() { None } else { seen::greeting(&banner) };
    if let Some(members) =
        place.filter(|_| answer.is_some()).and_then(|place| service.pointer_mut(place)?.as_object_mut())
    {
        members.remove("body");
    }
    answer.into_iter().chain(greeting).collect()
}

/// The claims in a service's words.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    match serde_json::from_slice::<Value>(input) {
        Ok(service) => push_service(&mut list, input, &service),
        Err(error) => list.malformed(&Malformed::Invalid { what: "Censys service", at: offset(input, &error) }),
    }
    list.finish()
}

fn push_service(list: &mut Fields<'_>, input: &[u8], service: &Value) {
    let named =
        ["/protocol", "/service_name"].map(|name| text(service, name)).into_iter().find(|name| !name.is_empty());
    let protocol = named.filter(|name| !name.eq_ignore_ascii_case("unknown")).unwrap_or_default();
    push_claim(list, input, "claim.protocol", protocol);
    if service.get("tls").is_some_and(Value::is_object) || text(service, "/extended_service_name") == "HTTPS" {
        push_claim(list, input, "claim.tunnel", "tls");
    }
    push_claim(list, input, "claim.banner", text(service, "/banner"));
    push_claim(list, input, "claim.os", text(service, "/operating_systems/0/product"));
    push_product(list, input, service);
}

/// A device says more of what stands there than a program on it does.
fn push_product(list: &mut Fields<'_>, input: &[u8], service: &Value) {
    let hardware = service.pointer("/hardware/0").filter(|device| !text(device, "/product").is_empty());
    let Some(product) = hardware.or_else(|| service.pointer("/software/0")) else { return };
    for (pointer, field) in [("/vendor", "claim.vendor"), ("/product", "claim.product"), ("/version", "claim.version")]
    {
        push_claim(list, input, field, text(product, pointer));
    }
    push_claim(list, input, "claim.device-type", hardware.map_or("", |device| text(device, "/type/0")));
    let lists = ["hardware", "software"].into_iter().filter_map(|name| service.get(name)?.as_array()).flatten();
    let names = lists.flat_map(|product| ["/cpe", "/uniform_resource_identifier"].map(|name| text(product, name)));
    names.filter(|name| !name.is_empty()).take(MAX_NAMES).for_each(|name| push_claim(list, input, "claim.cpe", name));
}

#[cfg(test)]
mod tests;
