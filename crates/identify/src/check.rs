//! Rules tested by the examples that stand beside them, our own format and Recog's.

use std::path::Path;

use hinomi_model::EvidenceKind;
use hinomi_wire::Field;
use serde::Serialize;

use crate::clean::{MAX_LINE_CHARS, clean};
use crate::error::RuleError;
use crate::found::{Found, View};
use crate::raw::RawExample;
use crate::recog;
use crate::rule::Rule;
use crate::rules::Rules;
use crate::user::unless_empty;

/// What became of all examples of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Files read.
    pub files: usize,
    /// Rules or fingerprints in them.
    pub rules: usize,
    /// Examples and counterexamples tried.
    pub examples: usize,
    /// Those that did as they should.
    pub passed: usize,
    /// Those that did not, each with its reason.
    pub failures: Vec<Failure>,
}

/// One example that did not do as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{file}: {rule}: {reason}\n    example: {example}")]
pub struct Failure {
    /// In which file.
    pub file: String,
    /// Of which rule.
    pub rule: String,
    /// The example's text, cleaned and cut.
    pub example: String,
    /// What was expected and what came.
    pub reason: String,
}

impl Report {
    /// Enters the outcome of one example.
    pub(crate) fn enter(&mut self, file: &str, rule: &str, example: &[u8], outcome: Result<(), String>) {
        self.examples += 1;
        match outcome {
            Ok(()) => self.passed += 1,
            Err(reason) => self.failures.push(Failure {
                file: file.to_owned(),
                rule: clean(rule.as_bytes(), MAX_LINE_CHARS),
                example: clean(example, MAX_LINE_CHARS),
                reason,
            }),
        }
    }

    /// Both reports as one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.files += other.files;
        self.rules += other.rules;
        self.examples += other.examples;
        self.passed += other.passed;
        self.failures.extend(other.failures);
        self
    }
}

/// Tests every rule file of a folder, or one file: `*.toml` as our own format, `*.xml` as Recog's.
///
/// # Errors
/// When the folder cannot be read, holds no rules, or a file is not what its name says.
pub fn test_dir(path: &Path) -> Result<Report, RuleError> {
    let own = unless_empty(Rules::from_dir(path).map(|rules| rules.test()))?;
    let foreign = unless_empty(recog::conformance(path))?;
    match (own, foreign) {
        (None, None) => Err(RuleError::Nothing { path: path.to_owned() }),
        (own, foreign) => Ok(own.unwrap_or_default().and(foreign.unwrap_or_default())),
    }
}

impl Rules {
    /// Tests every example and counterexample.
    pub fn test(&self) -> Report {
        let mut report = Report { files: self.files().count(), rules: self.len(), ..Report::default() };
        for rule in &self.rules {
            let file = &rule.place.file;
            for example in &rule.examples {
                let bytes = example.bytes().unwrap_or_default();
                report.enter(file, &rule.name, &bytes, positive(rule, example, &bytes));
            }
            for text in &rule.not {
                let outcome = match apply(rule, text.as_bytes(), &[]) {
                    None => Ok(()),
                    Some(_) => Err("a text under not matches; make the pattern stricter".to_owned()),
                };
                report.enter(file, &rule.name, text.as_bytes(), outcome);
            }
        }
        report
    }
}

/// An example must match, give what it states, and state everything that captures give.
fn positive(rule: &Rule, example: &RawExample, bytes: &[u8]) -> Result<(), String> {
    let with: Vec<(&String, &String)> = example.with.iter().collect();
    let found = apply(rule, bytes, &with).ok_or("the rule does not match its example")?;
    let stated = [
        ("vendor", &example.vendor, &found.vendor),
        ("product", &example.product, &found.product),
        ("version", &example.version, &found.version),
        ("model", &example.model, &found.model),
        ("firmware", &example.firmware, &found.firmware),
        ("os", &example.os, &found.os),
    ];
    for (key, expected, got) in stated {
        let template = rule.yields.templates().into_iter().find(|(name, _)| *name == key);
        let dynamic = template.and_then(|(_, template)| template).is_some_and(|template| template.is_dynamic());
        let shown = |value: &Option<String>| value.as_ref().map_or("nothing".to_owned(), |text| format!("{text:?}"));
        if expected != got && (dynamic || expected.is_some()) {
            return Err(format!("{key}: the example states {}, the rule gives {}", shown(expected), shown(got)));
        }
    }
    match &example.cpe {
        Some(expected) if !found.cpe.contains(expected) => Err(format!("cpe: {expected} is not in {:?}", found.cpe)),
        _ => Ok(()),
    }
}

/// The rule on one text as its first field, with other fields beside it.
pub(crate) fn apply(rule: &Rule, text: &[u8], with: &[(&String, &String)]) -> Option<Found> {
    let view = example_view(rule.fields.first()?, text, with);
    let field = view.fields.first()?;
    rule.apply(&view, field, std::slice::from_ref(&view))
}

/// A view that has only an example's fields.
pub(crate) fn example_view<'a>(field: &str, text: &'a [u8], with: &[(&String, &'a String)]) -> View<'a> {
    let whole =
        |name: &str, value: &'a [u8]| Field { name: name.to_owned().into(), value: value.into(), span: 0..value.len() };
    let rest = with.iter().map(|(name, value)| whole(name, value.as_bytes()));
    let fields = std::iter::once(whole(field, text)).chain(rest).collect();
    View { kind: EvidenceKind::Reply, bytes: text, fields }
}

#[cfg(test)]
mod tests;
