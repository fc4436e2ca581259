//! Why rules could not be loaded. Every message names the file, the line, the rule and what to do.

use std::path::PathBuf;

/// A folder, a file or a rule that cannot be used. Nothing of the folder is loaded then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: check that it exists and may be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A folder without a single rule file.
    #[error("{} holds no rule files: expected *.toml (own format) or *.xml (Recog)", path.display())]
    Nothing {
        /// Which.
        path: PathBuf,
    },
    /// A file or folder is larger than we read.
    #[error("{file}: more than the {limit} {what} that are read; split it or remove what is not needed")]
    TooMuch {
        /// Which file.
        file: String,
        /// Of what there is too much.
        what: &'static str,
        /// The named bound.
        limit: usize,
    },
    /// A file is not TOML, or has keys that rules do not have. The message shows the line.
    #[error("{file}: {message}")]
    Syntax {
        /// Which file.
        file: String,
        /// Where and what, in the parser's words.
        message: String,
    },
    /// A file is not the XML that Recog writes.
    #[error("{file}, line {line}: {message}")]
    Xml {
        /// Which file.
        file: String,
        /// Where in the file, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A rule is wrong.
    #[error("{file}, line {line}: rule {rule}: {fault}")]
    Rule {
        /// Which file.
        file: String,
        /// Where the rule begins, from 1.
        line: usize,
        /// Which rule.
        rule: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Two rules of one name.
    #[error("{file}, line {second}: rule {rule} has the name of the rule in line {first}; give it another name")]
    Duplicate {
        /// Which file: a rule's name begins with it, so it is the same one.
        file: String,
        /// The name.
        rule: String,
        /// The line where it is used first.
        first: usize,
        /// The line where it is used again.
        second: usize,
    },
    /// Two files of one name in the user's folders: what a rule says is proved by its file's name.
    #[error("{file} is in {} and in {}; rename one of the two files", first.display(), second.display())]
    SameFile {
        /// The name.
        file: String,
        /// The folder read first.
        first: PathBuf,
        /// The folder read after it.
        second: PathBuf,
    },
}

/// What is wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The name does not tell where the rule stands.
    #[error("the name must be {area}/ and then a-z 0-9 -, as {area}/some-product")]
    Name {
        /// The area: the file's name without `.toml`.
        area: String,
    },
    /// A field that no codec yields.
    #[error(
        "no evidence has a field {field:?}; the nearest one is {nearest}; all of them are in the handbook under \
         Reference, \"Evidence and its fields\" (reference/evidence.html)"
    )]
    Field {
        /// What was written.
        field: String,
        /// The known field that is spelt most like it.
        nearest: &'static str,
    },
    /// None or several of `pattern`, `equals`, `contains`.
    #[error("{place} needs exactly one of pattern, equals, contains, and it must not be empty")]
    Matcher {
        /// The rule itself or a condition.
        place: &'static str,
    },
    /// A pattern that is no regular expression.
    #[error("the pattern is not a regular expression that can be used: {message}")]
    Pattern {
        /// What the parser said.
        message: String,
    },
    /// A pattern that is too long to read.
    #[error("the pattern has {length} bytes, more than {limit}; match on less")]
    PatternLength {
        /// How long it is.
        length: usize,
        /// The named bound.
        limit: usize,
    },
    /// A pattern that would need too much memory.
    #[error("the pattern needs too much memory ({message}); use smaller repetition counts")]
    PatternSize {
        /// What the compiler said.
        message: String,
    },
    /// A template with an unclosed or empty brace.
    #[error("{key} = {text:?}: write {{name}}, {{1}} or {{name|otherwise}}, and {{{{ for a brace")]
    Template {
        /// Which key.
        key: &'static str,
        /// What was written.
        text: String,
    },
    /// A template asks for a capture that the pattern does not have.
    #[error("{key} uses {{{capture}}}, but the pattern has no such group; name one with (?<{capture}>...)")]
    Capture {
        /// Which key.
        key: &'static str,
        /// Which capture.
        capture: String,
    },
    /// A rule that says nothing.
    #[error("the rule yields nothing; give vendor, product, kind, os, protocol or tags")]
    NoYield,
    /// A CPE that is no formatted string of CPE 2.3.
    #[error("cpe {text:?} is not of the form cpe:2.3:part:vendor:product:version:... with thirteen parts")]
    Cpe {
        /// What was written.
        text: String,
    },
    /// More conditions than are read.
    #[error("{count} conditions under one key, more than {limit}; match on less")]
    Conditions {
        /// How many there are.
        count: usize,
        /// The named bound.
        limit: usize,
    },
    /// A missing or empty key.
    #[error("{key} is missing or empty: {why}")]
    Missing {
        /// Which key.
        key: &'static str,
        /// Why it is asked for.
        why: &'static str,
    },
    /// A number outside its range.
    #[error("confidence {percent} is not from 1 to 100")]
    Confidence {
        /// What was written.
        percent: u8,
    },
}
