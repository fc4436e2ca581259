//! An address with its services as an event of MISP.

use std::net::{IpAddr, Ipv4Addr};

use hinomi_model::{Service, Timestamp, Tlp};
use hinomi_share::stix::own_uuid;
use serde_json::{Value, json};

/// The kind of attribute that a service is.
pub(super) const KIND: &str = "ip-dst|port";
/// The same where there is no port.
pub(super) const BARE_KIND: &str = "ip-dst";
/// The category of it.
pub(super) const CATEGORY: &str = "Network activity";
const MICROS: i64 = 1_000_000;

/// An event: these services are of one address.
pub(super) fn event(services: &[Service], labels: &[Tlp], installation: &str) -> Value {
    let Some(first) = services.first() else { return Value::Null };
    let address = first.key.address;
    let newest = services.iter().map(|service| service.last_seen).max().unwrap_or_default();
    let label = labels.iter().max().copied().unwrap_or(Tlp::Red);
    let mut event = head((address, services.len()), newest, label, installation);
    let id = id_of(address);
    let attributes: Vec<Value> = services.iter().map(|service| attribute(service, &id, installation)).collect();
    if let Some(members) = event.as_object_mut() {
        members.insert("Attribute".to_owned(), attributes.into());
    }
    event
}

/// What an event says besides its services.
pub(super) fn head((address, services): (IpAddr, usize), newest: Timestamp, label: Tlp, installation: &str) -> Value {
    let id = id_of(address);
    let organisation = json!({ "id": "1", "name": "Hinomi", "uuid": own_uuid("organisation", installation) });
    json!({
        "id": id,
        "uuid": own_uuid("event", &format!("{installation} {address}")),
        "info": format!("Services at {address}"),
        "date": newest.to_string().chars().take("2026-11-22".len()).collect::<String>(),
        "timestamp": seconds(newest),
        "publish_timestamp": seconds(newest),
        "published": true,
        // Undefined, and complete.
        "threat_level_id": "4",
        "analysis": "2",
        // Your organisation only.
        "distribution": "0",
        "sharing_group_id": "0",
        "extends_uuid": "",
        "attribute_count": services.to_string(),
        "org_id": "1",
        "orgc_id": "1",
        "Org": organisation,
        "Orgc": organisation,
        "Tag": [{ "name": label.label().to_ascii_lowercase(), "colour": "#ffffff", "exportable": true }],
    })
}

fn attribute(service: &Service, event: &str, installation: &str) -> Value {
    let facts = &service.facts;
    let words =
        [facts.protocol.as_ref().map(|protocol| protocol.as_str()), facts.product.as_deref(), facts.version.as_deref()];
    let (kind, value) = kind_of(service.key.address, service.key.port);
    json!({
        "id": format!("{event}{:05}", service.key.port),
        "event_id": event,
        "object_id": "0",
        "object_relation": null,
        "category": CATEGORY,
        "type": kind,
        "to_ids": false,
        "uuid": own_uuid("attribute", &format!("{installation} {}", service.key)),
        "timestamp": seconds(service.last_seen),
        "first_seen": service.first_seen.min(service.last_seen),
        "last_seen": service.last_seen,
        "distribution": "5",
        "sharing_group_id": "0",
        "comment": words.into_iter().flatten().collect::<Vec<_>>().join(" "),
        "deleted": false,
        "disable_correlation": false,
        "value": value,
    })
}

/// Kind and value of an attribute: what is said of a host as a whole, at port 0, has no port.
fn kind_of(address: IpAddr, port: u16) -> (&'static str, String) {
    match port {
        0 => (BARE_KIND, address.to_string()),
        port => (KIND, format!("{address}|{port}")),
    }
}

/// The number of an event: an IPv4 address as a number; of an IPv6 address some of its bits, which lead nowhere back.
fn id_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => u32::from(address).to_string(),
        IpAddr::V6(address) => (u128::from(address) % (1 << 61) + (1 << 61)).to_string(),
    }
}

/// The address of an event's number.
pub(super) fn address_of(id: &str) -> Option<Ipv4Addr> {
    id.parse::<u32>().ok().map(Ipv4Addr::from)
}

fn seconds(time: Timestamp) -> String {
    time.as_micros().div_euclid(MICROS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_port_is_an_address_alone() {
        let address = IpAddr::from([198, 51, 100, 3]);
        assert_eq!(kind_of(address, 0), ("ip-dst", "198.51.100.3".to_owned()));
        assert_eq!(kind_of(address, 22), ("ip-dst|port", "198.51.100.3|22".to_owned()));
    }
}
