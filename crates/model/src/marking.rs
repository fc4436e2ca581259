//! Who may know: the marking that travels with every record, failing closed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::time::Timestamp;

mod strict;
mod terms;

pub use terms::{MAX_HANDLING_CHARS, MAX_HANDLING_WORDS, MAX_LICENCE_CHARS, Terms, UnfitTerms};

/// Traffic Light Protocol 2.0 (FIRST, 2022). Ordered from open to closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Tlp {
    /// The world may know.
    #[serde(rename = "TLP:CLEAR")]
    Clear,
    /// The community may know.
    #[serde(rename = "TLP:GREEN")]
    Green,
    /// The organisation and its clients may know.
    #[serde(rename = "TLP:AMBER")]
    Amber,
    /// The organisation alone may know.
    #[serde(rename = "TLP:AMBER+STRICT")]
    AmberStrict,
    /// The named recipients alone may know.
    #[serde(rename = "TLP:RED")]
    Red,
}

impl Tlp {
    /// The label as written in documents.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Clear => "TLP:CLEAR",
            Self::Green => "TLP:GREEN",
            Self::Amber => "TLP:AMBER",
            Self::AmberStrict => "TLP:AMBER+STRICT",
            Self::Red => "TLP:RED",
        }
    }

    /// Reads a label in any of the spellings in use (`tlp:white` is TLP 1 for CLEAR). What is not known is RED.
    pub fn read(text: &str) -> Self {
        let bare = text.trim().to_ascii_lowercase();
        match bare.strip_prefix("tlp:").unwrap_or(&bare) {
            "clear" | "white" => Self::Clear,
            "green" => Self::Green,
            "amber" => Self::Amber,
            "amber+strict" => Self::AmberStrict,
            _ => Self::Red,
        }
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl<'de> Deserialize<'de> for Tlp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::read(&text))
    }
}

/// Why a record may be read. The text form is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Purpose {
    /// To find and mend exposed or vulnerable devices.
    ExposureReduction,
    /// To find command and control servers, and for nothing else.
    CncDetection,
    /// To tell those responsible.
    Notification,
    /// To measure and publish without naming anyone.
    Research,
    /// To practise, on the simulated town.
    Exercise,
}

impl Purpose {
    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExposureReduction => "exposure-reduction",
            Self::CncDetection => "cnc-detection",
            Self::Notification => "notification",
            Self::Research => "research",
            Self::Exercise => "exercise",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no purpose.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a purpose: exposure-reduction, cnc-detection, notification, research, exercise")]
pub struct UnknownPurpose {
    /// What was given.
    pub name: String,
}

impl FromStr for Purpose {
    type Err = UnknownPurpose;

    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        let all = [Self::ExposureReduction, Self::CncDetection, Self::Notification, Self::Research, Self::Exercise];
        let found = all.into_iter().find(|purpose| purpose.name() == text);
        found.ok_or_else(|| UnknownPurpose { name: text.chars().take(64).collect() })
    }
}

/// Who may know a record, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marking {
    /// How far it may travel.
    pub tlp: Tlp,
    /// Names of the audiences it is for; empty leaves it to the label alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<String>,
    /// What it may be read for.
    pub purpose: Purpose,
    /// Before this moment nobody may know but whom the rules except.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "terms::embargo")]
    pub embargo: Option<Timestamp>,
    /// What it may be used under: an SPDX id, or a short text.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "terms::licence")]
    pub licence: Option<String>,
    /// How whoever has it is to handle it, in words such as `pap:amber` or `no-forward`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", deserialize_with = "terms::handling")]
    pub handling: BTreeSet<String>,
}

impl Marking {
    /// What a sensor's own observations carry until somebody decides otherwise: for the organisation alone.
    pub const fn own(purpose: Purpose) -> Self {
        Self {
            tlp: Tlp::AmberStrict,
            audience: Vec::new(),
            purpose,
            embargo: None,
            licence: None,
            handling: BTreeSet::new(),
        }
    }

    /// Embargo, licence and handling.
    pub fn terms(&self) -> Terms {
        Terms { embargo: self.embargo, licence: self.licence.clone(), handling: self.handling.clone() }
    }

    /// The same with these terms.
    #[must_use]
    pub fn under(self, terms: Terms) -> Self {
        let Terms { embargo, licence, handling } = terms;
        Self { embargo, licence, handling, ..self }
    }

    /// Whether it says nothing but label, audiences and purpose.
    pub fn is_plain(&self) -> bool {
        self.embargo.is_none() && self.licence.is_none() && self.handling.is_empty()
    }

    /// Whether it is under an embargo at a moment.
    pub fn is_embargoed(&self, now: Timestamp) -> bool {
        self.embargo.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_labels_close() {
        assert_eq!(Tlp::read("tlp:white"), Tlp::Clear);
        assert_eq!(Tlp::read("TLP:AMBER+STRICT"), Tlp::AmberStrict);
        assert_eq!(Tlp::read("tlp:ex:chr"), Tlp::Red);
        assert_eq!(Tlp::read(""), Tlp::Red);
        assert_eq!(serde_json::from_str::<Tlp>("\"TLP:PUCE\"").expect("a label"), Tlp::Red);
    }

    #[test]
    fn a_marking_with_a_field_we_do_not_know_is_refused() {
        let text = r#"{"tlp":"TLP:CLEAR","purpose":"research","sealed":"2027-01-01"}"#;
        assert!(serde_json::from_str::<Marking>(text).is_err());
    }
}
