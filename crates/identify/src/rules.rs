//! Rule files: those built in, and a folder of the user's.

use std::collections::HashMap;
use std::path::Path;

use crate::error::RuleError;
use crate::files;
use crate::raw::RawFile;
use crate::rule::Rule;

/// The most bytes of one rule file.
pub const MAX_FILE_BYTES: usize = 2 * 1024 * 1024;

/// The most rules of one set.
pub const MAX_RULES: usize = 20_000;

/// Every file under `rules/`, built into the program. A test compares this list with the folder.
pub(crate) const BUILTIN: &[(&str, &str)] = &[
    ("camera.toml", include_str!("../rules/camera.toml")),
    ("certificate.toml", include_str!("../rules/certificate.toml")),
    ("control.toml", include_str!("../rules/control.toml")),
    ("echonet.toml", include_str!("../rules/echonet.toml")),
    ("file.toml", include_str!("../rules/file.toml")),
    ("mail.toml", include_str!("../rules/mail.toml")),
    ("management.toml", include_str!("../rules/management.toml")),
    ("messaging.toml", include_str!("../rules/messaging.toml")),
    ("name-time.toml", include_str!("../rules/name-time.toml")),
    ("nas.toml", include_str!("../rules/nas.toml")),
    ("printer.toml", include_str!("../rules/printer.toml")),
    ("router.toml", include_str!("../rules/router.toml")),
    ("security.toml", include_str!("../rules/security.toml")),
    ("ssh.toml", include_str!("../rules/ssh.toml")),
    ("store.toml", include_str!("../rules/store.toml")),
    ("town.toml", include_str!("../rules/town.toml")),
    ("upnp.toml", include_str!("../rules/upnp.toml")),
    ("web.toml", include_str!("../rules/web.toml")),
];

/// A checked set of rules with the files they stand in.
#[derive(Debug, Default)]
pub struct Rules {
    pub(crate) rules: Vec<Rule>,
    /// The file of each rule.
    pub(crate) files: Vec<String>,
    /// What the revision is computed from.
    pub(crate) text: Vec<u8>,
}

impl Rules {
    /// The rules built into the program. Their patterns are compiled when first needed.
    ///
    /// # Errors
    /// Never in a program whose tests passed: a built-in rule that is wrong.
    pub fn builtin() -> Result<Self, RuleError> {
        let mut rules = Self::default();
        for (file, text) in BUILTIN {
            rules.add_file(file, text)?;
        }
        rules.check_names()?;
        Ok(rules)
    }

    /// The rules in the `*.toml` files of a folder, in the order of their names. Every pattern is compiled at once, so
    /// that what is wrong is said now.
    ///
    /// # Errors
    /// When the folder cannot be read, holds no rules, or one rule is wrong.
    pub fn from_dir(path: &Path) -> Result<Self, RuleError> {
        let mut rules = Self::default();
        for (file, text) in files::read_folder(path, "toml", MAX_FILE_BYTES)? {
            rules.add_file(&file, &text)?;
        }
        if rules.rules.is_empty() {
            return Err(RuleError::Nothing { path: path.to_owned() });
        }
        rules.check_names()?;
        rules.compile()?;
        Ok(rules)
    }

    /// These rules and others besides, as built-in ones and the user's own.
    ///
    /// # Errors
    /// When a name is used in both.
    pub fn and(mut self, other: Self) -> Result<Self, RuleError> {
        self.rules.extend(other.rules);
        self.files.extend(other.files);
        self.text.extend(other.text);
        self.check_names()?;
        Ok(self)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Compiles every pattern now.
    ///
    /// # Errors
    /// The first that needs too much memory.
    pub fn compile(&self) -> Result<(), RuleError> {
        for (rule, file) in self.rules.iter().zip(&self.files) {
            let name = &rule.name;
            rule.compile().map_err(|fault| RuleError::Rule { file: file.clone(), rule: name.clone(), fault })?;
        }
        Ok(())
    }

    fn add_file(&mut self, file: &str, text: &str) -> Result<(), RuleError> {
        let raw: RawFile = toml::from_str(text)
            .map_err(|error| RuleError::Syntax { file: file.to_owned(), message: error.to_string() })?;
        let area = file.trim_end_matches(".toml");
        for rule in raw.rule {
            let name: String = rule.name.chars().take(80).collect();
            let parsed = Rule::parse(rule, area).map_err(|fault| RuleError::Rule {
                file: file.to_owned(),
                rule: name,
                fault,
            })?;
            self.rules.push(parsed);
            self.files.push(file.to_owned());
        }
        if self.rules.len() > MAX_RULES {
            return Err(RuleError::TooMuch { file: file.to_owned(), what: "rules", limit: MAX_RULES });
        }
        self.text.extend_from_slice(file.as_bytes());
        self.text.push(0);
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(0);
        Ok(())
    }

    fn check_names(&self) -> Result<(), RuleError> {
        let mut seen: HashMap<&str, &str> = HashMap::with_capacity(self.rules.len());
        for (rule, file) in self.rules.iter().zip(&self.files) {
            if let Some(first) = seen.insert(&rule.name, file) {
                let (rule, first, second) = (rule.name.clone(), first.to_owned(), file.clone());
                return Err(RuleError::Duplicate { rule, first, second });
            }
        }
        Ok(())
    }
}
