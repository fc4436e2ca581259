//! JSON of strangers: bounded in depth and number of parts, without names that stand twice.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{MAX_ENVELOPE_OBJECTS, ObjectsError};

/// The deepest nesting.
const MAX_DEPTH: usize = 40;
/// The most values of an object.
const MAX_PARTS: usize = 300_000;

/// Reads one object.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, String> {
    let left = Cell::new(MAX_PARTS);
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Part { depth: 0, left: &left }.deserialize(&mut reader);
    let value = read.and_then(|value| reader.end().map(|()| value)).map_err(|error| error.to_string())?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err("this is no object".to_owned()),
    }
}

/// Objects as they stand in an envelope or a bundle, each with its own bytes.
pub(super) fn envelope(bytes: &[u8]) -> Result<Vec<&str>, ObjectsError> {
    let unreadable = |error: &dyn fmt::Display| ObjectsError::Unreadable(format!("this is no envelope: {error}"));
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable(&error))?;
    // A list would be read as its members in order.
    if !text.trim_start().starts_with('{') {
        return Err(unreadable(&"it is no object"));
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    let Many(objects, whole) = envelope.objects;
    match whole {
        true => Ok(objects.into_iter().map(RawValue::get).collect()),
        false => Err(ObjectsError::TooMuch(format!("an envelope has at most {MAX_ENVELOPE_OBJECTS} objects"))),
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    objects: Many<'a>,
}

/// Some objects, and whether that is all of them.
struct Many<'a>(Vec<&'a RawValue>, bool);

impl Default for Many<'_> {
    fn default() -> Self {
        Self(Vec::new(), true)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Many<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = (Vec<&'de RawValue>, bool);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of objects")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut objects = Vec::new();
                while let Some(one) = list.next_element::<&'de RawValue>()? {
                    if objects.len() >= MAX_ENVELOPE_OBJECTS {
                        while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                        return Ok((objects, false));
                    }
                    objects.push(one);
                }
                Ok((objects, true))
            }
        }
        deserializer.deserialize_seq(Each).map(|(objects, whole)| Self(objects, whole))
    }
}

/// A value at a depth.
#[derive(Clone, Copy)]
struct Part<'a> {
    depth: usize,
    left: &'a Cell<usize>,
}

impl Part<'_> {
    /// A value within this one.
    fn within<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format!("nested deeper than {MAX_DEPTH}")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get();
        if left == 0 {
            return Err(D::Error::custom(format!("more than {MAX_PARTS} values")));
        }
        self.left.set(left - 1);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let part = self.within()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(part)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let part = self.within()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(part)?;
            // Two readers would take two different values.
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice in one object"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hostile_is_refused_and_says_why() {
        let deep = format!("{}1{}", "{\"a\":".repeat(50), "}".repeat(50));
        let wide = format!("{{\"a\":[{}1]}}", "1,".repeat(MAX_PARTS));
        for (text, why) in [
            (deep.as_str(), "nested deeper"),
            (wide.as_str(), "more than"),
            (r#"{"a":1,"a":2}"#, "twice"),
            (r#"{"x":{"\u0061":1,"a":2}}"#, "twice"),
            (r#"{"a":"\ud800"}"#, "hex escape"),
            (r#"{"a":1} x"#, "trailing"),
            (r#"{"a":1e999}"#, "number out of range"),
            ("[]", "no object"),
            ("", "EOF"),
        ] {
            let error = object(text).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
        assert_eq!(object(r#"{"a":[1,null,-2.5,"x"]}"#).unwrap().len(), 1);
    }

    #[test]
    fn objects_of_an_envelope_keep_their_bytes() {
        let text = "{ \"more\": false, \"objects\" : [ { \"b\" : 1.0,\n \"a\":\"\\u0041\" } , {}] }";
        assert_eq!(envelope(text.as_bytes()).unwrap(), ["{ \"b\" : 1.0,\n \"a\":\"\\u0041\" }", "{}"]);
        assert!(envelope(b"{}").unwrap().is_empty());
        let many = format!("{{\"objects\":[{}1]}}", "1,".repeat(MAX_ENVELOPE_OBJECTS));
        assert!(matches!(envelope(many.as_bytes()), Err(ObjectsError::TooMuch(_))));
        let deep = format!("{{\"objects\":[{}{}]}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(envelope(deep.as_bytes()).map(|found| found.len()).unwrap_or(1), 1, "and no stack is used up");
        for bad in
            [&b"[]"[..], b"{\"objects\":1}", b"{\"objects\":[],\"objects\":[]}", b"{\"objects\":[\"\xff\"]}", b""]
        {
            assert!(matches!(envelope(bad), Err(ObjectsError::Unreadable(_))), "{bad:?}");
        }
    }
}
