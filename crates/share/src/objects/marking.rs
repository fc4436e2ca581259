//! How an object is marked, distilled into what rules decide by.

use std::collections::BTreeSet;

use hinomi_model::{Marking, Purpose, Tlp};
use serde_json::{Map, Value};

use super::terms::Terms;
use crate::stix::{is_label, label_of};

/// The label of an object: the strictest of what it and its parts bear. Definitions in `plain` say nothing about who may
/// know; one that is not known is RED.
pub(super) fn label(object: &Map<String, Value>, plain: &BTreeSet<String>, unmarked: Tlp) -> Tlp {
    let mut strictest: Option<Tlp> = None;
    let mut add = |label: Tlp| strictest = Some(strictest.map_or(label, |known| known.max(label)));
    for id in references(object) {
        match id {
            // A definition of somebody's own under the id of a label takes nothing from the label.
            Some(id) if plain.contains(id) && !is_label(id) => {}
            Some(id) => add(label_of([id])),
            None => add(Tlp::Red),
        }
    }
    strictest.unwrap_or(unmarked)
}

/// The marking definitions that an object and its parts name; none where it cannot be read.
pub(super) fn references(object: &Map<String, Value>) -> Vec<Option<&str>> {
    let mut found = Vec::new();
    match object.get("object_marking_refs") {
        None => {}
        Some(Value::Array(all)) => found.extend(all.iter().map(Value::as_str)),
        Some(_) => found.push(None),
    }
    match object.get("granular_markings") {
        None => {}
        Some(Value::Array(all)) => {
            for one in all {
                // Of a language it says nothing about who may know.
                let speaks = one.get("lang").is_some_and(Value::is_string) && one.get("marking_ref").is_none();
                if !speaks {
                    found.push(one.get("marking_ref").and_then(Value::as_str));
                }
            }
        }
        Some(_) => found.push(None),
    }
    found
}

/// Whether this marking definition is a statement: words for people, which say nothing about who may know.
pub(super) fn is_plain(object: &Map<String, Value>) -> bool {
    let says = |name: &str| object.get(name).and_then(Value::as_str);
    let statement = object.get("definition").and_then(|definition| definition.get("statement"));
    says("type") == Some("marking-definition")
        && says("definition_type") == Some("statement")
        && statement.is_some_and(Value::is_string)
        && !object.contains_key("extensions")
}

/// What rules decide by. Who names an audience has chosen who may know: a label that would ask for holders is then for
/// that audience alone.
pub(super) fn decided(label: Tlp, terms: &Terms<'_>, exercise: bool) -> Marking {
    let purpose = if exercise { Purpose::Exercise } else { terms.giver.purpose };
    let (tlp, audience) = match terms.audience {
        Some(name) if label > Tlp::Green => (Tlp::Red, vec![name.to_owned()]),
        Some(name) => (label, vec![name.to_owned()]),
        None => (label, Vec::new()),
    };
    Marking { tlp, audience, ..Marking::own(purpose) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stix::marking_id;

    fn of(object: &Value) -> Tlp {
        let plain = ["marking-definition--p".to_owned()].into();
        label(object.as_object().unwrap(), &plain, Tlp::Amber)
    }

    #[test]
    fn the_strictest_counts_wherever_it_stands_and_what_is_not_known_closes() {
        let (clear, green) = (marking_id(Tlp::Clear), marking_id(Tlp::Green));
        let white = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9";
        assert_eq!(of(&json!({})), Tlp::Amber, "as the terms say");
        assert_eq!(of(&json!({ "object_marking_refs": ["marking-definition--p"] })), Tlp::Amber);
        assert_eq!(of(&json!({ "object_marking_refs": [white, "marking-definition--p"] })), Tlp::Clear);
        let part = |reference: Value| json!([{ "selectors": ["name"], "marking_ref": reference }]);
        let granular = |reference| json!({ "object_marking_refs": [clear], "granular_markings": part(reference) });
        assert_eq!(of(&granular(json!(green))), Tlp::Green);
        for unknown in [json!("marking-definition--x"), json!(null), json!(3), json!([green])] {
            assert_eq!(of(&granular(unknown.clone())), Tlp::Red, "{unknown}");
        }
        let lang =
            json!({ "object_marking_refs": [clear], "granular_markings": [{ "lang": "ja", "selectors": ["name"] }] });
        assert_eq!(of(&lang), Tlp::Clear);
        for odd in [json!({ "object_marking_refs": clear }), json!({ "granular_markings": {} })] {
            assert_eq!(of(&odd.clone()), Tlp::Red, "{odd}");
        }
    }

    #[test]
    fn only_a_statement_is_plain() {
        let plain = |object: Value| is_plain(object.as_object().unwrap());
        let statement = json!({ "type": "marking-definition", "definition_type": "statement",
                                "definition": { "statement": "(c) somebody" } });
        assert!(plain(statement.clone()));
        let mut own = statement.clone();
        own["extensions"] = json!({});
        assert!(!plain(own));
        let mut tlp = statement;
        tlp["definition_type"] = json!("tlp");
        assert!(!plain(tlp) && !plain(json!({ "type": "indicator" })));
    }
}
