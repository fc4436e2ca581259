//! Characters and regular expressions anywhere in the text of the evidence, whatever its words are.
//!
//! [`Needle`] is such a test made ready. It is held against the searched text of a service part by part: nothing
//! reaches across a [`GAP`]. Case does not matter; an expression turns that off with `(?-i)`. `^` and `$` stand at the
//! ends of lines, `.` for any character but a line's end. The regular expressions are those of the `regex` crate: they
//! take time linear in the text, and one that would grow too large is refused.

use regex::{Regex, RegexBuilder};

use super::words::{GAP, fold};

/// The most bytes of a compiled expression.
const MAX_COMPILED_BYTES: usize = 1 << 18;
/// Sizes that are told apart.
const COMPILED_BYTES: [usize; 4] = [1 << 12, 1 << 14, 1 << 16, MAX_COMPILED_BYTES];
/// The most memory of its automaton while it runs.
const MAX_AUTOMATON_BYTES: usize = 1 << 19;
/// How deep an expression may nest.
const MAX_NEST: u32 = 50;

/// A regular expression as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(String);

impl Expression {
    /// Takes an expression that can be run.
    ///
    /// # Errors
    /// With the reason when it cannot be understood or would be too large.
    pub fn new(text: &str) -> Result<Self, String> {
        compile(text).map(|_| Self(text.to_owned()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How large it is when compiled, in bytes, rounded up to one of a few sizes.
    pub(crate) fn compiled_bytes(&self) -> usize {
        let fits = |bytes: &usize| builder(&self.0).size_limit(*bytes).build().is_ok();
        COMPILED_BYTES.iter().copied().find(fits).unwrap_or(MAX_COMPILED_BYTES)
    }
}

fn compile(text: &str) -> Result<Regex, String> {
    let mut builder = builder(text);
    builder.size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_AUTOMATON_BYTES);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it would grow too large; use fewer or smaller repetitions".to_owned(),
        // The last line of a syntax error says what is wrong, those before draw it.
        other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    })
}

fn builder(text: &str) -> RegexBuilder {
    let mut builder = RegexBuilder::new(text);
    builder.case_insensitive(true).multi_line(true).crlf(true).nest_limit(MAX_NEST);
    builder
}

/// A test of text, ready.
#[derive(Clone, Debug)]
pub(crate) enum Needle {
    /// These characters, folded.
    Text(String),
    /// This expression; none holds of nothing.
    Expression(Option<Regex>),
}

impl Needle {
    /// Characters to find, folded.
    pub(crate) fn text(folded: &str) -> Self {
        Self::Text(folded.to_owned())
    }

    /// An expression to match.
    pub(crate) fn expression(expression: &Expression) -> Self {
        Self::Expression(compile(&expression.0).ok())
    }

    /// Whether it holds of the searched text of a service.
    pub(crate) fn holds(&self, searched: &str) -> bool {
        match self {
            // What is looked for has no gap in it, so none needs to be looked at.
            Self::Text(wanted) if !wanted.contains(GAP) => fold(searched).contains(wanted.as_str()),
            Self::Text(_) => false,
            Self::Expression(regex) => {
                regex.as_ref().is_some_and(|regex| searched.split(GAP).any(|part| regex.is_match(part)))
            }
        }
    }

    /// The characters that are looked for, folded, where it is those and no expression.
    pub(crate) fn wanted(&self) -> Option<&str> {
        match self {
            Self::Text(wanted) => Some(wanted),
            Self::Expression(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(text: &str) -> Needle {
        Needle::expression(&Expression::new(text).expect("an expression"))
    }

    #[test]
    fn expressions_see_lines_and_parts_and_no_case() {
        let text = "nginx\u{1f}HTTP/1.1 200 OK\r\nServer: Apache\r\n";
        for pattern in ["^server: apache$", "SERVER:\\s+\\w+", "^nginx$", "http/1\\.[01] 200", "(?-i)Server"] {
            assert!(expression(pattern).holds(text), "{pattern}");
        }
        for pattern in ["(?-i)server", "nginx.http", "ok.server", "(?s)nginx.+http"] {
            assert!(!expression(pattern).holds(text), "{pattern}");
        }
        assert!(!Needle::text("x\u{1f}h").holds(text));
        assert!(Needle::text("er: apa").holds(text));
    }

    #[test]
    fn too_large_or_wrong_expressions_are_refused() {
        assert!(Expression::new("(a{1000}){1000}").expect_err("large").contains("too large"));
        assert!(!Expression::new("(a").expect_err("open").is_empty());
    }
}
