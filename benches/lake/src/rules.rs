//! Who says what the words mean: the product's own rules, or a plain reading that costs next to nothing.

use std::collections::HashMap;
use std::sync::Arc;

use hinomi_identify::Engine;
use hinomi_model::{Evidence, Facts, Identifier};

use crate::devices::Said;

/// The rules of this name.
pub fn rules(name: &str) -> Arc<dyn Identifier> {
    match name {
        "real" => Arc::new(Engine::builtin().expect("the built-in rules")),
        "plain" => Arc::new(Plain),
        other => panic!("--rules is real or plain, not {other}"),
    }
}

/// Product and version from the first thing that looks like them.
struct Plain;

impl Identifier for Plain {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let text = evidence.first().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()).unwrap_or_default();
        let named = ["Server: ", "SERVER: ", "realm=\"", "SSH-2.0-", "220 ", "* OK ", "+OK "];
        let found = named.iter().find_map(|mark| text.split_once(mark)).map_or(text.as_str(), |(_, rest)| rest);
        let line = found.split(['\r', '\n', '"']).next().unwrap_or_default();
        let (product, version) = line.split_once(['/', '_']).unwrap_or((line, ""));
        let word = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Facts {
            protocol: if text.starts_with("HTTP") { "http" } else { "text" }.parse().ok(),
            product: word(product),
            version: word(version.split(' ').next().unwrap_or_default()),
            summary: text.lines().next().map(ToOwned::to_owned),
            ..Facts::default()
        }
    }

    fn revision(&self) -> &str {
        "plain"
    }
}

/// What the rules say of each form of words: what differs between hosts of one form names neither product nor version.
pub struct Told {
    rules: Arc<dyn Identifier>,
    forms: HashMap<u64, Arc<Facts>>,
}

impl Told {
    pub fn new(rules: Arc<dyn Identifier>) -> Self {
        Self { rules, forms: HashMap::new() }
    }

    pub fn of(&mut self, said: &Said) -> Arc<Facts> {
        let facts = self.forms.entry(said.form).or_insert_with(|| Arc::new(self.rules.identify(&said.evidence())));
        Arc::clone(facts)
    }
}
