//! Named parts of evidence.

use std::borrow::Cow;
use std::ops::Range;

/// The most fields that one piece of evidence yields.
pub const MAX_FIELDS: usize = 256;

/// The most bytes of one field that rules see; the rest is cut.
pub const MAX_FIELD_BYTES: usize = 64 * 1024;

/// A named part of evidence that rules can match on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// As `http.server`. Fixed by the codec, or `http.header.` and a lower-case header name.
    pub name: Cow<'static, str>,
    /// The value, decoded where the protocol encodes it.
    pub value: Cow<'a, [u8]>,
    /// Which bytes of the evidence it was read from: the span that proves it.
    pub span: Range<usize>,
}

impl<'a> Field<'a> {
    /// A field that stands in the input as it is.
    pub fn borrowed(name: &'static str, input: &'a [u8], span: Range<usize>) -> Self {
        let end = span.end.min(span.start.saturating_add(MAX_FIELD_BYTES));
        let value = input.get(span.start..end).unwrap_or_default();
        Self { name: Cow::Borrowed(name), value: Cow::Borrowed(value), span }
    }

    /// A field whose value was computed from the bytes of `span`.
    pub fn computed(name: &'static str, value: impl Into<Vec<u8>>, span: Range<usize>) -> Self {
        let mut value = value.into();
        value.truncate(MAX_FIELD_BYTES);
        Self { name: Cow::Borrowed(name), value: Cow::Owned(value), span }
    }

    /// The value as text, invalid UTF-8 replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }
}
