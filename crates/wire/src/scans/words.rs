//! What a record says in its own words, small enough to store, and claims read from such words.
//!
//! Records of search engines carry an address, times and pictures beside what they say of the service. Address and
//! time are parts of the sighting; what was seen is evidence of its own; a picture says nothing to our rules. The rest
//! is stored as JSON: members and texts as they were, numbers as they read.

use std::borrow::Cow;

use hinomi_model::evidence::MAX_BYTES;
use hinomi_model::time::Timestamp;
use serde_json::Value;

use super::told_time;
use crate::fields::Fields;

/// Bounds of texts and lists in words, tried in this order until the words fit into one piece of evidence.
const BOUNDS: &[(usize, usize)] = &[(16 * 1024, 4_096), (1_024, 64), (128, 16)];

/// The words of a record without members of these names, at whatever depth.
pub(super) fn words(record: &mut Value, left_out: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (text, list) in BOUNDS {
        shorten(record, left_out, *text, *list);
        // What was read as JSON can be written as JSON.
        bytes = serde_json::to_vec(record).unwrap_or_default();
        if bytes.len() <= MAX_BYTES {
            break;
        }
    }
    bytes
}

/// As deep as the reader allowed, which is 128 levels.
fn shorten(value: &mut Value, left_out: &[&str], text: usize, list: usize) {
    match value {
        Value::String(string) => string.truncate(string.floor_char_boundary(text)),
        Value::Array(values) => {
            values.truncate(list);
            values.iter_mut().for_each(|value| shorten(value, left_out, text, list));
        }
        Value::Object(members) => {
            members.retain(|name, value| !left_out.contains(&name.as_str()) && !value.is_null());
            members.values_mut().take(list).for_each(|value| shorten(value, left_out, text, list));
            let surplus: Vec<String> = members.keys().skip(list).cloned().collect();
            surplus.iter().for_each(|name| drop(members.remove(name)));
        }
        _ => {}
    }
}

/// The time that a member tells; none where it is absent, null or empty.
pub(super) fn time(value: &Value, pointer: &str) -> Result<Option<Timestamp>, String> {
    match value.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => told_time(text),
        Some(_) => Err("its time is no text".to_owned()),
    }
}

/// The text of a member.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A claim with the place where it stands in the words; an empty one says nothing.
pub(super) fn push_claim(list: &mut Fields<'_>, input: &[u8], field: &'static str, value: &str) {
    let start = memchr::memmem::find(input, value.as_bytes());
    let span = start.map_or(0..input.len(), |start| start..start + value.len());
    list.value(field, Cow::Owned(value.as_bytes().to_vec()), span);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_fit_into_one_piece_and_stay_json() {
        let long = "あ".repeat(30_000);
        let mut record = json!({"ip": "192.0.2.1", "list": vec![long; 200], "none": null, "deep": {"ip": 1, "a": "b"}});
        let bytes = words(&mut record, &["ip"]);
        assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
        let read: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(read.pointer("/deep"), Some(&json!({"a": "b"})));
        assert!(read.get("ip").is_none() && read.get("none").is_none());
    }
}
