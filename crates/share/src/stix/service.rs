//! One service as objects.

use hinomi_model::{Service, Timestamp, Tlp};
use serde_json::{Map, Value, json};

use super::{Object, id, marking_id, moment, statement};

/// The most objects that one service becomes.
pub const MAX_OBJECTS: usize = 5;
/// Colons of a whole CPE 2.3 name.
const CPE_COLONS: usize = 12;
/// When our identity was made, as far as anybody is told.
const IDENTITY_MADE: &str = "2026-01-01T00:00:00Z";

/// The id of the identity of an installation.
pub fn identity_id(installation: &str) -> String {
    id::own("identity", installation)
}

/// Who made our objects: this installation.
pub fn identity(installation: &str) -> Object {
    let made: Timestamp = IDENTITY_MADE.parse().unwrap_or_default();
    let body = json!({
        "type": "identity",
        "spec_version": super::SPEC_VERSION,
        "id": identity_id(installation),
        "created": moment(made),
        "modified": moment(made),
        "name": "Hinomi",
        "description": "A watchtower for connected devices: services that answered to its surveys.",
        "identity_class": "system",
        "object_marking_refs": [marking_id(Tlp::Clear)],
    });
    Object::new(body, made)
}

/// A service with its label, seen by this installation: what licence and handling say, what it is, then that it was observed.
/// One that is under an embargo at this moment is no object.
pub fn of_service(service: &Service, label: Tlp, identity: &str, now: Timestamp) -> Vec<Object> {
    if service.terms.embargo.is_some_and(|until| now < until) {
        return Vec::new();
    }
    let added = service.last_seen;
    let terms = statement(&service.terms).map(|object| Object { added, ..object });
    let markings: Vec<&str> =
        [marking_id(label)].into_iter().chain(terms.as_ref().map(|one| one.id.as_str())).collect();
    let address = address(service);
    let software = software(service);
    let traffic = traffic(service, &id_of(&address));
    let mut parts: Vec<Value> = vec![address];
    parts.extend(software);
    parts.push(traffic);
    let refs: Vec<String> = parts.iter().map(id_of).collect();
    // A clock that was set back makes nothing end before it began.
    let first = service.first_seen.min(added);
    let observed = json!({
        "type": "observed-data",
        "spec_version": super::SPEC_VERSION,
        "id": id::own("observed-data", &format!("{identity} {}", service.key)),
        "created_by_ref": identity,
        "created": moment(first),
        "modified": moment(added),
        "first_observed": moment(first),
        "last_observed": moment(added),
        "number_observed": 1,
        "object_refs": refs,
        "object_marking_refs": markings,
    });
    parts.push(labelled(observed, service));
    for part in parts.iter_mut().take(refs.len()) {
        // What it is shows where we looked: it is marked as what we saw.
        set(part, "object_marking_refs", json!(markings));
    }
    let told = parts.into_iter().map(|body| Object::new(body, added));
    terms.iter().cloned().chain(told).collect()
}

/// Kind of device and what stands out, as labels.
fn labelled(mut observed: Value, service: &Service) -> Value {
    let kind = service.facts.kind.map(|kind| format!("kind:{kind}"));
    let labels: Vec<String> = kind.into_iter().chain(service.facts.tags.iter().cloned()).collect();
    if !labels.is_empty() {
        set(&mut observed, "labels", json!(labels));
    }
    observed
}

fn address(service: &Service) -> Value {
    let kind = if service.key.address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
    observable(kind, json!({ "value": service.key.address.to_string() }), &["value"])
}

fn traffic(service: &Service, address: &str) -> Value {
    let network = if service.key.address.is_ipv4() { "ipv4" } else { "ipv6" };
    let mut protocols = vec![network.to_owned(), service.key.transport.to_string()];
    if service.facts.tls {
        protocols.push("tls".to_owned());
    }
    protocols.extend(service.facts.protocol.as_ref().map(ToString::to_string));
    let body = json!({ "dst_ref": address, "dst_port": service.key.port, "protocols": protocols });
    observable("network-traffic", body, &["dst_ref", "dst_port", "protocols"])
}

fn software(service: &Service) -> Option<Value> {
    let facts = &service.facts;
    let mut body = json!({ "name": facts.product.as_ref()? });
    let whole = facts.cpe.iter().find(|cpe| cpe.matches(':').count() - cpe.matches("\\:").count() == CPE_COLONS);
    for (name, value) in [("vendor", facts.vendor.as_ref()), ("version", facts.version.as_ref()), ("cpe", whole)] {
        if let Some(value) = value {
            set(&mut body, name, json!(value));
        }
    }
    Some(observable("software", body, &["name", "cpe", "vendor", "version"]))
}

fn observable(kind: &str, mut body: Value, contributing: &[&str]) -> Value {
    let id = id::observable(kind, body.as_object().unwrap_or(&Map::new()), contributing);
    set(&mut body, "type", json!(kind));
    set(&mut body, "spec_version", json!(super::SPEC_VERSION));
    set(&mut body, "id", json!(id));
    body
}

fn set(body: &mut Value, name: &str, value: Value) {
    if let Some(members) = body.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn id_of(body: &Value) -> String {
    body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}
