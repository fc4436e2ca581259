//! What the XML readers share: bounds, places in the input, and no entity but the five that XML itself defines.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::XmlVersion;
use quick_xml::errors::Error;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesRef, BytesStart};

use crate::fields::Fields;
use crate::malformed::Malformed;

/// The deepest nesting that is followed.
pub(crate) const MAX_DEPTH: usize = 64;

/// The most tags, texts and references of one piece of evidence.
pub(crate) const MAX_EVENTS: usize = 20_000;

/// Where a part that was borrowed from `input` stands in it.
pub(crate) fn place(input: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(input.as_ptr().addr())?;
    let span = start..start + part.len();
    (input.get(span.clone()) == Some(part)).then_some(span)
}

/// The text up to the first byte that is not UTF-8, and that refusal.
pub(crate) fn readable(input: &[u8]) -> (&str, Option<Malformed>) {
    match std::str::from_utf8(input) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.valid_up_to();
            let start = input.get(..at).and_then(|start| std::str::from_utf8(start).ok());
            (start.unwrap_or_default(), Some(Malformed::Invalid { what: "UTF-8", at }))
        }
    }
}

/// Which part of XML an error is about.
pub(crate) const fn what(error: &Error) -> &'static str {
    match error {
        Error::Syntax(_) => "XML syntax",
        Error::IllFormed(_) => "XML structure",
        Error::InvalidAttr(_) => "XML attribute",
        Error::Encoding(_) => "UTF-8",
        Error::Escape(_) => "XML entity",
        Error::Io(_) | Error::Namespace(_) => "XML",
    }
}

/// Whether a document type declares anything; entities could make a small file large, so such a file is refused.
pub(crate) fn declares(doctype: &str) -> bool {
    doctype.contains('[')
}

/// The text of a reference: a character by number or one of XML's five. Others stay as they are, unresolved.
pub(crate) fn resolve(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    match &**reference {
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "amp" => "&".to_owned(),
        "apos" => "'".to_owned(),
        "quot" => "\"".to_owned(),
        other => format!("&{other};"),
    }
}

/// The value of an attribute; none when it refers to an entity that XML itself does not define.
pub(crate) fn value<'a>(attribute: &Attribute<'a>) -> Option<Cow<'a, str>> {
    attribute.normalized_value(XmlVersion::Implicit1_0).ok()
}

/// Adds the attributes of a tag that `names` lists (attribute, field).
pub(crate) fn push_attributes(
    list: &mut Fields<'_>,
    input: &str,
    tag: &BytesStart<'_>,
    names: &[(&str, &'static str)],
) {
    for attribute in tag.attributes().with_checks(false).flatten() {
        let Some((_, field)) = names.iter().find(|(name, _)| attribute.key.as_ref() == *name) else { continue };
        let Some(span) = place(input, &attribute.value) else { continue };
        match value(&attribute) {
            Some(Cow::Borrowed(_)) => list.span(field, span),
            Some(Cow::Owned(text)) => list.value(*field, Cow::Owned(text.into_bytes()), span),
            None => list.malformed(&Malformed::Invalid { what: "XML entity", at: span.start }),
        }
    }
}
