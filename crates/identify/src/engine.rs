//! Rules at work.

use hinomi_model::{ContentHash, Evidence, Facts, Identifier};

use crate::basics;
use crate::combine::combine;
use crate::error::RuleError;
use crate::found::{Found, View};
use crate::index::Index;
use crate::recog;
use crate::rules::Rules;
use crate::user::UserRules;

/// The most pieces of evidence of one service that are looked at.
pub const MAX_EVIDENCE: usize = 64;

/// The most findings of one service that are weighed.
const MAX_FOUND: usize = 256;

/// Changes when facts are derived differently from the same evidence and rules.
const ENGINE_VERSION: &str = "2";

/// How the rules are found that are worth running on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// All literals of a field's patterns in one pass; only patterns whose literal is there run.
    Index,
    /// Every pattern of the field, one after another, as Recog's own matcher does. The yardstick of tests and benchmark.
    OneByOne,
}

/// Rules, indexed by the fields they look at. Compiled patterns are kept, and shared between threads.
#[derive(Debug)]
pub struct Engine {
    rules: Rules,
    index: Index,
    recog: Option<recog::Matcher>,
    revision: String,
}

impl Engine {
    /// An engine of the rules built into the program.
    ///
    /// # Errors
    /// Never in a program whose tests passed; see [`Rules::builtin`].
    pub fn builtin() -> Result<Self, RuleError> {
        Self::with(UserRules::default())
    }

    /// An engine of the rules built into the program and those of the user.
    ///
    /// # Errors
    /// When they are too many together.
    pub fn with(user: UserRules) -> Result<Self, RuleError> {
        Self::searching(Search::Index, user)
    }

    /// As [`Engine::with`], finding rules in this way. The facts are the same.
    ///
    /// # Errors
    /// When they are too many together.
    pub fn searching(search: Search, user: UserRules) -> Result<Self, RuleError> {
        let rules = Rules::builtin()?.under(user.rules)?;
        let mut index = Index::new(search);
        for (number, rule) in rules.rules.iter().enumerate() {
            for field in &rule.fields {
                index.insert(field, &rule.pattern, number);
            }
        }
        let digest = user.recog.digest();
        let recog = (!user.recog.is_empty()).then(|| recog::Matcher::new(user.recog, search));
        let foreign = if recog.is_some() { digest.as_bytes() } else { &[] };
        let revision = revision(&[ENGINE_VERSION.as_bytes(), &rules.text, foreign]);
        Ok(Self { rules, index, recog, revision })
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
        let mut candidates = Vec::new();
        for view in views {
            self.apply(view, views, &mut candidates, &mut found);
        }
        combine(found, &mut facts);
        facts
    }

    /// Applies to one piece of evidence every rule that can match; a rule speaks once.
    fn apply(&self, view: &View<'_>, views: &[View<'_>], candidates: &mut Vec<usize>, found: &mut Vec<Found>) {
        let mut spoken: Vec<usize> = Vec::new();
        for field in &view.fields {
            self.index.candidates(&field.name, &field.value, candidates);
            for number in candidates.iter().copied() {
                if found.len() >= MAX_FOUND || spoken.contains(&number) {
                    continue;
                }
                if let Some(one) = self.rules.rules.get(number).and_then(|rule| rule.apply(view, field, views)) {
                    found.push(one);
                    spoken.push(number);
                }
            }
            if let Some(recog) = self.recog.as_ref().filter(|_| found.len() < MAX_FOUND) {
                found.extend(recog.apply(view, field, candidates));
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
