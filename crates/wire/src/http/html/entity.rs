//! Character references of HTML: numbers, and the names that stand in titles. No other expansion, so no growth.

use std::borrow::Cow;

/// Longest reference with its ampersand and semicolon.
const MAX_REFERENCE_BYTES: usize = 12;

const NAMES: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", "\u{a0}"),
    ("copy", "\u{a9}"),
    ("reg", "\u{ae}"),
    ("trade", "\u{2122}"),
    ("middot", "\u{b7}"),
    ("ndash", "\u{2013}"),
    ("mdash", "\u{2014}"),
    ("raquo", "\u{bb}"),
    ("laquo", "\u{ab}"),
    ("auml", "\u{e4}"),
    ("ouml", "\u{f6}"),
    ("uuml", "\u{fc}"),
    ("eacute", "\u{e9}"),
];

/// Resolves the references in a text; what is none stays as it is.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.find('&').and_then(|at| rest.split_at_checked(at)) {
        decoded.push_str(before);
        rest = match reference(from) {
            Some((character, after)) => {
                decoded.push_str(&character);
                after
            }
            None => {
                decoded.push('&');
                from.get(1..).unwrap_or_default()
            }
        };
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// The text of the reference that `from` begins with, and what follows it.
fn reference(from: &str) -> Option<(Cow<'static, str>, &str)> {
    let end = from.bytes().take(MAX_REFERENCE_BYTES).position(|byte| byte == b';')?;
    let (name, after) = (from.get(1..end)?, from.get(end + 1..)?);
    let Some(number) = name.strip_prefix('#') else {
        let (_, text) = NAMES.iter().find(|(known, _)| *known == name)?;
        return Some((Cow::Borrowed(text), after));
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    let character = char::from_u32(code).filter(|c| *c != '\0')?;
    Some((Cow::Owned(character.to_string()), after))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn references_resolve_and_the_rest_stays() {
        assert_eq!(
            decode("a &lt;b&gt; &#65;&#x42; &amp;amp; & &nope; &#0; &#xd800;"),
            "a <b> AB &amp; & &nope; &#0; &#xd800;"
        );
        assert_eq!(decode("&amp"), "&amp");
    }
}
