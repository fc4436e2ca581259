//! CPE names in one form: formatted strings of CPE 2.3 (NISTIR 7695).

use crate::clean::cpe_component;

/// Components of a formatted string after `cpe:2.3:`.
const COMPONENTS: usize = 11;

/// The most bytes of a name that we keep.
const MAX_BYTES: usize = 256;

/// A name in either binding as a formatted string: `cpe:/a:vendor:product:1` becomes `cpe:2.3:a:vendor:product:1:*...`.
pub(crate) fn formatted(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > MAX_BYTES || text.chars().any(char::is_control) {
        return None;
    }
    if let Some(rest) = text.strip_prefix("cpe:2.3:") {
        let parts = rest.replace("\\:", "").split(':').count();
        return (parts == COMPONENTS).then(|| text.to_owned());
    }
    let rest = text.strip_prefix("cpe:/")?;
    let mut parts: Vec<String> = rest.split(':').take(7).map(component).collect();
    let part = parts.first()?;
    if !matches!(part.as_str(), "a" | "o" | "h") || parts.len() < 3 {
        return None;
    }
    parts.resize(COMPONENTS, "*".to_owned());
    Some(format!("cpe:2.3:{}", parts.join(":")))
}

/// One component of the URI binding, percent encoding resolved.
fn component(text: &str) -> String {
    if text.is_empty() {
        return "*".to_owned();
    }
    let mut value = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        value.push_str(before);
        let code = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        value.push(code.filter(u8::is_ascii_graphic).map_or('%', char::from));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    value.push_str(rest);
    cpe_component(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bindings_become_formatted_strings() {
        let name = formatted("cpe:/a:apache:http_server:2.4.52").expect("a name");
        assert_eq!(name, "cpe:2.3:a:apache:http_server:2.4.52:*:*:*:*:*:*:*");
        assert_eq!(formatted(&name).as_deref(), Some(name.as_str()));
        assert_eq!(formatted("cpe:/h:a:b%2fc").as_deref(), Some("cpe:2.3:h:a:b\\/c:*:*:*:*:*:*:*:*"));
        assert_eq!(formatted("cpe:/x:a:b"), None);
        assert_eq!(formatted("apache"), None);
    }
}
