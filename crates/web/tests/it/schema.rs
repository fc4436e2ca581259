//! Holds JSON against the schemas of the description: exactly the documented properties, of the documented types.

use serde_json::Value;

/// The description.
pub(crate) fn description() -> Value {
    serde_json::from_str(hinomi_web::api::DESCRIPTION).expect("the description is JSON")
}

/// What is wrong with a value under a schema; empty when nothing is.
pub(crate) fn faults(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        let target = document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return faults(document, target, value, at);
    }
    let mut found = Vec::new();
    if !has_type(&schema["type"], value) {
        return vec![format!("{at}: {value} is not {}", schema["type"])];
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{at}: {value} is not documented"));
    }
    if let Some(items) = value.as_array() {
        let each = items.iter().enumerate();
        found.extend(each.flat_map(|(n, item)| faults(document, &schema["items"], item, &format!("{at}[{n}]"))));
    }
    if let Some(object) = value.as_object() {
        found.extend(object_faults(document, schema, object, at));
    }
    found
}

fn object_faults(document: &Value, schema: &Value, object: &serde_json::Map<String, Value>, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            found.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, value) in object {
        let own = &schema["properties"][name];
        let schema = if own.is_null() { &schema["additionalProperties"] } else { own };
        match schema {
            Value::Object(_) => found.extend(faults(document, schema, value, &format!("{at}.{name}"))),
            _ => found.push(format!("{at}: {name} is not documented")),
        }
    }
    found
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    match wanted {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

#[test]
fn the_checker_finds_faults() {
    let document = serde_json::json!({"components": {"schemas": {"A": {
        "type": "object", "required": ["x"], "additionalProperties": false,
        "properties": {"x": {"type": "array", "items": {"type": "integer"}}}
    }}}});
    let schema = serde_json::json!({"$ref": "#/components/schemas/A"});
    let check = |value: Value| faults(&document, &schema, &value, "it");
    assert!(check(serde_json::json!({"x": [1, 2]})).is_empty());
    assert_eq!(check(serde_json::json!({"x": ["1"], "y": 1})).len(), 2);
    assert_eq!(check(serde_json::json!({})).len(), 1);
    assert_eq!(check(serde_json::json!([])).len(), 1);
}
