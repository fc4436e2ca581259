//! Who writes down that somebody looked.
//!
//! Findings of C&C servers rest on what subscribers did, however little of it is left in them. So every look at them is
//! an entry of a ledger, on the command line as on pages; a [`Witness`] makes it, and without one there is nothing to
//! see. The entry says who looked at what kind of thing and why, never at which address.

/// What kind of thing is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sight {
    /// The list of held findings.
    Findings,
    /// Everything told of one endpoint.
    Finding,
    /// What a list that leaves would name.
    List,
}

impl Sight {
    /// As the ledger says it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Findings => "held findings",
            Self::Finding => "one finding",
            Self::List => "the list to be shared",
        }
    }
}

/// Writes down that somebody looked, before anything is shown.
pub trait Witness: Send + Sync {
    /// Writes it down, on disk when this returns.
    ///
    /// # Errors
    /// Why it could not be written; nothing is shown then.
    fn looked(&self, sight: Sight) -> Result<(), String>;
}
