//! Texts with `{name}` in them.
//!
//! Works on bytes, so that pages in Shift_JIS pass through. A brace that encloses no known name is left as it is: style
//! sheets and scripts stay whole.

use std::collections::BTreeMap;

/// Longest name looked for.
const NAME_MAX_BYTES: usize = 24;

/// The names a text may use, with their values.
pub(crate) type Vars = BTreeMap<String, String>;

/// Replaces every known name once; values are not looked at again.
pub(crate) fn render_bytes(text: &[u8], vars: &Vars) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        let (before, from_brace) = rest.split_at(open);
        out.extend_from_slice(before);
        match value_at(from_brace, vars) {
            Some((value, after)) => {
                out.extend_from_slice(value.as_bytes());
                rest = after;
            }
            None => {
                out.push(b'{');
                rest = from_brace.get(1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

fn value_at<'a, 'v>(from_brace: &'a [u8], vars: &'v Vars) -> Option<(&'v str, &'a [u8])> {
    let close = from_brace.iter().take(NAME_MAX_BYTES + 2).position(|byte| *byte == b'}')?;
    let name = std::str::from_utf8(from_brace.get(1..close)?).ok()?;
    let value = vars.get(name)?;
    Some((value, from_brace.get(close + 1..).unwrap_or_default()))
}

/// [`render_bytes`] for text.
pub(crate) fn render(text: &str, vars: &Vars) -> String {
    String::from_utf8_lossy(&render_bytes(text.as_bytes(), vars)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_replaced_and_other_braces_stay() {
        let vars = Vars::from([("model".into(), "{serial}".into()), ("port.web".into(), "81".into())]);
        assert_eq!(render("a{model}b{port.web}{nothing}{", &vars), "a{serial}b81{nothing}{");
        assert_eq!(render_bytes(b"\x83{{model}}\xff", &vars), b"\x83{{serial}}\xff");
    }
}
