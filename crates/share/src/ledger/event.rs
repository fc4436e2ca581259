//! What is worth an entry, and the bytes that it is hashed as.
//!
//! An entry is one line of JSON: members sorted, no spaces, whole numbers only (so far RFC 8785). It begins with sixteen
//! random bytes, so that from the hash alone nobody can find out by trying what a deleted entry said. It names who, why
//! and digests; never a record, an address that was looked at, or a text that a host sent. One kind has an address: that of
//! who agreed to be probed there, which is what the entry is the proof of.

use std::collections::BTreeSet;
use std::net::IpAddr;

use data_encoding::HEXLOWER;
use hinomi_model::{Purpose, Timestamp};
use hinomi_state::ledger::group_concern;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Group, LedgerError};

/// The most bytes of an entry.
pub const MAX_ENTRY_BYTES: usize = 16 * 1024;
/// Random bytes of an entry.
pub(super) const SALT_BYTES: usize = 16;
/// Deepest nesting of what is written; events have two.
const MAX_DEPTH: usize = 8;

/// Who did something, for whom and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The account, or the key and its account; `operator` and the user at the machine itself. Whoever has no account has a
    /// space in the name, which no account has.
    pub name: String,
    /// Organisations that are acted for, where they are not many.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub organisations: BTreeSet<String>,
    /// The same, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Event {
    /// Somebody looked.
    Look {
        /// Who.
        by: Actor,
        /// At what kind of thing.
        what: String,
        /// SHA-256 of the question, in hex: who keeps the question can show that it was this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
    },
    /// Records left.
    Export {
        /// Who asked for them.
        by: Actor,
        /// In which form.
        format: String,
        /// How many.
        records: u64,
        /// SHA-256 of the bytes that left, in hex.
        sha256: String,
        /// Ids of the policies by which any could pass; none where everything is seen.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        policies: BTreeSet<String>,
        /// Whether it broke off: records and sum are of what left until then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cut: bool,
    },
    /// Somebody was told of findings.
    Notice {
        /// Who let it leave.
        by: Actor,
        /// Id of the organisation that was told.
        recipient: String,
        /// By which way.
        channel: String,
        /// How many findings.
        findings: u64,
        /// SHA-256 of the message, in hex.
        sha256: String,
    },
    /// The policies were changed.
    Policy {
        /// Who did.
        by: Actor,
        /// SHA-256 of what they are now, in hex.
        sha256: String,
        /// Why.
        reason: String,
    },
    /// Who holds what was changed.
    Ownership {
        /// Who did.
        by: Actor,
        /// Id of the organisation.
        organisation: String,
        /// What of it: `organisation`, or a prefix, an AS number, a domain.
        subject: String,
        /// What was done, in a word: `claimed`, `proved`, `ended`.
        change: String,
        /// How that was shown, or why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An account, its rights or its means to sign in were changed.
    Account {
        /// Who did.
        by: Actor,
        /// Which account.
        account: String,
        /// What was done, in a word: `added`, `key-made`, `closed`.
        change: String,
        /// What else there is to know: rights, a role, the part of a key that is no secret, when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A visitor agreed that the address that he came from is probed. Nothing was sent yet.
    Consent {
        /// Who.
        by: Actor,
        /// Which address.
        address: IpAddr,
        /// At which ports, as `22,80/tcp 53/udp`.
        ports: String,
        /// Digest of the scope that authorises it, in hex.
        scope: String,
        /// The campaign under which the ledger of what is sent tells of it.
        campaign: String,
    },
    /// A key began to sign checkpoints.
    KeyMade {
        /// Its public half, as a verifier key of signed notes.
        vkey: String,
    },
    /// What old entries say was deleted; their hashes stay.
    Retained {
        /// Who asked for it.
        by: Actor,
        /// Entries of before this moment.
        before: Timestamp,
        /// Of these kinds.
        kinds: BTreeSet<String>,
        /// Why.
        reason: String,
    },
}

/// Kinds of entries, as they are chosen by. Never rename, only add.
pub const KINDS: [&str; 9] =
    ["look", "export", "notice", "policy", "ownership", "account", "key-made", "retained", "consent"];

/// Changes of any account, as a concern.
pub const ACCOUNTS: &str = "accounts";

/// An organisation, as a concern.
pub fn organisation_concern(id: &str) -> String {
    format!("organisation/{id}")
}

/// An account, as a concern; what its keys do concerns it too.
pub fn account_concern(name: &str) -> String {
    format!("account/{}", name.split(" (key ").next().unwrap_or(name))
}

impl Event {
    /// Who did it, where somebody did.
    pub const fn by(&self) -> Option<&Actor> {
        match self {
            Self::Look { by, .. }
            | Self::Export { by, .. }
            | Self::Notice { by, .. }
            | Self::Policy { by, .. }
            | Self::Ownership { by, .. }
            | Self::Account { by, .. }
            | Self::Retained { by, .. }
            | Self::Consent { by, .. } => Some(by),
            Self::KeyMade { .. } => None,
        }
    }

    /// The same, to be changed.
    pub const fn by_mut(&mut self) -> Option<&mut Actor> {
        match self {
            Self::Look { by, .. }
            | Self::Export { by, .. }
            | Self::Notice { by, .. }
            | Self::Policy { by, .. }
            | Self::Ownership { by, .. }
            | Self::Account { by, .. }
            | Self::Retained { by, .. }
            | Self::Consent { by, .. } => Some(by),
            Self::KeyMade { .. } => None,
        }
    }

    /// Whom it concerns: who did it, and the organisation or account of which it tells. That somebody looked concerns him;
    /// organisations find it by their people, also what was done for many of them at once.
    pub fn concerns(&self) -> Vec<String> {
        let by = |by: &Actor| account_concern(&by.name);
        let mut concerns = match self {
            Self::Look { by: who, .. } | Self::Policy { by: who, .. } | Self::Consent { by: who, .. } => vec![by(who)],
            Self::Export { by: who, .. } => {
                let organisations = who.organisations.iter().map(|id| organisation_concern(id));
                std::iter::once(by(who)).chain(organisations).collect()
            }
            Self::Notice { by: who, recipient, .. } => vec![by(who), organisation_concern(recipient)],
            Self::Ownership { organisation, .. } => vec![organisation_concern(organisation)],
            Self::Account { account, .. } => vec![account_concern(account), ACCOUNTS.to_owned()],
            Self::KeyMade { .. } | Self::Retained { .. } => Vec::new(),
        };
        concerns.extend(self.by().and_then(|by| by.group.as_ref()).map(|group| group_concern(&group.sha256)));
        concerns
    }

    /// Its kind, as in [`KINDS`].
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Look { .. } => "look",
            Self::Export { .. } => "export",
            Self::Notice { .. } => "notice",
            Self::Policy { .. } => "policy",
            Self::Ownership { .. } => "ownership",
            Self::Account { .. } => "account",
            Self::KeyMade { .. } => "key-made",
            Self::Retained { .. } => "retained",
            Self::Consent { .. } => "consent",
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// Random, in hex.
    pub salt: String,
    /// When.
    pub time: Timestamp,
}

impl Entry {
    /// An entry with this salt.
    pub fn new(event: Event, time: Timestamp, salt: [u8; SALT_BYTES]) -> Self {
        Self { event, salt: HEXLOWER.encode(&salt), time }
    }

    /// The bytes that are stored and hashed.
    ///
    /// # Errors
    /// When they are more than [`MAX_ENTRY_BYTES`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, LedgerError> {
        let value = serde_json::to_value(self).map_err(|error| LedgerError::Unfit(error.to_string()))?;
        let mut text = String::new();
        canonical(&value, 0, &mut text)?;
        if text.len() > MAX_ENTRY_BYTES {
            return Err(LedgerError::Unfit(format!("{} bytes; {MAX_ENTRY_BYTES} are the most", text.len())));
        }
        Ok(text.into_bytes())
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

fn canonical(value: &Value, depth: usize, out: &mut String) -> Result<(), LedgerError> {
    let refuse = |what: &str| Err(LedgerError::Unfit(format!("{what} cannot be written in one way only")));
    match value {
        _ if depth > MAX_DEPTH => refuse("what is nested so deep"),
        Value::Number(number) if number.is_f64() => refuse("a fraction"),
        Value::Object(members) => {
            let mut names: Vec<_> = members.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (place, (name, member)) in names.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                canonical(member, depth + 1, out)?;
            }
            out.push('}');
            Ok(())
        }
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                canonical(item, depth + 1, out)?;
            }
            out.push(']');
            Ok(())
        }
        plain => {
            out.push_str(&plain.to_string());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_written_in_one_way_and_read_back() {
        let by = Actor {
            name: "a\u{7}\"名".to_owned(),
            organisations: ["b".to_owned(), "a".to_owned()].into(),
            purpose: Some(Purpose::Notification),
            ..Actor::default()
        };
        let event = Event::Look { by, what: "search".to_owned(), question: None };
        let entry = Entry::new(event, Timestamp::from_micros(5), [0xab; SALT_BYTES]);
        let bytes = entry.to_bytes().unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            concat!(
                r#"{"by":{"name":"a\u0007\"名","organisations":["a","b"],"purpose":"notification"},"event":"look","#,
                r#""salt":"abababababababababababababababab","time":"1970-01-01T00:00:00.000005Z","what":"search"}"#
            )
        );
        assert_eq!(Entry::read(&bytes).unwrap(), entry);
        let long = Event::Policy { by: Actor::default(), sha256: String::new(), reason: "x".repeat(MAX_ENTRY_BYTES) };
        assert!(Entry::new(long, Timestamp::default(), [0; SALT_BYTES]).to_bytes().is_err());
    }

    #[test]
    fn kinds_are_what_entries_say() {
        let events = [
            Event::KeyMade { vkey: String::new() },
            Event::Account { by: Actor::default(), account: String::new(), change: String::new(), detail: None },
            Event::Consent {
                by: Actor::default(),
                address: [192, 0, 2, 1].into(),
                ports: String::new(),
                scope: String::new(),
                campaign: String::new(),
            },
        ];
        for event in events {
            let said = serde_json::to_value(&event).unwrap();
            assert_eq!(said["event"], event.kind());
            assert!(KINDS.contains(&event.kind()));
        }
    }

    #[test]
    fn entries_of_before_are_read_and_written_as_they_were() {
        let export = r#"{"by":{"name":"ann"},"event":"export","format":"csv","records":2,"salt":"00","sha256":"ab","time":"1970-01-01T00:00:00Z"}"#;
        let account = r#"{"account":"ann","by":{"name":"b"},"change":"added","event":"account","salt":"00","time":"1970-01-01T00:00:00Z"}"#;
        for text in [export, account] {
            let entry = Entry::read(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(entry.to_bytes().unwrap()).unwrap(), text);
        }
    }
}
