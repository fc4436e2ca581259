//! Built-in rules against each other.

use crate::engine::Engine;
use crate::rules::Rules;

use super::{apply, example_view};

/// Rules that are meant to give way to a surer one on their own example.
const GIVE_WAY: &[&str] = &[];

#[test]
fn no_rule_takes_another_ones_example() {
    let rules = Rules::builtin().expect("built-in rules");
    let engine = Engine::builtin().expect("built-in rules");
    let mut taken = Vec::new();
    for rule in rules.rules.iter().filter(|rule| !GIVE_WAY.contains(&rule.name.as_str())) {
        for example in &rule.examples {
            let with: Vec<(&String, &String)> = example.with.iter().collect();
            let bytes = example.bytes().expect("bytes");
            let Some(found) = apply(rule, &bytes, &with) else { continue };
            for field in &rule.fields {
                let facts = engine.identify_views(&[example_view(field, &bytes, &with)]);
                let silent = found.vendor.is_none() && found.product.is_none();
                let same = facts.vendor == found.vendor && facts.product == found.product;
                let version = found.version.is_none() || facts.version == found.version;
                let sure = found.confidence < 50 || facts.confidence.as_percent() >= found.confidence.min(50);
                if !(silent || same && version && sure) {
                    let rules: Vec<_> = facts.proofs.iter().map(|proof| proof.rule.as_str()).collect();
                    taken.push(format!("{} on {:?} in {field}: {rules:?}", rule.name, example.text));
                }
            }
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
}
