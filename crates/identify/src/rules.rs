//! Rule files: those built in, and a folder of the user's.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::error::RuleError;
use crate::files;
use crate::found::Origin;
use crate::raw::RawFile;
use crate::rule::{Place, Rule};

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
    ("plant.toml", include_str!("../rules/plant.toml")),
    ("printer.toml", include_str!("../rules/printer.toml")),
    ("remote.toml", include_str!("../rules/remote.toml")),
    ("router.toml", include_str!("../rules/router.toml")),
    ("security.toml", include_str!("../rules/security.toml")),
    ("ssh.toml", include_str!("../rules/ssh.toml")),
    ("store.toml", include_str!("../rules/store.toml")),
    ("town.toml", include_str!("../rules/town.toml")),
    ("upnp.toml", include_str!("../rules/upnp.toml")),
    ("web.toml", include_str!("../rules/web.toml")),
];

/// A checked set of rules.
#[derive(Debug, Default)]
pub struct Rules {
    pub(crate) rules: Vec<Rule>,
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
            rules.add_file(file, text, Origin::Builtin)?;
        }
        rules.check_names()?;
        Ok(rules)
    }

    /// The user's rules in the `*.toml` files of a folder, in the order of their names, or in one file. What is wrong is
    /// said now, patterns that need too much memory too.
    ///
    /// # Errors
    /// When the folder cannot be read, holds no rules, or one rule is wrong.
    pub fn from_dir(path: &Path) -> Result<Self, RuleError> {
        let mut rules = Self::default();
        for (file, text) in files::read_all(path, "toml", MAX_FILE_BYTES)? {
            rules.add_file(&file, &text, Origin::User)?;
        }
        if rules.rules.is_empty() {
            return Err(RuleError::Nothing { path: path.to_owned() });
        }
        rules.check_names()?;
        rules.check_sizes()?;
        Ok(rules)
    }

    /// These rules with others over them: a rule of the same name takes the place of the one that was there.
    ///
    /// # Errors
    /// When there are more than [`MAX_RULES`] then.
    pub fn under(mut self, over: Self) -> Result<Self, RuleError> {
        let names: HashSet<&str> = over.rules.iter().map(|rule| rule.name.as_str()).collect();
        self.rules.retain(|rule| !names.contains(rule.name.as_str()));
        if let Some(last) = over.rules.last().filter(|_| self.rules.len() + over.rules.len() > MAX_RULES) {
            let file = last.place.file.to_string();
            return Err(RuleError::TooMuch { file, what: "rules", limit: MAX_RULES });
        }
        self.rules.extend(over.rules);
        self.text.extend(over.text);
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

    /// Names of the files that the rules stand in, each once.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let mut last = "";
        let files = self.rules.iter().map(|rule| &*rule.place.file);
        files.filter(move |file| std::mem::replace(&mut last, file) != *file)
    }

    /// Compiles every pattern now.
    ///
    /// # Errors
    /// The first that needs too much memory.
    pub fn compile(&self) -> Result<(), RuleError> {
        self.rules.iter().try_for_each(|rule| rule.compile().map_err(|fault| rule.place.wrong(&rule.name, fault)))
    }

    /// Compiles the patterns that might be too large to be compiled.
    fn check_sizes(&self) -> Result<(), RuleError> {
        self.rules.iter().try_for_each(|rule| rule.check_size().map_err(|fault| rule.place.wrong(&rule.name, fault)))
    }

    fn add_file(&mut self, file: &str, text: &str, origin: Origin) -> Result<(), RuleError> {
        let raw: RawFile = toml::from_str(text)
            .map_err(|error| RuleError::Syntax { file: file.to_owned(), message: error.to_string() })?;
        let file: Arc<str> = file.into();
        for rule in raw.rule {
            let line = files::line(text.as_bytes(), rule.span().start);
            let (place, rule) = (Place { file: Arc::clone(&file), line, origin }, rule.into_inner());
            let name: String = rule.name.chars().take(80).collect();
            let parsed = Rule::parse(rule, place.clone()).map_err(|fault| place.wrong(&name, fault))?;
            self.rules.push(parsed);
        }
        if self.rules.len() > MAX_RULES {
            return Err(RuleError::TooMuch { file: file.to_string(), what: "rules", limit: MAX_RULES });
        }
        let whose = if origin == Origin::User { "user/" } else { "" };
        for part in [whose, &file, "\0", text, "\0"] {
            self.text.extend_from_slice(part.as_bytes());
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), RuleError> {
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(self.rules.len());
        for Rule { name, place, .. } in &self.rules {
            if let Some(first) = seen.insert(name, place.line) {
                let (file, rule) = (place.file.to_string(), name.clone());
                return Err(RuleError::Duplicate { file, rule, first, second: place.line });
            }
        }
        Ok(())
    }
}
