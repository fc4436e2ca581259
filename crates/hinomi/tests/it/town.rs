//! A survey of the town equals the town's own truth.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{Installation, alone};

type Key = (String, u64, String);

fn key(service: &Value) -> Key {
    let text = |name: &str| service[name].as_str().unwrap_or_default().to_owned();
    (text("address"), service["port"].as_u64().unwrap_or_default(), text("transport"))
}

fn by_key(services: Vec<Value>) -> BTreeMap<Key, Value> {
    services.into_iter().map(|service| (key(&service), service)).collect()
}

/// What the two say of each other, one line a difference that no planted fault explains.
fn differences(truth: &BTreeMap<Key, Value>, seen: &BTreeMap<Key, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (key, real) in truth {
        let faulty = real["faults"].as_array().is_some_and(|faults| !faults.is_empty());
        match seen.get(key) {
            None if faulty => {}
            None => found.push(format!("{key:?} was not seen: {real}")),
            Some(_) if faulty => {}
            Some(service) => found.extend(wrong_fields(key, real, service)),
        }
    }
    for (key, service) in seen.iter().filter(|(key, _)| !truth.contains_key(*key)) {
        found.push(format!("{key:?} is not there, but was seen as {service}"));
    }
    found
}

fn wrong_fields(key: &Key, real: &Value, seen: &Value) -> Vec<String> {
    let fields = ["protocol", "tls", "vendor", "product", "version", "model", "firmware", "kind"];
    let differ = fields.into_iter().filter(|field| real[field] != seen[field]);
    differ.map(|field| format!("{key:?} {field}: is {}, seen {}", real[field], seen[field])).collect()
}

#[test]
fn a_survey_of_4096_hosts_equals_the_truth() {
    let _alone = alone();
    let here = Installation::new();
    let town = ["--size", "4096", "--seed", "11", "--base", "127.90.0.0"];
    let (background, first) = here.start(&[&["town", "up", "--json"], town.as_slice()].concat());
    let up: Value = serde_json::from_str(&first).expect("what the town says of itself");
    let ranges: Vec<&str> = up["addresses"].as_array().expect("addresses").iter().filter_map(Value::as_str).collect();
    let ports = |name: &str| up[name].as_str().expect("ports").to_owned();
    let scope = here.scope("truth", &ranges, &ports("tcp_ports"), &ports("udp_ports"));
    let report = here.json(&["survey", "--scope", scope.to_str().expect("a path")]);
    assert_eq!(report["finished"], true, "{report}");
    let truth = by_key(here.json_lines(&[&["town", "truth"], town.as_slice()].concat()));
    drop(background);
    let seen = by_key(here.services());
    assert!(truth.len() > 4_096, "a town of 4096 hosts has more services than {}", truth.len());
    let wrong = differences(&truth, &seen);
    let shown: Vec<&String> = wrong.iter().take(40).collect();
    assert!(wrong.is_empty(), "{} differences in {} services:\n{shown:#?}", wrong.len(), truth.len());
}
