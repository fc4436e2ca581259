//! Who writes down that somebody looked.
//!
//! Findings of C&C servers rest on what subscribers did, however little of it is left in them; and records of
//! organisations are shown to members by rules that somebody must be able to look into afterwards. So every look at
//! findings, and every look of a member or an analyst, is an entry of a ledger, on the command line as on pages; a [`Witness`] makes it,
//! and without one there is nothing to see. The entry says who looked at what kind of thing and why; what was asked is
//! kept as the witness decides, as a sum or not at all.

use std::collections::BTreeSet;

use crate::policy::Member;

/// The most characters of a question that are handed to a witness.
pub const MAX_ASKED_CHARS: usize = 4_096;

/// What kind of thing is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sight {
    /// The list of held findings.
    Findings,
    /// Everything told of one endpoint.
    Finding,
    /// What a list that leaves would name.
    List,
    /// What was seen at the address that somebody comes from; which one is not said.
    SelfCheck,
    /// Records, by a member or an analyst.
    Records(Look),
}

impl Sight {
    /// As the ledger says it.
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Findings => "held findings",
            Self::Finding => "one finding",
            Self::List => "the list to be shared",
            Self::SelfCheck => "self check",
            Self::Records(look) => look.what,
        }
    }
}

/// A look of a member or an analyst at records.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Look {
    /// Who looks; an analyst acts for nobody.
    pub member: Member,
    /// At what kind of thing: `search`, `host`, `export`, ...
    pub what: &'static str,
    /// What was asked: a query, an address, a hash; cut after [`MAX_ASKED_CHARS`].
    pub asked: String,
}

impl Look {
    pub(crate) fn new(member: &Member, what: &'static str, asked: &str) -> Self {
        Self { member: member.clone(), what, asked: asked.chars().take(MAX_ASKED_CHARS).collect() }
    }
}

/// Records that left as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Departure {
    /// In which form.
    pub format: String,
    /// How many.
    pub records: u64,
    /// SHA-256 of the bytes that left, in hex.
    pub sha256: String,
    /// Ids of the rules by which any could pass; none where everything is seen.
    pub policies: BTreeSet<String>,
    /// Whether it broke off: records and sum are of what left until then.
    pub cut: bool,
}

/// Writes down that somebody looked, before anything is shown.
pub trait Witness: Send + Sync {
    /// Writes it down, on disk when this returns.
    ///
    /// # Errors
    /// Why it could not be written; nothing is shown then.
    fn looked(&self, sight: Sight) -> Result<(), String>;

    /// Writes down that records left, on disk when this returns.
    ///
    /// # Errors
    /// Why it could not be written; then what left is told to be worth nothing.
    fn left(&self, departure: Departure) -> Result<(), String>;
}
