//! Rules of the user's: folders with files of our own format and of Recog's, read whole or not at all.
//!
//! A rule of the user's stands beside the built-in ones and wins where both are equally sure; one that has the name of a
//! built-in rule takes its place. What it says is proved as `user/FILE: NAME`, a fingerprint as `recog/FILE: DESCRIPTION`.
//! So that this names one file, no two files of all folders may have the same name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::RuleError;
use crate::recog::Database;
use crate::rules::Rules;

/// What the user's folders hold.
#[derive(Debug, Default)]
pub struct UserRules {
    pub(crate) rules: Rules,
    pub(crate) recog: Database,
    /// File names and the folder each was found in.
    files: BTreeMap<String, PathBuf>,
}

impl UserRules {
    /// These and what a folder (not below it) or a file holds: `*.toml` is our own format, `*.xml` Recog's, the rest is
    /// not looked at.
    ///
    /// # Errors
    /// When the folder cannot be read, holds no rules, or one file, rule or fingerprint of it cannot be used.
    pub fn with(mut self, path: &Path) -> Result<Self, RuleError> {
        let own = unless_empty(Rules::from_dir(path))?;
        let recog = unless_empty(Database::from_dir(path))?;
        if own.is_none() && recog.is_none() {
            return Err(RuleError::Nothing { path: path.to_owned() });
        }
        let (own, recog) = (own.unwrap_or_default(), recog.unwrap_or_default());
        for file in own.files().chain(recog.files()) {
            if let Some(first) = self.files.insert(file.to_owned(), path.to_owned()) {
                return Err(RuleError::SameFile { file: file.to_owned(), first, second: path.to_owned() });
            }
        }
        self.rules = self.rules.under(own)?;
        self.recog = self.recog.and(recog)?;
        Ok(self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many rules of our own format there are.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// How many fingerprints of Recog there are.
    pub fn fingerprints(&self) -> usize {
        self.recog.len()
    }

    /// Recog's files about something that no evidence of ours holds: they are never asked.
    pub fn idle(&self) -> impl Iterator<Item = &str> {
        self.recog.idle()
    }
}

/// What was read; `None` for a folder without files of this format.
pub(crate) fn unless_empty<T>(read: Result<T, RuleError>) -> Result<Option<T>, RuleError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(RuleError::Nothing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
