//! Rules at work.

use hinomi_model::{ContentHash, Evidence, Facts, Identifier};

use crate::basics;
use crate::combine::combine;
use crate::error::RuleError;
use crate::found::{Found, View};
use crate::index::Index;
use crate::recog;
use crate::rules::Rules;

/// The most pieces of evidence of one service that are looked at.
pub const MAX_EVIDENCE: usize = 64;

/// The most findings of one service that are weighed.
const MAX_FOUND: usize = 256;

/// Changes when facts are derived differently from the same evidence and rules.
const ENGINE_VERSION: &str = "1";

/// Rules, indexed by the fields they look at. Compiled patterns are kept, and shared between threads.
#[derive(Debug)]
pub struct Engine {
    rules: Rules,
    index: Index,
    recog: Option<recog::Matcher>,
    revision: String,
}

impl Engine {
    /// An engine of these rules.
    pub fn new(rules: Rules) -> Self {
        let mut index = Index::default();
        for (number, rule) in rules.rules.iter().enumerate() {
            for field in &rule.fields {
                index.insert(field, &rule.pattern, number);
            }
        }
        let revision = revision(&[ENGINE_VERSION.as_bytes(), &rules.text]);
        Self { rules, index, recog: None, revision }
    }

    /// An engine of the rules built into the program.
    ///
    /// # Errors
    /// Never in a program whose tests passed; see [`Rules::builtin`].
    pub fn builtin() -> Result<Self, RuleError> {
        Rules::builtin().map(Self::new)
    }

    /// Adds fingerprints that the user supplied. Our own rules go before them.
    pub fn with_recog(mut self, database: recog::Database) -> Self {
        let fingerprints = database.digest();
        self.revision = revision(&[self.revision.as_bytes(), fingerprints.as_bytes()]);
        self.recog = Some(recog::Matcher::new(database));
        self
    }

    /// How many rules there are, without Recog's.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What named parts of evidence say together; [`Identifier::identify`] with the reading done.
    pub fn identify_views(&self, views: &[View<'_>]) -> Facts {
        let views = views.get(..views.len().min(MAX_EVIDENCE)).unwrap_or_default();
        let mut facts = basics::facts(views);
        let mut found = basics::claims(views);
        for view in views {
            self.apply(view, views, &mut found);
        }
        combine(found, &mut facts);
        facts
    }

    /// Applies to one piece of evidence every rule that can match; a rule speaks once.
    fn apply(&self, view: &View<'_>, views: &[View<'_>], found: &mut Vec<Found>) {
        let first = found.len();
        for field in &view.fields {
            for number in self.index.candidates(&field.name, &field.value) {
                let Some(rule) = self.rules.rules.get(number) else { continue };
                let spoken = |one: &Found| one.proof.rule == rule.name;
                if found.len() >= MAX_FOUND || found.iter().skip(first).any(spoken) {
                    continue;
                }
                found.extend(rule.apply(view, field, views));
            }
            if let Some(recog) = self.recog.as_ref().filter(|_| found.len() < MAX_FOUND) {
                found.extend(recog.apply(view, field));
            }
        }
    }
}

impl Identifier for Engine {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let views: Vec<View<'_>> = evidence.iter().take(MAX_EVIDENCE).map(View::read).collect();
        self.identify_views(&views)
    }

    fn revision(&self) -> &str {
        &self.revision
    }
}

/// Sixteen hexadecimal digits that stand for these texts.
fn revision(parts: &[&[u8]]) -> String {
    let hash = ContentHash::of(&parts.join(&0));
    hash.to_string().chars().take(16).collect()
}
