//! Plant, building and energy control: the one request of each language that only asks who is there.
//!
//! A language is a module with the request that we send, `complete` (more bytes would add nothing to the answer), a
//! parser into plain types, the fields, and what changes at every look. Nothing is read but identities, nothing is ever
//! written, no session outlives its answer. Answers are evidence of the kind `reply`; which language one is in follows
//! from its header alone, which is checked whole before anything is read from it. [`crate::modbus`] and
//! [`crate::echonet`] have kinds of their own.

use std::ops::Range;

use crate::fields::Fields;

pub mod bacnet;
pub mod dnp3;
pub mod enip;
pub mod fins;
pub mod iec104;
pub mod knx;
pub mod opcua;
pub mod s7;
pub mod slmp;

/// What is known of one language.
struct Language {
    /// The protocol's name.
    name: &'static str,
    /// Whether these first bytes of an answer are in it.
    speaks: fn(&[u8]) -> bool,
    /// Adds the fields of an answer.
    push_fields: for<'a> fn(&mut Fields<'a>, &'a [u8]),
    /// What changes at every look.
    volatile: fn(&[u8]) -> Vec<Range<usize>>,
}

/// Every language. No two have a beginning in common.
const LANGUAGES: &[Language] = &[
    Language { name: "enip", speaks: enip::is_answer, push_fields: enip::push_fields, volatile: enip::volatile },
    Language {
        name: "bacnet",
        speaks: bacnet::is_answer,
        push_fields: bacnet::push_fields,
        volatile: bacnet::volatile,
    },
    Language { name: "s7", speaks: s7::is_answer, push_fields: s7::push_fields, volatile: s7::volatile },
    Language { name: "opcua", speaks: opcua::is_answer, push_fields: opcua::push_fields, volatile: opcua::volatile },
    Language {
        name: "iec104",
        speaks: iec104::is_answer,
        push_fields: iec104::push_fields,
        volatile: iec104::volatile,
    },
    Language { name: "dnp3", speaks: dnp3::is_answer, push_fields: dnp3::push_fields, volatile: dnp3::volatile },
    Language { name: "fins", speaks: fins::is_answer, push_fields: fins::push_fields, volatile: fins::volatile },
    Language { name: "slmp", speaks: slmp::is_answer, push_fields: slmp::push_fields, volatile: slmp::volatile },
    Language { name: "knx", speaks: knx::is_answer, push_fields: knx::push_fields, volatile: knx::volatile },
];

/// The language of an answer.
pub(crate) fn language(input: &[u8]) -> Option<&'static str> {
    LANGUAGES.iter().find(|language| (language.speaks)(input)).map(|language| language.name)
}

/// Adds what an answer in this language says; nothing where the language is another module's.
pub(crate) fn push_fields<'a>(list: &mut Fields<'a>, input: &'a [u8], name: &str) {
    if let Some(language) = named(name) {
        (language.push_fields)(list, input);
    }
}

/// What changes at every look; none where the language is another module's.
pub(crate) fn volatile(input: &[u8], name: &str) -> Option<Vec<Range<usize>>> {
    named(name).map(|language| (language.volatile)(input))
}

fn named(name: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.name == name)
}

/// Text of a fixed length, without the zeros and spaces that fill it up.
fn unpadded(input: &[u8], span: Range<usize>) -> Range<usize> {
    let bytes = input.get(span.clone()).unwrap_or_default();
    let is_text = |byte: &u8| !matches!(byte, 0 | b' ');
    // Behind a zero nothing counts: some devices leave there what they had in memory.
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let end = bytes.iter().rposition(is_text).map_or(0, |last| last + 1);
    span.start..span.start + end
}

#[cfg(test)]
mod tests;
