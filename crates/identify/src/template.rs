//! Values with holes: `{version}`, `{1}`, and `{update|*}` for "or else `*`". `{{` and `}}` are braces.

use crate::error::Fault;

/// A text whose holes captures fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole { capture: String, otherwise: Option<String> },
}

impl Template {
    /// Reads the text of `key`.
    pub(crate) fn parse(key: &'static str, text: &str) -> Result<Self, Fault> {
        let fault = || Fault::Template { key, text: text.chars().take(128).collect() };
        let (mut parts, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                plain.extend(from.chars().next());
                rest = after;
                continue;
            }
            let inner = from.strip_prefix('{').ok_or_else(fault)?;
            let (hole, after) = inner.split_once('}').ok_or_else(fault)?;
            let (capture, otherwise) = match hole.split_once('|') {
                Some((capture, otherwise)) => (capture, Some(otherwise.to_owned())),
                None => (hole, None),
            };
            if capture.is_empty() || !capture.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(fault());
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Hole { capture: capture.to_owned(), otherwise });
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// The captures it asks for.
    pub(crate) fn captures(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole { capture, .. } => Some(capture.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Whether it has holes.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.captures().next().is_some()
    }

    /// The text with its holes filled; `None` when a capture is absent or empty and nothing is to stand in its place.
    pub(crate) fn fill(&self, look: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Hole { capture, otherwise } => {
                    let value = look(capture).filter(|value| !value.is_empty());
                    filled.push_str(&value.or_else(|| otherwise.clone())?);
                }
            }
        }
        Some(filled).filter(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_or_the_value_is_not_known() {
        let template = Template::parse("version", "{a}.{b|0}{{x}}").expect("a template");
        let look = |name: &str| (name == "a").then(|| "7".to_owned());
        assert_eq!(template.fill(&look).as_deref(), Some("7.0{x}"));
        assert_eq!(template.fill(&|_| None), None);
        assert_eq!(template.captures().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn broken_braces_are_refused() {
        for text in ["{a", "a}", "{}", "{a b}"] {
            assert!(Template::parse("version", text).is_err(), "{text}");
        }
    }
}
