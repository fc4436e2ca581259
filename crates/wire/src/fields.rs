//! The list of fields while a codec fills it: bounded, every span inside the input, nothing dropped in silence.

use std::borrow::Cow;
use std::ops::Range;

use crate::field::{Field, MAX_FIELD_BYTES, MAX_FIELDS};
use crate::malformed::Malformed;

/// Collects at most [`MAX_FIELDS`] fields. The last place is kept for `malformed`.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    input: &'a [u8],
    list: Vec<Field<'a>>,
    trouble: Option<Malformed>,
}

impl<'a> Fields<'a> {
    /// An empty list over `input`.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, list: Vec::with_capacity(16), trouble: None }
    }

    /// A field that stands in the input as it is. Empty ones say nothing and are left out.
    pub(crate) fn span(&mut self, name: &'static str, span: Range<usize>) {
        if span.start < span.end {
            let span = self.clamp(span);
            self.push(Field::borrowed(name, self.input, span));
        }
    }

    /// A field with a value computed from the bytes of `span`. Empty ones are left out.
    pub(crate) fn value(&mut self, name: impl Into<Cow<'static, str>>, value: Cow<'a, [u8]>, span: Range<usize>) {
        if !value.is_empty() {
            let span = self.clamp(span);
            self.push(Field { name: name.into(), value: cut(value), span });
        }
    }

    /// The reason why not everything could be read. The first one stays.
    pub(crate) fn malformed(&mut self, reason: &Malformed) {
        self.trouble.get_or_insert_with(|| reason.clone());
    }

    /// The list, with `malformed` last where there is a reason.
    pub(crate) fn finish(mut self) -> Vec<Field<'a>> {
        if let Some(reason) = self.trouble.take() {
            let at = offset(&reason).min(self.input.len());
            self.list.push(Field::computed("malformed", reason.to_string(), at..at));
        }
        self.list
    }

    fn push(&mut self, field: Field<'a>) {
        if self.list.len() + 1 < MAX_FIELDS {
            self.list.push(field);
        } else {
            self.malformed(&Malformed::TooMuch { what: "field", at: field.span.start, limit: MAX_FIELDS });
        }
    }

    fn clamp(&self, span: Range<usize>) -> Range<usize> {
        let end = span.end.min(self.input.len());
        span.start.min(end)..end
    }
}

fn cut(value: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match value {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(..MAX_FIELD_BYTES).unwrap_or(bytes)),
        Cow::Owned(mut bytes) => {
            bytes.truncate(MAX_FIELD_BYTES);
            Cow::Owned(bytes)
        }
    }
}

fn offset(reason: &Malformed) -> usize {
    match reason {
        Malformed::Truncated { at, .. } | Malformed::Invalid { at, .. } | Malformed::TooMuch { at, .. } => *at,
    }
}
