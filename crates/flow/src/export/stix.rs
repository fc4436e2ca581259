//! The list as a STIX 2.1 bundle of indicators (OASIS standard of 10 June 2021).
//!
//! Identifiers are version 5 UUIDs (RFC 9562) over the endpoint: however often it is listed, it is one object, each list is
//! a later version of it, and a withdrawal revokes it whole. A revoked object must have no later version (section 3.6),
//! so an endpoint that is found again after lists took it back is another object: how often that happened is hashed too.
//! `created` is the same moment for all: when an endpoint was first listed says when it was found. There is no
//! `created_by_ref`: it would name a carrier. `valid_from` and `modified` are the day of the list. A revocation is the last
//! version of its object: every later list repeats it with the same `modified`, a millisecond into the day of the first
//! that took it back, which is later than the list's even on the day of the listing.

use std::net::IpAddr;

use data_encoding::HEXLOWER;
use hinomi_model::Transport;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use serde_json::{Value, json};

use super::{Batch, Day};

/// Name space of the identifiers, made once by chance.
const NAMESPACE: [u8; 16] =
    [0x8d, 0x1f, 0x5e, 0x0a, 0x6b, 0x7c, 0x4d, 0x21, 0x9a, 0x53, 0xc4, 0x0e, 0x72, 0xb8, 0x16, 0xf9];

/// When every object was made, as far as anybody is told.
const CREATED: Day = Day(20_454);

/// The bundle, indented.
pub fn bundle(batch: &Batch) -> String {
    let listed = batch.endpoints().iter().map(|shared| {
        let endpoint = (shared.address(), shared.port(), shared.transport());
        let mut object = indicator(endpoint, batch.again(shared), batch.listed());
        merge(
            &mut object,
            json!({
                "confidence": shared.confidence_percent(),
                "valid_until": moment(shared.valid_until()),
            }),
        );
        object
    });
    let withdrawn = batch.withdrawn().iter().map(|gone| {
        let mut object = indicator((gone.address, gone.port, gone.transport), gone.again, gone.listed);
        merge(&mut object, json!({ "modified": just_after(gone.withdrawn.max(CREATED)), "revoked": true }));
        object
    });
    let objects: Vec<Value> = listed.chain(withdrawn).collect();
    let mut value = json!({ "type": "bundle", "id": format!("bundle--{}", uuid(&batch_name(batch))) });
    if !objects.is_empty() {
        merge(&mut value, json!({ "objects": objects }));
    }
    format!("{value:#}\n")
}

fn indicator((address, port, transport): (IpAddr, u16, Transport), again: u32, listed: Day) -> Value {
    // A clock that stands before the object's beginning must not make it end before it began.
    let listed = listed.max(CREATED);
    let name = format!("{}/{transport}", std::net::SocketAddr::new(address, port));
    json!({
        "type": "indicator",
        "spec_version": "2.1",
        "id": format!("indicator--{}", uuid(&format!("{name} {again}"))),
        "created": moment(CREATED),
        "modified": moment(listed),
        "name": format!("C&C server {name}"),
        "indicator_types": ["malicious-activity"],
        "pattern": pattern(address, port, transport),
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": moment(listed),
        "kill_chain_phases": [{ "kill_chain_name": "mitre-attack", "phase_name": "command-and-control" }],
        "labels": ["cnc-detection"],
    })
}

fn pattern(address: IpAddr, port: u16, transport: Transport) -> String {
    let kind = if address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
    format!(
        "[network-traffic:dst_ref.type = '{kind}' AND network-traffic:dst_ref.value = '{address}' AND \
         network-traffic:dst_port = {port} AND network-traffic:protocols[*] = '{transport}']"
    )
}

fn moment(day: Day) -> String {
    format!("{day}T00:00:00.000Z")
}

fn just_after(day: Day) -> String {
    format!("{day}T00:00:00.001Z")
}

fn batch_name(batch: &Batch) -> String {
    super::text::json(batch)
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// A version 5 UUID in our name space.
fn uuid(name: &str) -> String {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&NAMESPACE);
    context.update(name.as_bytes());
    let digest = context.finish();
    let mut bytes = digest.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    for (place, keep, set) in [(6, 0x0f, 0x50), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(place) {
            *byte = *byte & keep | set;
        }
    }
    let hex = HEXLOWER.encode(&bytes);
    let part = |from: usize, upto: usize| hex.get(from..upto).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
