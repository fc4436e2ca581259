//! What is worth an entry.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize};

/// Longest text of an entry, in bytes.
pub const MAX_WORDS_BYTES: usize = 500;

/// A short text in which no address stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Words(String);

/// Why a text is not fit for the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWords {
    /// An address stands in it.
    #[error("an address stands in the text; the ledger holds none")]
    Address,
    /// Too long or empty.
    #[error("the text must have 1 to {MAX_WORDS_BYTES} bytes")]
    Length,
}

impl Words {
    /// This text, if it is one.
    ///
    /// # Errors
    /// When an IP address stands in it, it is empty or too long.
    pub fn new(text: &str) -> Result<Self, NotWords> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_WORDS_BYTES {
            return Err(NotWords::Length);
        }
        let of_address = |letter: char| letter.is_ascii_hexdigit() || letter == '.' || letter == ':';
        let token_is_address = |token: &str| {
            let bare = token.trim_matches(|letter| letter == '.' || letter == ':');
            let without_port = bare.rsplit_once(':').map_or(bare, |(before, _)| before);
            [token, bare, without_port].iter().any(|form| form.parse::<IpAddr>().is_ok())
        };
        if text.split(|letter| !of_address(letter)).any(token_is_address) {
            return Err(NotWords::Address);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// What an audit with planted subscribers showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditOutcome {
    /// Every search could find, all could be read, and no trace was there.
    Clean,
    /// Traces were found.
    Found,
    /// It failed, could not read everything, or a search did not find what is there: nothing follows from it.
    ShowedNothing,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A pseudonym key was made.
    KeyBorn {
        /// For which epoch.
        epoch: u32,
    },
    /// A pseudonym key was destroyed: who its pseudonyms were can be told by nobody from now on.
    KeyDestroyed {
        /// For which epoch.
        epoch: u32,
    },
    /// State was deleted because its life was over.
    Deleted {
        /// What kind of state.
        what: Words,
        /// How many.
        count: u64,
    },
    /// A rule, threshold, list or the set of fields that are read was changed.
    RuleChanged {
        /// Which.
        rule: Words,
        /// What it is now; lists by their hash.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Words>,
        /// Who did.
        by: Words,
        /// Why.
        reason: Words,
    },
    /// A switch that the law asks about, as the infected-set join.
    Switched {
        /// Which.
        switch: Words,
        /// On or off.
        on: bool,
        /// Who did.
        by: Words,
        /// On what legal basis.
        basis: Words,
    },
    /// Somebody looked at findings or at the own-network view.
    Looked {
        /// Who.
        by: Words,
        /// At what.
        what: Words,
        /// Why.
        reason: Words,
    },
    /// Which own lines met a finding was told to the carrier: written before it was told.
    Resolved {
        /// Who asked.
        by: Words,
        /// On what legal basis.
        basis: Words,
        /// Why.
        reason: Words,
        /// How sure the finding was.
        confidence_percent: u8,
        /// Lines in the carrier's list.
        asked: u64,
        /// How many of them met it.
        lines: u64,
    },
    /// A list left the house.
    Exported {
        /// Who approved.
        by: Words,
        /// In which form.
        format: Words,
        /// How many records.
        records: u64,
        /// SHA-256 of the bytes that left, in hex.
        sha256: Words,
    },
    /// A finding was taken back because somebody showed that it is wrong.
    Refuted {
        /// Who did.
        by: Words,
        /// Why.
        reason: Words,
    },
    /// An audit with planted subscribers was run.
    Audited {
        /// How many canaries were planted.
        canaries: u64,
        /// How many places still held one.
        found: u64,
        /// What that means. Entries of before there was this field have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<AuditOutcome>,
    },
    /// A crash had torn the last line; it was cut off.
    Mended {
        /// How long the torn piece was.
        torn_bytes: u64,
    },
}

impl From<crate::epoch::KeyEvent> for Event {
    fn from(event: crate::epoch::KeyEvent) -> Self {
        match event {
            crate::epoch::KeyEvent::Born { epoch } => Self::KeyBorn { epoch },
            crate::epoch::KeyEvent::Destroyed { epoch } => Self::KeyDestroyed { epoch },
        }
    }
}
