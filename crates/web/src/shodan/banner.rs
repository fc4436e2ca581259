//! One service as Shodan's clients know one: a banner.

use std::net::IpAddr;

use hinomi_model::{CertificateFacts, DeviceKind, Service, Timestamp};
use serde_json::{Map, Value, json};

/// A banner.
pub(super) fn banner(service: &Service) -> Value {
    let facts = &service.facts;
    let names = hostnames(service);
    let domains: Vec<&str> = names.iter().filter_map(|name| domain(name)).collect();
    let mut banner = json!({
        "ip_str": service.key.address.to_string(),
        "port": service.key.port,
        "transport": service.key.transport.to_string(),
        "timestamp": moment(service.last_seen),
        "hostnames": names,
        "domains": domains,
        "data": facts.summary.as_deref().unwrap_or_default(),
        "hash": 0,
        "opts": {},
        "location": location(service.country.as_deref()),
        "org": null,
        "isp": null,
        "os": facts.os,
        "tags": tags(service),
        "_shodan": {
            "id": service.key.to_string(),
            "module": facts.protocol.as_ref().map_or("unknown", |protocol| protocol.as_str()),
            "crawler": service.sensor,
            "ptr": false,
            "options": {},
        },
    });
    let Some(members) = banner.as_object_mut() else { return banner };
    match service.key.address {
        IpAddr::V4(address) => members.insert("ip".to_owned(), u32::from(address).into()),
        IpAddr::V6(address) => members.insert("ipv6".to_owned(), address.to_string().into()),
    };
    let kind = facts.kind.map(|kind| kind.to_string());
    let asn = service.asn.map(|number| format!("AS{number}"));
    for (name, value) in [
        ("asn", asn.as_ref()),
        ("product", facts.product.as_ref()),
        ("version", facts.version.as_ref()),
        ("info", facts.model.as_ref()),
        ("devicetype", kind.as_ref()),
    ] {
        members.extend(value.map(|value| (name.to_owned(), value.clone().into())));
    }
    if !facts.cpe.is_empty() {
        members.insert("cpe23".to_owned(), json!(facts.cpe));
    }
    if let Some(title) = &facts.title {
        members.insert("http".to_owned(), json!({ "title": title }));
    }
    if facts.tls || facts.certificate.is_some() {
        members.insert("ssl".to_owned(), ssl(service));
    }
    banner
}

/// What an address says as a whole.
pub(super) fn host(services: &[Service]) -> Value {
    let first = services.first();
    let newest = services.iter().map(|service| service.last_seen).max().unwrap_or_default();
    let mut ports: Vec<u16> = services.iter().map(|service| service.key.port).collect();
    ports.dedup();
    let mut names: Vec<String> = services.iter().flat_map(hostnames).collect();
    names.sort_unstable();
    names.dedup();
    let country = first.and_then(|service| service.country.clone());
    let mut host = json!({
        "ip_str": first.map(|service| service.key.address.to_string()),
        "ports": ports,
        "hostnames": names,
        "domains": [],
        "data": services.iter().map(banner).collect::<Vec<_>>(),
        "last_update": moment(newest),
        "os": services.iter().find_map(|service| service.facts.os.clone()),
        "org": null,
        "isp": null,
        "asn": first.and_then(|service| service.asn).map(|number| format!("AS{number}")),
        "tags": [],
        "vulns": [],
    });
    if let (Some(members), Value::Object(place)) = (host.as_object_mut(), location(country.as_deref())) {
        members.extend(place);
    }
    host
}

/// Whether something there is made to look like a device.
pub(super) fn is_decoy(services: &[Service]) -> bool {
    services.iter().any(|service| service.facts.kind == Some(DeviceKind::Decoy))
}

/// Names that its certificate bears, without wildcards.
pub(super) fn hostnames(service: &Service) -> Vec<String> {
    let names = service.facts.certificate.iter().flat_map(|certificate| &certificate.names);
    let plain = names.filter(|name| name.parse::<IpAddr>().is_err() && !name.contains('*') && name.contains('.'));
    plain.cloned().collect()
}

/// The last two labels: a guess, as there is no list of public suffixes here.
fn domain(name: &str) -> Option<&str> {
    let mut dots = name.rmatch_indices('.').map(|(at, _)| at);
    dots.next()?;
    Some(dots.next().map_or(name, |at| name.get(at + 1..).unwrap_or(name)))
}

fn tags(service: &Service) -> Vec<String> {
    let self_signed = service.facts.certificate.as_ref().is_some_and(|certificate| certificate.self_signed);
    let mut tags = service.facts.tags.clone();
    if self_signed && !tags.iter().any(|tag| tag == "self-signed") {
        tags.push("self-signed".to_owned());
    }
    tags
}

fn location(country: Option<&str>) -> Value {
    json!({
        "country_code": country,
        "country_name": country,
        "city": null,
        "region_code": null,
        "area_code": null,
        "longitude": null,
        "latitude": null,
    })
}

fn ssl(service: &Service) -> Value {
    let facts = &service.facts;
    let crypto = facts.crypto.as_ref();
    let taken = crypto.map(|crypto| crypto.versions.clone()).unwrap_or_default();
    let agreed = facts.tls_version.iter().filter(|version| !taken.contains(version));
    let versions: Vec<String> = taken.iter().chain(agreed).map(|version| format!("TLSv{version}")).collect();
    json!({
        "versions": versions,
        "cert": facts.certificate.as_ref().map(|certificate| certificate_of(certificate, service.last_seen)),
        "cipher": { "version": facts.tls_version.as_ref().map(|version| format!("TLSv{version}")) },
    })
}

fn certificate_of(certificate: &CertificateFacts, seen: Timestamp) -> Value {
    json!({
        "subject": distinguished(&certificate.subject),
        "issuer": distinguished(&certificate.issuer),
        "expired": certificate.not_after < seen,
        "issued": compact(certificate.not_before),
        "expires": compact(certificate.not_after),
        "sig_alg": certificate.signature,
        "fingerprint": { "sha256": certificate.sha256 },
        "pubkey": { "type": certificate.key },
    })
}

/// `CN=a,O=b` as members; commas that a value has are written with a backslash (RFC 4514).
fn distinguished(name: &str) -> Value {
    let (mut members, mut part, mut escaped) = (Map::new(), String::new(), false);
    let mut put = |part: &str| {
        if let Some((kind, value)) = part.split_once('=') {
            members.insert(kind.trim().to_owned(), value.into());
        }
    };
    for c in name.chars() {
        match c {
            c if escaped => {
                part.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            ',' => put(&std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    put(&part);
    Value::Object(members)
}

/// Without a zone, as their clients cut it; it is UTC.
fn moment(time: Timestamp) -> String {
    let text = hinomi_share::stix::moment(time);
    format!("{}000", text.trim_end_matches('Z'))
}

/// `20261122120000Z`.
fn compact(time: Timestamp) -> String {
    let text = hinomi_share::stix::moment(time);
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{digits}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_certificates_become_members() {
        assert_eq!(distinguished("CN=a\\,b,O=Example"), json!({ "CN": "a,b", "O": "Example" }));
        assert_eq!(distinguished(""), json!({}));
        assert_eq!(domain("www.example.jp"), Some("example.jp"));
        assert_eq!(domain("example.jp"), Some("example.jp"));
    }

    #[test]
    fn times_are_written_as_their_clients_cut_them() {
        let time = "2026-11-22T12:00:00.5Z".parse().expect("a time");
        assert_eq!((moment(time).as_str(), compact(time).as_str()), ("2026-11-22T12:00:00.500000", "20261122120000Z"));
    }
}
