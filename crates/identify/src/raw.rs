//! Rules as they stand in a file. Unknown keys are refused by the parser, which names the known ones and the line; an
//! option that is not there is `None` without being told so.

use std::collections::BTreeMap;

use hinomi_model::{DeviceKind, Protocol};
use serde::Deserialize;
use toml::Spanned;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFile {
    #[serde(default)]
    pub(crate) rule: Vec<Spanned<RawRule>>,
}

/// One `[[rule]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRule {
    pub(crate) name: String,
    pub(crate) field: OneOrMany,
    pub(crate) pattern: Option<String>,
    pub(crate) equals: Option<String>,
    pub(crate) contains: Option<String>,
    #[serde(default)]
    pub(crate) all: Vec<RawCondition>,
    #[serde(default)]
    pub(crate) unless: Vec<RawCondition>,
    #[serde(default)]
    pub(crate) source: String,
    pub(crate) vendor: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) firmware: Option<String>,
    pub(crate) kind: Option<DeviceKind>,
    pub(crate) os: Option<String>,
    #[serde(default)]
    pub(crate) cpe: OneOrMany,
    pub(crate) protocol: Option<Protocol>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    pub(crate) confidence: u8,
    #[serde(default)]
    pub(crate) examples: Vec<RawExample>,
    #[serde(default)]
    pub(crate) not: Vec<String>,
}

/// A further condition on any field of the same service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCondition {
    pub(crate) field: String,
    pub(crate) pattern: Option<String>,
    pub(crate) equals: Option<String>,
    pub(crate) contains: Option<String>,
}

/// A text that must match, further fields beside it, and what must come out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawExample {
    pub(crate) text: String,
    /// In place of `text`, for what is no text: hexadecimal digits.
    pub(crate) hex: Option<String>,
    pub(crate) with: BTreeMap<String, String>,
    pub(crate) vendor: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) firmware: Option<String>,
    pub(crate) os: Option<String>,
    pub(crate) cpe: Option<String>,
}

impl RawExample {
    /// The bytes that must match; `None` if `hex` is not hexadecimal.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let Some(hex) = &self.hex else { return Some(self.text.clone().into_bytes()) };
        let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        pairs.collect::<Option<_>>().filter(|_| digits.len().is_multiple_of(2))
    }
}

/// `"a"` or `["a", "b"]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl OneOrMany {
    pub(crate) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}
