//! The document itself: who made it, the assets, and what rests on what.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;

use hinomi_model::{ContentHash, Timestamp};
use serde::Serialize;
use serde::ser::Serializer;

use super::algorithm::Algorithm;
use super::{Asset, Inventory, Is, Name, Place};

const SCHEMA: &str = "http://cyclonedx.org/schema/bom-1.6.schema.json";

/// How properties of ours begin.
const OURS: &str = "hinomi:";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Components<'a>,
    dependencies: Dependencies<'a>,
}

#[derive(Serialize)]
struct Metadata {
    timestamp: String,
    lifecycles: [Phase; 1],
    tools: Tools,
    component: Subject,
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Phase {
    phase: &'static str,
}

#[derive(Serialize)]
struct Tools {
    components: [Subject; 1],
}

#[derive(Serialize)]
struct Subject {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
}

#[derive(Serialize)]
struct Property {
    name: String,
    value: String,
}

/// Every asset as a component.
struct Components<'a>(&'a Inventory);

/// What certificates and protocols rest on.
struct Dependencies<'a>(&'a Inventory);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    reference: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashes: Option<[Sum<'a>; 1]>,
    crypto_properties: Properties<'a>,
    evidence: Evidence<'a>,
}

#[derive(Serialize)]
struct Sum<'a> {
    alg: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    asset_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm_properties: Option<&'a Algorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_properties: Option<Certificate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol_properties: Option<Protocol<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificate<'a> {
    subject_name: &'a str,
    issuer_name: &'a str,
    not_valid_before: String,
    not_valid_after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_algorithm_ref: Option<String>,
    certificate_format: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Protocol<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cipher_suites: Vec<Suite<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crypto_ref_array: Vec<String>,
}

#[derive(Serialize)]
struct Suite<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    algorithms: Vec<String>,
}

#[derive(Serialize)]
struct Evidence<'a> {
    occurrences: Occurrences<'a>,
}

struct Occurrences<'a>(&'a [Place]);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Occurrence {
    location: String,
    additional_context: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: Vec<String>,
}

/// Writes the whole.
pub(super) fn write(gathered: &Inventory, query: &str, now: Timestamp, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let document = Document {
        schema: SCHEMA,
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial(query, now, gathered),
        version: 1,
        metadata: metadata(gathered, query, now),
        components: Components(gathered),
        dependencies: Dependencies(gathered),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// A UUID (RFC 9562, version 8) of what was asked, when, and how much it came to.
fn serial(query: &str, now: Timestamp, gathered: &Inventory) -> String {
    let named = format!("{query}\n{now}\n{} {} {}", gathered.services, gathered.assets.len(), gathered.occurrences);
    let hash = ContentHash::of(named.as_bytes()).to_string();
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or("0");
    format!("urn:uuid:{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

fn metadata(gathered: &Inventory, query: &str, now: Timestamp) -> Metadata {
    let ours = |name: &str, value: String| Property { name: format!("{OURS}{name}"), value };
    let mut properties = vec![
        ours("query", query.to_owned()),
        ours("services", gathered.services.to_string()),
        ours("occurrences-left-out", gathered.left_out.0.to_string()),
        ours("assets-left-out", gathered.left_out.1.to_string()),
    ];
    properties.extend(
        gathered.old.iter().map(|(old, count)| ours(&format!("tls-old-versions:{}", old.name()), count.to_string())),
    );
    let program = Subject { kind: "application", name: "hinomi", version: Some(env!("CARGO_PKG_VERSION")) };
    Metadata {
        timestamp: now.to_string(),
        lifecycles: [Phase { phase: "discovery" }],
        tools: Tools { components: [program] },
        component: Subject { kind: "application", name: "services seen", version: None },
        properties,
    }
}

impl Serialize for Components<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.assets.iter().map(|(name, asset)| component(self.0, name, asset)))
    }
}

impl Serialize for Dependencies<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let resting = self.0.assets.iter().filter(|(_, asset)| !asset.on.is_empty());
        to.collect_seq(resting.map(|(name, asset)| Dependency {
            reference: name.reference(),
            depends_on: references(&self.0.assets, asset.on.iter()),
        }))
    }
}

impl Serialize for Occurrences<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|place| Occurrence {
            location: SocketAddr::new(place.key.address, place.key.port).to_string(),
            additional_context: context(place),
        }))
    }
}

/// Transport, when it was seen, and what is known of old versions of TLS.
fn context(place: &Place) -> String {
    let seen = format!("{}, last seen {}", place.key.transport, place.last_seen);
    match place.old {
        Some(old) => format!("{seen}, TLS older than 1.2: {}", old.name()),
        None => seen,
    }
}

/// Of those that are listed.
fn references<'a>(assets: &BTreeMap<Name, Asset>, names: impl Iterator<Item = &'a Name>) -> Vec<String> {
    names.filter(|name| assets.contains_key(*name)).map(Name::reference).collect()
}

fn component<'a>(gathered: &'a Inventory, name: &'a Name, asset: &'a Asset) -> Component<'a> {
    let (called, hashes) = match (name, &asset.is) {
        (Name::Protocol(kind, version), _) => (format!("{} {version}", kind.to_ascii_uppercase()), None),
        (Name::Certificate(sum), Is::Certificate(one)) => {
            let called = if one.subject.is_empty() { sum.clone() } else { one.subject.clone() };
            (called, Some([Sum { alg: "SHA-256", content: sum }]))
        }
        (Name::Algorithm(called) | Name::Certificate(called), _) => (called.clone(), None),
    };
    Component {
        kind: "cryptographic-asset",
        reference: name.reference(),
        name: called,
        hashes,
        crypto_properties: properties(gathered, name, asset),
        evidence: Evidence { occurrences: Occurrences(&asset.seen) },
    }
}

fn properties<'a>(gathered: &'a Inventory, name: &'a Name, asset: &'a Asset) -> Properties<'a> {
    let mut told = Properties {
        asset_type: "algorithm",
        algorithm_properties: None,
        certificate_properties: None,
        protocol_properties: None,
    };
    match (&asset.is, name) {
        (Is::Algorithm(algorithm), _) => told.algorithm_properties = Some(algorithm),
        (Is::Certificate(one), _) => {
            let signed = Name::Algorithm(one.signature.clone());
            told.asset_type = "certificate";
            told.certificate_properties = Some(Certificate {
                subject_name: &one.subject,
                issuer_name: &one.issuer,
                not_valid_before: one.not_before.to_string(),
                not_valid_after: one.not_after.to_string(),
                signature_algorithm_ref: gathered.assets.contains_key(&signed).then(|| signed.reference()),
                certificate_format: "X.509",
            });
        }
        (Is::Protocol(suites), Name::Protocol(kind, version)) => {
            told.asset_type = "protocol";
            let suite = |(name, parts): (&'a String, &'a Vec<Name>)| Suite {
                name,
                algorithms: references(&gathered.assets, parts.iter()),
            };
            told.protocol_properties = Some(Protocol {
                kind,
                version,
                cipher_suites: suites.iter().map(suite).collect(),
                crypto_ref_array: references(&gathered.assets, asset.on.iter()),
            });
        }
        (Is::Protocol(_), _) => {}
    }
    told
}
