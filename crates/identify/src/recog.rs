//! Recog fingerprints from a folder that the user supplies.
//!
//! Recog (BSD-2-Clause) writes one XML file a field: fingerprints in order, each a Ruby regular expression, constants
//! and captures that it asserts, and examples. Nothing of it is part of this program; [`Database::from_dir`] reads the
//! user's copy, [`conformance`] tests it by its own examples, and an engine made with
//! [`crate::UserRules`] asks it where our own rules say less. The first fingerprint of a file that matches speaks, as Recog means it: many stand in front of
//! others to say that a value means nothing.
//!
//! Format followed: `fingerprints.xsd` of rapid7/recog.

mod conformance;
mod facts;
mod matcher;
mod ruby;
mod xml;

use std::path::Path;

use hinomi_model::ContentHash;

use crate::error::{Fault, RuleError};
use crate::files;
use crate::pattern::Pattern;

pub use conformance::conformance;
pub(crate) use matcher::Matcher;

/// The most bytes of one file.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// The most fingerprints of a folder.
pub const MAX_FINGERPRINTS: usize = 50_000;

/// Recog's own default for files without a preference.
const DEFAULT_PREFERENCE: f32 = 0.10;

/// All files of a folder.
#[derive(Debug, Default)]
pub struct Database {
    pub(crate) files: Vec<FingerprintFile>,
    digest: Vec<u8>,
}

/// One file: fingerprints of one field, in order.
#[derive(Debug)]
pub(crate) struct FingerprintFile {
    /// File name.
    pub(crate) file: String,
    /// What it matches, in Recog's words, as `ssh.banner`.
    pub(crate) matches: String,
    /// Files of higher preference are asked first.
    pub(crate) preference: f32,
    pub(crate) fingerprints: Vec<Fingerprint>,
}

/// One `<fingerprint>`.
#[derive(Debug)]
pub(crate) struct Fingerprint {
    pub(crate) description: String,
    pub(crate) pattern: Pattern,
    pub(crate) certainty: Option<f32>,
    pub(crate) params: Vec<Param>,
    pub(crate) examples: Vec<Example>,
}

/// One `<param>`.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) source: Source,
}

/// Where a parameter's value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A constant, perhaps with `{other.param}` in it.
    Constant(String),
    /// A group of the pattern.
    Group(usize),
}

/// One `<example>`.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) text: ExampleText,
    /// What must come out.
    pub(crate) attributes: Vec<(String, String)>,
}

/// An example's bytes.
#[derive(Debug)]
pub(crate) enum ExampleText {
    Inline(Vec<u8>),
    /// A file beside, in a folder named like the XML file.
    File(String),
    /// Text that says base64 and is not.
    Undecodable,
}

impl Database {
    /// Reads every `*.xml` of a folder, or one file. Patterns are checked here and compiled when first needed.
    ///
    /// # Errors
    /// When the folder cannot be read or has no XML, a file is no fingerprint file, or a fingerprint cannot be used.
    pub fn from_dir(path: &Path) -> Result<Self, RuleError> {
        let mut database = Self::default();
        for (file, text) in files::read_all(path, "xml", MAX_FILE_BYTES)? {
            database.add(&file, &text)?;
        }
        match database.files.is_empty() {
            true => Err(RuleError::Nothing { path: path.to_owned() }),
            false => Ok(database),
        }
    }

    /// Files whose subject no evidence of ours holds: they are read and checked, but never asked.
    pub fn idle(&self) -> impl Iterator<Item = &str> {
        let idle = self.files.iter().filter(|file| matcher::field_of(&file.matches).is_none());
        idle.map(|file| file.file.as_str())
    }

    /// How many fingerprints there are.
    pub fn len(&self) -> usize {
        self.files.iter().map(|file| file.fingerprints.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sixteen hexadecimal digits that stand for the texts that were read.
    pub(crate) fn digest(&self) -> String {
        ContentHash::of(&self.digest).to_string().chars().take(16).collect()
    }

    /// Names of its files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.file.as_str())
    }

    /// These files and others.
    pub(crate) fn and(mut self, other: Self) -> Result<Self, RuleError> {
        self.files.extend(other.files);
        self.digest.extend(other.digest);
        self.check_bound()?;
        Ok(self)
    }

    pub(crate) fn add(&mut self, file: &str, text: &str) -> Result<(), RuleError> {
        let read = xml::read(file, text)?;
        for part in [file, text] {
            self.digest.extend_from_slice(ContentHash::of(part.as_bytes()).as_bytes());
        }
        self.files.push(read);
        self.check_bound()
    }

    fn check_bound(&self) -> Result<(), RuleError> {
        match self.files.last().filter(|_| self.len() > MAX_FINGERPRINTS) {
            Some(FingerprintFile { file, .. }) => {
                Err(RuleError::TooMuch { file: file.clone(), what: "fingerprints", limit: MAX_FINGERPRINTS })
            }
            None => Ok(()),
        }
    }
}

impl Fingerprint {
    /// The pattern can be compiled, and every parameter only asks for groups that it has.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.pattern.check_size()?;
        for param in &self.params {
            match param.source {
                Source::Group(number) if !self.pattern.has_group(&number.to_string()) => {
                    return Err(Fault::Capture { key: "param", capture: number.to_string() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What the fingerprint asserts of a value: parameters in order, `None` when it does not match.
    pub(crate) fn assert(&self, value: &[u8]) -> Option<Assertion> {
        let captures = self.pattern.captures(value)?;
        let whole = captures.get(0)?;
        let mut values: Vec<(&str, String)> = Vec::with_capacity(self.params.len());
        for param in &self.params {
            let text = match &param.source {
                Source::Constant(text) => Some(text.clone()),
                Source::Group(number) => {
                    captures.get(*number).map(|group| String::from_utf8_lossy(group.as_bytes()).into_owned())
                }
            };
            values.extend(text.map(|text| (param.name.as_str(), text)));
        }
        let interpolated = values.iter().map(|(name, text)| ((*name).to_owned(), interpolate(name, text, &values)));
        Some(Assertion { values: interpolated.collect(), start: whole.start(), end: whole.end() })
    }
}

/// What a fingerprint asserts of one value.
#[derive(Debug)]
pub(crate) struct Assertion {
    values: Vec<(String, String)>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Assertion {
    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A value with its `{other.param}` filled in. What is not known becomes `-` in a CPE and nothing elsewhere.
fn interpolate(name: &str, text: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((hole, after)) = from.split_once('}') else {
            filled.push('{');
            rest = from;
            continue;
        };
        let known = values.iter().find(|(param, _)| *param == hole).map(|(_, value)| value.as_str());
        filled.push_str(known.unwrap_or(if name.ends_with(".cpe23") { "-" } else { "" }));
        rest = after;
    }
    filled.push_str(rest);
    filled
}
