//! What evidence says about a service, and what proves it.
//!
//! Facts are a pure function of evidence and rules ([`Identifier`]): the same evidence gives the same facts on every
//! machine, and better rules improve the past.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::crypto::Cryptography;
use crate::device::DeviceKind;
use crate::evidence::{Evidence, EvidenceKind};
use crate::time::Timestamp;

/// The application protocol: 1 to 24 of `a-z 0-9 -`, as in the registry of service names where it has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Protocol(String);

/// A text that cannot be the name of a protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the name of a protocol: 1 to 24 of a-z 0-9 -")]
pub struct NotAProtocol {
    /// What was given.
    pub text: String,
}

impl Protocol {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Protocol {
    type Err = NotAProtocol;

    fn from_str(text: &str) -> Result<Self, NotAProtocol> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > 24 || !text.chars().all(fits) {
            return Err(NotAProtocol { text: text.chars().take(64).collect() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How sure an identification is, in percent: 100 means that the service names itself in a field made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(from = "u8", into = "u8")]
pub struct Confidence(u8);

impl Confidence {
    /// A confidence of so many percent; more than 100 is 100.
    pub const fn percent(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }

    /// The percentage.
    pub const fn as_percent(self) -> u8 {
        self.0
    }
}

impl From<u8> for Confidence {
    fn from(percent: u8) -> Self {
        Self::percent(percent)
    }
}

impl From<Confidence> for u8 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// Which bytes of which evidence led a rule to its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The rule's name, as `ssh/openssh-debian`.
    pub rule: String,
    /// The field it matched, as `http.server`.
    pub field: String,
    /// The kind of evidence the field is of.
    pub evidence: EvidenceKind,
    /// First byte of the match within that evidence.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// What a certificate says of itself. Nothing here was validated: a device that names itself is a fact, not a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// Distinguished name of the subject, RFC 4514 text.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Subject alternative names (DNS names and addresses), at most 64.
    pub names: Vec<String>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Subject and issuer are the same.
    pub self_signed: bool,
    /// Key algorithm and size in bits, as `rsa-2048`, `ec-256`, `ed25519`.
    pub key: String,
    /// Signature algorithm, as `sha256WithRSAEncryption`.
    pub signature: String,
    /// SHA-256 of the DER, hexadecimal: the name other systems use.
    pub sha256: String,
}

/// What is known of one service. Empty means not known, never "none".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// What it speaks; inside TLS if [`Facts::tls`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Whether it speaks inside TLS.
    pub tls: bool,
    /// Newest TLS version agreed, as `1.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_version: Option<String>,
    /// Maker, as in CPE dictionaries but readable: `Buffalo`, `OpenBSD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// Software or hardware product that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Version of the product, as the service writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Model of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Firmware of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// What sort of device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<DeviceKind>,
    /// Operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// CPE 2.3 names, formatted strings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpe: Vec<String>,
    /// How sure vendor, product and model are.
    pub confidence: Confidence,
    /// Title of the page it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// First line people would read: banner, status line, server header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The certificate it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFacts>,
    /// HASSH of an SSH server: MD5 of its algorithm lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hassh: Option<String>,
    /// SHA-256 of the SSH host key, as `ssh-keygen -l` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// Its cryptography, as far as it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crypto: Option<Cryptography>,
    /// Short words that say what stands out: `telnet-open`, `anonymous`, `self-signed`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Why all this is believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
}

/// Derives facts from evidence. Pure: no clock, no network, no state.
pub trait Identifier: Send + Sync {
    /// What these pieces of evidence of one service say together.
    fn identify(&self, evidence: &[Evidence]) -> Facts;

    /// Changes whenever the rules do, so that derived facts know their age.
    fn revision(&self) -> &str;
}

/// A key that sorts version texts as people expect (`1.9` before `1.10`, `8.9p1` before `9.0`). Runs of digits compare
/// as numbers, everything else as text; a release sorts after its own pre-releases marked `~` or `rc`, `beta`, `alpha`.
pub fn version_key(version: &str) -> String {
    let mut key = String::with_capacity(version.len() * 3);
    let mut rest = version.trim_start_matches(['v', 'V']);
    while let Some(first) = rest.chars().next() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if first.is_ascii_digit() {
            let (number, tail) = rest.split_at(digits);
            let number = number.trim_start_matches('0');
            key.push_str(&format!("5{:02}{number}", number.len().min(99)));
            rest = tail;
            continue;
        }
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        if letters > 0 {
            let (word, tail) = rest.split_at(letters);
            let word = word.to_ascii_lowercase();
            let earlier = matches!(word.as_str(), "rc" | "beta" | "alpha" | "pre" | "dev");
            key.push_str(if earlier { "1" } else { "4" });
            key.push_str(&word);
            rest = tail;
            continue;
        }
        if first == '~' {
            key.push('0');
        }
        rest = &rest[first.len_utf8()..];
    }
    key.push('3');
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_people_expect() {
        let rising = ["1.4~rc1", "1.4-rc2", "1.4", "1.4p1", "1.4.1", "1.9", "1.10", "2.0", "10.0.0"];
        for pair in rising.windows(2) {
            assert!(version_key(pair[0]) < version_key(pair[1]), "{} < {}", pair[0], pair[1]);
        }
        assert_eq!(version_key("v1.04"), version_key("1.4"));
    }

    #[test]
    fn facts_are_stored_without_what_is_not_known() {
        let facts = Facts { protocol: "ssh".parse().ok(), ..Facts::default() };
        let text = serde_json::to_string(&facts).expect("json");
        assert_eq!(text, r#"{"protocol":"ssh","tls":false,"confidence":0}"#);
        assert_eq!(serde_json::from_str::<Facts>(&text).expect("facts"), facts);
    }
}
