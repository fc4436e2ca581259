//! What a notice is made of, and how far it may be.

use std::fmt;
use std::str::FromStr;

use hinomi_model::{ServiceKey, Timestamp};
use serde::{Deserialize, Serialize};

use crate::contacts::Language;
use crate::error::StateError;

/// How far a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeState {
    /// Nobody, or not everybody who must, said that it may leave.
    Draft,
    /// It may leave.
    Released,
    /// A server has it in hand.
    Sending,
    /// The relay took it.
    Sent,
    /// Whoever had it in hand ended before it was known: it is not sent again unless a person says so.
    Unsure,
    /// The relay does not take it.
    GivenUp,
    /// The party may not know any more what it tells.
    Void,
    /// Somebody decided against it.
    Cancelled,
}

impl NoticeState {
    const ALL: [Self; 8] = [
        Self::Draft,
        Self::Released,
        Self::Sending,
        Self::Sent,
        Self::Unsure,
        Self::GivenUp,
        Self::Void,
        Self::Cancelled,
    ];

    /// As stored and written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Released => "released",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Unsure => "unsure",
            Self::GivenUp => "given-up",
            Self::Void => "void",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for NoticeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NoticeState {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|state| state.name()).collect();
            StateError::refused(format!("a notice is one of {}", names.join(", ")))
        })
    }
}

/// Whom a notice goes to, and why to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Id of the organisation.
    pub organisation: String,
    /// `holder`, `network`, `as` or `csirt`.
    pub basis: String,
    /// Number of the contact.
    pub contact: i64,
    /// What the contact is for.
    pub role: String,
    /// A person or a team.
    pub name: String,
    /// Where it goes.
    pub mail: String,
    /// What they read.
    pub language: Language,
    /// When somebody last made sure of it.
    pub confirmed: Timestamp,
    /// Nobody made sure of the contact for long.
    pub stale: bool,
}

/// What one finding of a notice tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Where.
    #[serde(flatten)]
    pub service: ServiceKey,
    /// What is open, as `telnet`.
    pub concern: String,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: String,
    /// How sure the identification is, in percent.
    pub confidence: u8,
    /// When it last answered.
    pub seen: Timestamp,
    /// Since when it answers, as far as the party may know.
    pub first: Timestamp,
    /// AS number of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Country of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What it speaks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    /// Maker, product, version, model and firmware, of what is known: one line, without what would act.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub product: String,
    /// What it says first: one line, without what would act.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// What stands out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// SHA-256 of the bytes that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// For what it may be read.
    pub purpose: String,
    /// How far it may travel.
    pub label: String,
    /// What it may be used under, and how it is to be handled, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<String>,
    /// By which claim it is theirs: a prefix, `AS` and a number; nothing for who answers for all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

impl Said {
    /// What is not told twice: where and what.
    pub fn key(&self) -> (String, String) {
        (self.service.to_string(), self.concern.clone())
    }
}

/// A file that goes with a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoticeFile {
    /// `findings.csv`
    pub name: String,
    /// Its media type.
    pub media: String,
    /// What is in it.
    pub content: String,
}

/// A notice to be drafted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// By which answers find it.
    pub token: String,
    /// Whom it goes to.
    pub party: Party,
    /// The strictest label of what it tells.
    pub label: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// How many persons must release it.
    pub needs: u32,
    /// How many notices of a day one person may release alone.
    pub alone: u32,
    /// What it tells.
    pub findings: Vec<Said>,
    /// What goes with it.
    pub files: Vec<NoticeFile>,
}
