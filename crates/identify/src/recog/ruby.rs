//! Ruby's regular expressions in the dialect of the `regex` crate.
//!
//! Differences that matter: `^` and `$` always mean lines in Ruby, and its flag `m` means that `.` matches a line feed
//! (our `s`); a value beyond ASCII is matched by characters, not bytes;
//! `\h` is a hexadecimal digit, `\Z` the end before a last line feed, `\<` a plain character. What neither
//! dialect shares (look-around, back-references) is refused when the pattern is read.

use crate::error::Fault;
use crate::pattern::{Dialect, Pattern};

/// A checked pattern from Ruby text and the flags of Recog's `flags` attribute.
pub(crate) fn pattern(text: &str, flags: &str) -> Result<Pattern, Fault> {
    let mut dialect = Dialect { lines: true, characters: true, ..Dialect::default() };
    for flag in flags.split(',').map(str::trim).filter(|flag| !flag.is_empty()) {
        match flag {
            "REG_ICASE" => dialect.ignore_case = true,
            "REG_DOT_NEWLINE" | "REG_MULTILINE" => dialect.dot_all = true,
            "REG_LINE_ANY_CRLF" => {}
            other => return Err(Fault::Pattern { message: format!("flag {other:?} is not known") }),
        }
    }
    Pattern::parse(&translate(text), dialect)
}

/// The text in our dialect.
fn translate(text: &str) -> String {
    let mut translated = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_class = false;
    while let Some(character) = rest.chars().next() {
        let (unit, after) = rest.split_at(character.len_utf8());
        if character == '\\' {
            let escaped = after.chars().next();
            translated.push_str(&escape(escaped, in_class));
            rest = after.get(escaped.map_or(0, char::len_utf8)..).unwrap_or_default();
            continue;
        }
        if !in_class && let Some((flags, tail)) = inline_flags(rest) {
            translated.push_str(&flags);
            rest = tail;
            continue;
        }
        in_class = match character {
            '[' => true,
            ']' => false,
            _ => in_class,
        };
        translated.push_str(unit);
        rest = after;
    }
    translated
}

/// What stands for `\` and this character.
fn escape(escaped: Option<char>, in_class: bool) -> String {
    match escaped {
        Some('h') if in_class => "0-9a-fA-F".to_owned(),
        Some('h') => "[0-9a-fA-F]".to_owned(),
        Some('H') if !in_class => "[^0-9a-fA-F]".to_owned(),
        Some('Z') => r"(?:\n?\z)".to_owned(),
        Some('e') => r"\x1b".to_owned(),
        Some(plain @ ('<' | '>')) => plain.to_string(),
        Some(other) => format!("\\{other}"),
        None => "\\".to_owned(),
    }
}

/// `(?mi)` or `(?m-i:` at the front, with Ruby's `m` as our `s`; and what follows.
fn inline_flags(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix("(?")?;
    let end = inner.find(|c: char| !matches!(c, 'm' | 'i' | 'x' | '-'))?;
    let (flags, rest) = inner.split_at(end);
    if flags.is_empty() || !rest.starts_with([')', ':']) {
        return None;
    }
    Some((format!("(?{}", flags.replace('m', "s")), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_translated() {
        assert_eq!(translate(r"(?mi)^a.b\Z"), r"(?si)^a.b(?:\n?\z)");
        assert_eq!(translate(r"\h+[\h:]\<(?:x)(?<n>y)"), r"[0-9a-fA-F]+[0-9a-fA-F:]<(?:x)(?<n>y)");
        let lines = pattern("^b$", "REG_ICASE").expect("a pattern");
        assert!(lines.regex().expect("compiles").is_match(b"a\nB\nc"));
        assert!(pattern("a", "REG_SOMETHING").is_err());
        assert!(pattern("(?=a)", "").is_err());
    }
}
