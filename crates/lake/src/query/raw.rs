//! Characters and regular expressions anywhere in the text of the evidence, whatever its words are.
//!
//! [`Needle`] is such a test made ready. It is held against the searched text of a service part by part: nothing
//! reaches across a [`GAP`]. Case does not matter; an expression turns that off with `(?-i)`. `^` and `$` stand at the
//! ends of lines, `.` for any character but a line's end. The regular expressions are those of the `regex` crate: they
//! take time linear in the text, and one that would grow too large is refused.
//!
//! [`Needle::grams`] says which three bytes must follow one another somewhere in the folded text for the test to hold:
//! most texts need not be looked at.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use super::words::{GAP, fold};

/// The most bytes of a compiled expression.
const MAX_COMPILED_BYTES: usize = 1 << 18;
/// Sizes that are told apart.
const COMPILED_BYTES: [usize; 4] = [1 << 12, 1 << 14, 1 << 16, MAX_COMPILED_BYTES];
/// The most memory of its automaton while it runs.
const MAX_AUTOMATON_BYTES: usize = 1 << 19;
/// How deep an expression may nest.
const MAX_NEST: u32 = 50;
/// The most alternatives that are told apart before looking.
const MAX_WAYS: usize = 32;
/// A letter that equals `s` without regard to case and is not folded to it.
const LONG_S: char = '\u{17f}';

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

/// Three bytes that must follow one another.
pub(crate) type Gram = u32;

/// A test of text, ready.
#[derive(Clone, Debug)]
pub(crate) enum Needle {
    /// These characters, folded.
    Text(String),
    /// This expression; none holds of nothing.
    Expression(Option<Regex>, String),
}

impl Needle {
    /// Characters to find, folded.
    pub(crate) fn text(folded: &str) -> Self {
        Self::Text(folded.to_owned())
    }

    /// An expression to match.
    pub(crate) fn expression(expression: &Expression) -> Self {
        Self::Expression(compile(&expression.0).ok(), expression.0.clone())
    }

    /// Whether it holds of the searched text of a service.
    pub(crate) fn holds(&self, searched: &str) -> bool {
        match self {
            // What is looked for has no gap in it, so none needs to be looked at.
            Self::Text(wanted) if !wanted.contains(GAP) => fold(searched).contains(wanted.as_str()),
            Self::Text(_) => false,
            Self::Expression(regex, _) => {
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

    /// Ways in which it can hold: of one of them all grams occur. None when nothing is known.
    pub(crate) fn grams(&self) -> Option<Vec<BTreeSet<Gram>>> {
        let ways = match self {
            Self::Text(wanted) => vec![grams_of(wanted.as_bytes()).collect()],
            Self::Expression(_, text) => {
                let mut builder = ParserBuilder::new();
                let parser = builder.multi_line(true).crlf(true).nest_limit(MAX_NEST);
                ways(&parser.build().parse(text).ok()?)?
            }
        };
        ways.iter().all(|way| !way.is_empty()).then_some(ways)
    }
}

/// Every three bytes of a folded text.
pub(crate) fn grams_of(bytes: &[u8]) -> impl Iterator<Item = Gram> + '_ {
    bytes.windows(3).map(|three| three.iter().fold(0, |gram, byte| (gram << 8) | Gram::from(*byte)))
}

/// Whether a folded text may match without having the grams.
pub(crate) fn is_odd(folded: &str) -> bool {
    !folded.is_ascii() && folded.contains(LONG_S)
}

/// Ways in which an expression can match; none when one of them says nothing.
fn ways(hir: &Hir) -> Option<Vec<BTreeSet<Gram>>> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            // Letters beyond ASCII have more than one small form: runs of ASCII are what is certain.
            let runs = literal.0.split(|byte| !byte.is_ascii()).map(<[u8]>::to_ascii_lowercase);
            Some(vec![runs.flat_map(|run| grams_of(&run).collect::<Vec<_>>()).collect()])
        }
        HirKind::Capture(capture) => ways(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => ways(&repetition.sub),
        HirKind::Alternation(parts) => {
            let all: Option<Vec<_>> = parts.iter().map(ways).collect();
            let all: Vec<_> = all?.into_iter().flatten().collect();
            (all.len() <= MAX_WAYS).then_some(all)
        }
        HirKind::Concat(parts) => {
            let known: Vec<_> =
                parts.iter().filter_map(ways).filter(|ways| ways.iter().all(|w| !w.is_empty())).collect();
            let (single, several): (Vec<_>, Vec<_>) = known.into_iter().partition(|ways| ways.len() == 1);
            let certain: BTreeSet<Gram> = single.into_iter().flatten().flatten().collect();
            let mut all = several.into_iter().min_by_key(Vec::len).unwrap_or_else(|| vec![BTreeSet::new()]);
            all.iter_mut().for_each(|way| way.extend(&certain));
            Some(all)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert!(Needle::text("x\u{1f}h").grams().is_some() && !Needle::text("x\u{1f}h").holds(text));
        assert!(Needle::text("er: apa").holds(text));
    }

    #[test]
    fn what_must_occur_is_known() {
        let known = |pattern: &str| expression(pattern).grams().map(|ways| ways.len());
        assert_eq!(known("server: (apache|nginx)"), Some(2));
        assert_eq!(known("^Server:.*x"), Some(1));
        assert_eq!((known("a.c"), known("(abc)?"), known("abc|x"), known("[a-z]{9}")), (None, None, None, None));
        assert_eq!(Needle::text("ab").grams(), None);
    }

    #[test]
    fn too_large_or_wrong_expressions_are_refused() {
        assert!(Expression::new("(a{1000}){1000}").expect_err("large").contains("too large"));
        assert!(!Expression::new("(a").expect_err("open").is_empty());
    }

    proptest! {
        #[test]
        fn what_matches_has_the_grams(
            text in "[a-cſK ]{0,12}",
            pattern in "([a-cS]{1,4}|[a-c]{3}\\|[a-c]{3}|\\([a-ck]{2,4}\\)\\+|\\.|k){1,4}",
        ) {
            let Ok(read) = Expression::new(&pattern) else { return Ok(()) };
            let needle = Needle::expression(&read);
            let folded = fold(&text);
            let has: BTreeSet<Gram> = grams_of(folded.as_bytes()).collect();
            if needle.holds(&text) && !is_odd(&folded) {
                let fits = needle.grams().is_none_or(|ways| ways.iter().any(|way| way.is_subset(&has)));
                prop_assert!(fits, "{pattern} in {text}");
            }
        }
    }
}
