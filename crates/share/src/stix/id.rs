//! Identifiers: version 5 UUIDs (RFC 9562) over canonical JSON (RFC 8785).

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use serde_json::{Map, Value};

/// Name space of cyber-observable objects (STIX 2.1, 2.9).
const OBSERVABLES: [u8; 16] =
    [0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7];
/// Name space of our own objects, made once by chance.
const OWN: [u8; 16] = [0x3e, 0x0c, 0x91, 0x7a, 0x5d, 0x24, 0x4b, 0x8f, 0xb6, 0x13, 0x0d, 0xe8, 0x47, 0xa9, 0x2c, 0x65];

/// The id of a cyber-observable object: over those of its properties that contribute to it.
pub(super) fn observable(kind: &str, body: &Map<String, Value>, contributing: &[&str]) -> String {
    let mut names: Vec<&&str> = contributing.iter().filter(|name| body.contains_key(**name)).collect();
    names.sort_unstable();
    let written = |name: &&&str| format!("{}:{}", Value::from(**name), body.get(**name).unwrap_or(&Value::Null));
    let members: Vec<String> = names.iter().map(written).collect();
    format!("{kind}--{}", uuid(&OBSERVABLES, &format!("{{{}}}", members.join(","))))
}

/// The id of an object of ours.
pub(super) fn own(kind: &str, name: &str) -> String {
    format!("{kind}--{}", own_uuid(kind, name))
}

/// A version 5 UUID for something of ours: a kind of thing, and its name.
pub fn own_uuid(kind: &str, name: &str) -> String {
    uuid(&OWN, &format!("{kind} {name}"))
}

/// A version 5 UUID.
fn uuid(space: &[u8; 16], name: &str) -> String {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(space);
    context.update(name.as_bytes());
    let mut bytes = context.finish().as_ref().first_chunk::<16>().copied().unwrap_or_default();
    for (place, keep, set) in [(6, 0x0f, 0x50), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(place) {
            *byte = *byte & keep | set;
        }
    }
    let hex = HEXLOWER.encode(&bytes);
    let part = |from: usize, upto: usize| hex.get(from..upto).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_those_of_the_standard() {
        // As Python's uuid5 makes it of the name space and `{"value":"198.51.100.3"}`.
        let body = json!({ "value": "198.51.100.3", "type": "ipv4-addr" });
        let id = observable("ipv4-addr", body.as_object().unwrap(), &["value"]);
        assert_eq!(id, "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4");
    }
}
