//! What is known of a service's cryptography: what was negotiated, what is offered, and what to think of it.
//!
//! Everything here follows from stored evidence; what needs a clock (whether a certificate has ended) is asked when one
//! looks. Words follow RFC 9794: a *hybrid* combines a traditional algorithm with a post-quantum one.

use serde::{Deserialize, Serialize};

/// How far a service is on the way to key exchange that a quantum computer cannot open later.
///
/// Said of confidentiality only. Certificates and host keys are another matter: they cannot be broken after the fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PostQuantum {
    /// It has no hybrid key exchange: it said so, or speaks nothing in which there is one.
    ClassicOnly,
    /// It chose a classic key exchange beside a hybrid one; whether it has the other was not asked.
    ClassicChosen,
    /// It has hybrid key exchange, and prefers a classic one.
    HybridOffered,
    /// It prefers hybrid key exchange.
    HybridPreferred,
}

impl PostQuantum {
    /// All of them, from worst to best.
    pub const ALL: [Self; 4] = [Self::ClassicOnly, Self::ClassicChosen, Self::HybridOffered, Self::HybridPreferred];

    /// The name in queries and catalogues.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClassicOnly => "classic-only",
            Self::ClassicChosen => "classic-chosen",
            Self::HybridOffered => "hybrid-offered",
            Self::HybridPreferred => "hybrid-preferred",
        }
    }
}

/// What is known of a TLS service and versions older than 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OldVersions {
    /// It takes one.
    Taken,
    /// It was offered nothing newer and did not take it.
    Refused,
    /// Nobody offered it nothing newer, or no answer came: neither "takes" nor "refuses" may be said.
    NotAsked,
}

impl OldVersions {
    /// The word in columns and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::NotAsked => "not-asked",
        }
    }
}

/// Something weak, each with the document that says so. The names are stored in facts: never rename, only add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weakness {
    /// The word of queries and catalogues.
    pub name: &'static str,
    /// Who says that this is weak.
    pub source: &'static str,
}

/// Every weakness that is told.
pub const WEAKNESSES: &[Weakness] = &[
    Weakness { name: "ssl3", source: "RFC 7568" },
    Weakness { name: "tls-1.0", source: "RFC 8996" },
    Weakness { name: "tls-1.1", source: "RFC 8996" },
    Weakness { name: "export", source: "RFC 9325, 4.1" },
    Weakness { name: "null-cipher", source: "RFC 9325, 4.1" },
    Weakness { name: "rc4", source: "RFC 7465, RFC 8758" },
    Weakness { name: "des", source: "RFC 9325, 4.1" },
    Weakness { name: "3des", source: "RFC 9325, 4.1; NIST SP 800-131A" },
    Weakness { name: "cbc", source: "RFC 9325, 4.2 (asks for authenticated encryption)" },
    Weakness { name: "no-forward-secrecy", source: "RFC 9325, 4.1" },
    Weakness { name: "dh-short", source: "RFC 9325, 4.5" },
    Weakness { name: "rsa-short", source: "RFC 9325, 4.5; NIST SP 800-131A" },
    Weakness { name: "ec-short", source: "RFC 9325, 4.5; NIST SP 800-131A" },
    Weakness { name: "dsa-key", source: "FIPS 186-5" },
    Weakness { name: "md5-signature", source: "RFC 6151" },
    Weakness { name: "sha1-signature", source: "RFC 9155" },
    Weakness { name: "ssh-dss", source: "FIPS 186-5; off in OpenSSH since 7.0" },
    Weakness { name: "ssh-group1", source: "RFC 9142" },
    Weakness { name: "ssh-gex-sha1", source: "RFC 9142" },
    Weakness { name: "ssh-cbc-only", source: "off in OpenSSH since 6.7; CVE-2008-5161" },
];

/// The most names of one list that are kept.
pub const MAX_NAMES: usize = 64;

