//! Labels as marking definitions: TLP 2.0, and what TLP 1 had; licence and handling as statements (7.2.1.3).

use hinomi_model::{Terms, Timestamp, Tlp};
use serde_json::json;

use super::{Object, id};

/// The extension that TLP 2.0 is (OASIS common object repository).
const EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
/// When the marking definitions of TLP 2.0 were made.
const MADE: &str = "2022-10-01T00:00:00Z";

const TLP_2: [(Tlp, &str, &str); 5] = [
    (Tlp::Clear, "clear", "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"),
    (Tlp::Green, "green", "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"),
    (Tlp::Amber, "amber", "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"),
    (Tlp::AmberStrict, "amber+strict", "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"),
    (Tlp::Red, "red", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"),
];
/// Those of TLP 1, in the standard itself (7.2.1.4).
const TLP_1: [(Tlp, &str); 4] = [
    (Tlp::Clear, "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"),
    (Tlp::Green, "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"),
    (Tlp::Amber, "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"),
    (Tlp::Red, "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"),
];

/// The id of the marking definition of a label.
pub fn marking_id(label: Tlp) -> &'static str {
    TLP_2.iter().find(|(each, ..)| *each == label).map_or(TLP_2[4].2, |(.., id)| id)
}

/// The label that marking definitions say together: the strictest; RED when one is not known, or there is none.
pub fn label_of<'a>(ids: impl IntoIterator<Item = &'a str>) -> Tlp {
    let of_one = |id: &str| {
        let second = TLP_2.iter().find(|(.., each)| *each == id).map(|(label, ..)| *label);
        second.or_else(|| TLP_1.iter().find(|(_, each)| *each == id).map(|(label, _)| *label)).unwrap_or(Tlp::Red)
    };
    ids.into_iter().map(of_one).max().unwrap_or(Tlp::Red)
}

/// Whether an id is that of a label, of TLP 2.0 or of 1.
pub fn is_label(id: &str) -> bool {
    TLP_2.iter().any(|(.., each)| *each == id) || TLP_1.iter().any(|(_, each)| *each == id)
}

/// The marking definitions of TLP 2.0, from open to closed.
pub fn marking_objects() -> Vec<Object> {
    let made: Timestamp = MADE.parse().unwrap_or_default();
    let object = |(label, word, id): &(Tlp, &str, &str)| {
        let extension = json!({ "extension_type": "property-extension", "tlp_2_0": word });
        let body = json!({
            "type": "marking-definition",
            "spec_version": super::SPEC_VERSION,
            "id": id,
            "created": super::moment(made),
            "name": label.label(),
            "extensions": { EXTENSION: extension },
        });
        Object::new(body, made)
    };
    TLP_2.iter().map(object).collect()
}

/// What licence and handling say, as a statement that objects refer to; none where neither is said. What is under an embargo
/// is not told as objects at all: no marking of the standard says that.
pub fn statement(terms: &Terms) -> Option<Object> {
    let licence = terms.licence.as_deref().map(|licence| format!("Licence: {licence}"));
    let words: Vec<&str> = terms.handling.iter().map(String::as_str).collect();
    let handling = (!words.is_empty()).then(|| format!("Handling: {}", words.join(", ")));
    let said: Vec<String> = [licence, handling].into_iter().flatten().collect();
    if said.is_empty() {
        return None;
    }
    let (text, made): (String, Timestamp) = (said.join(". "), MADE.parse().unwrap_or_default());
    let body = json!({
        "type": "marking-definition",
        "spec_version": super::SPEC_VERSION,
        "id": id::own("marking-definition", &format!("statement {text}")),
        "created": super::moment(made),
        "definition_type": "statement",
        "definition": { "statement": text },
    });
    Some(Object::new(body, made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_one_statement_and_the_same_terms_the_same_one() {
        let handling = ["pap:amber".to_owned(), "no-forward".to_owned()].into();
        let terms = Terms { licence: Some("CC-BY-4.0".to_owned()), handling, ..Terms::default() };
        let told = statement(&terms).expect("a statement");
        assert_eq!(told.body["definition"]["statement"], "Licence: CC-BY-4.0. Handling: no-forward, pap:amber");
        assert_eq!(statement(&terms), Some(told));
        let embargo = Terms { embargo: Some(Timestamp::from_micros(1)), ..Terms::default() };
        assert_eq!((statement(&embargo), statement(&Terms::default())), (None, None));
    }

    #[test]
    fn labels_are_read_back_and_what_is_not_known_closes() {
        for (label, _, id) in TLP_2 {
            assert_eq!((marking_id(label), label_of([id])), (id, label));
        }
        assert_eq!(label_of([TLP_1[1].1, TLP_2[2].2]), Tlp::Amber, "the strictest");
        assert_eq!(label_of([TLP_2[0].2, "marking-definition--11111111-1111-4111-8111-111111111111"]), Tlp::Red);
        assert_eq!(label_of([]), Tlp::Red);
    }
}