/// The cryptography of one service. Empty means not known, never "none".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cryptography {
    /// Versions of TLS that it is known to take, newest first, as `1.3`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// The group of the TLS key exchange that it chose, as `X25519MLKEM768`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The TLS cipher suite that it chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// How many certificates it showed.
    #[serde(skip_serializing_if = "is_zero")]
    pub chain: u8,
    /// Key exchange methods of SSH, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kex: Vec<String>,
    /// Algorithm and size of the SSH host key that it showed, as `rsa-3072`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// Ciphers of SSH, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ciphers: Vec<String>,
    /// Message authentication codes of SSH, in its order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<String>,
    /// How far it is on the way to post-quantum key exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_quantum: Option<PostQuantum>,
    /// Names of [`WEAKNESSES`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weak: Vec<String>,
    /// Whether it is open if it takes older versions of TLS than the one it chose: the look did not ask, or got no answer.
    #[serde(skip_serializing_if = "is_false")]
    pub old_versions_open: bool,
}

impl Cryptography {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is known of versions of TLS older than 1.2; none where it speaks no TLS that shows its version.
    pub fn old_versions(&self) -> Option<OldVersions> {
        let is_old = |version: &String| version != "1.2" && version != "1.3";
        match () {
            () if self.versions.iter().any(is_old) => Some(OldVersions::Taken),
            () if self.versions.is_empty() => None,
            () if self.old_versions_open => Some(OldVersions::NotAsked),
            () => Some(OldVersions::Refused),
        }
    }

    /// Whether a later look shows something else. What only one of both looks asked is no change: a hybrid group or an old
    /// version that was not asked for again is not gone.
    pub fn changed(&self, later: &Self) -> bool {
        let (mut before, mut after) = (self.clone(), later.clone());
        if [before.post_quantum, after.post_quantum].contains(&Some(PostQuantum::ClassicChosen)) {
            // One of them does not know. What is certain shows in version and group as well.
            (before.post_quantum, after.post_quantum) = (None, None);
        }
        match (self.old_versions_open, later.old_versions_open) {
            (true, false) => after.as_if_not_asked(self),
            (false, true) => before.as_if_not_asked(later),
            _ => {}
        }
        before != after
    }

    /// Leaves what a look that did not ask for old versions tells: the version chosen, and what that look found weak. What is
    /// weak about the suite chosen of everything, certificates and keys, shows in these themselves.
    fn as_if_not_asked(&mut self, open: &Self) {
        self.old_versions_open = true;
        self.versions.truncate(1);
        self.weak.retain(|name| open.weak.contains(name));
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u8) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(versions: &[&str], weak: &[&str], how: PostQuantum, open: bool) -> Cryptography {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Cryptography {
            versions: names(versions),
            group: Some("x25519".to_owned()),
            weak: names(weak),
            post_quantum: Some(how),
            old_versions_open: open,
            ..Cryptography::default()
        }
    }

    #[test]
    fn what_was_not_asked_is_not_refused() {
        let of = |versions: &[&str], open| look(versions, &[], PostQuantum::ClassicOnly, open).old_versions();
        assert_eq!(of(&["1.3"], true), Some(OldVersions::NotAsked));
        assert_eq!(of(&["1.3"], false), Some(OldVersions::Refused));
        assert_eq!(of(&["1.3", "1.0"], false), Some(OldVersions::Taken));
        assert_eq!(of(&["1.1"], false), Some(OldVersions::Taken));
        assert_eq!(of(&[], false), None);
    }

    #[test]
    fn what_was_not_asked_again_has_not_changed() {
        use PostQuantum::{ClassicChosen, ClassicOnly, HybridOffered};
        let full = look(&["1.3", "1.0"], &["tls-1.0", "cbc", "rsa-short"], HybridOffered, false);
        let brief = look(&["1.3"], &["rsa-short"], ClassicChosen, true);
        assert!(!full.changed(&brief) && !brief.changed(&full) && !brief.changed(&brief));
        let fixed = look(&["1.3"], &["rsa-short"], ClassicOnly, false);
        assert!(full.changed(&fixed) && fixed.changed(&full), "both looks asked");
        let worse = look(&["1.3"], &["rsa-short", "sha1-signature"], ClassicChosen, true);
        assert!(full.changed(&worse) && worse.changed(&full), "what the brief look finds is there");
        assert!(full.changed(&look(&["1.2"], &["rsa-short"], ClassicOnly, true)), "another version");
        let other = Cryptography { group: Some("secp256r1".to_owned()), ..brief };
        assert!(full.changed(&other), "another group");
    }
}
