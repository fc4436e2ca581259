//! Why the state could not do what was asked.

use std::fmt;

/// The errors of this shelf. What a user can mend says how.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The settings make no sense.
    #[error("{file}: {detail}")]
    Settings {
        /// Which file.
        file: String,
        /// What is wrong with it, and what to do.
        detail: String,
    },
    /// The database cannot be reached, or went away.
    #[error("the state database {place} cannot be reached: {why}; it is asked again at the next need")]
    Unreachable {
        /// Where it should be; never with a password.
        place: String,
        /// What was seen.
        why: String,
    },
    /// The connection went away while a change was being made final.
    #[error("the state database {place} went away while a change was made final ({why}); look whether it stands")]
    Unsure {
        /// Where it is.
        place: String,
        /// What was seen.
        why: String,
    },
    /// Others kept changing the same, or all connections stayed in use.
    #[error("the state database {place} is too busy: {why}; try again")]
    Busy {
        /// Where it is.
        place: String,
        /// With what.
        why: String,
    },
    /// The database refused a statement.
    #[error("the state database {place} refused: {why}")]
    Database {
        /// Where it is.
        place: String,
        /// What it said.
        why: String,
    },
    /// Written by a newer version.
    #[error("the state database {place} has schema {found}; this version knows up to {known}: use a newer hinomi")]
    TooNew {
        /// Where it is.
        place: String,
        /// Its schema.
        found: i64,
        /// What we know.
        known: i64,
    },
    /// Stored rows do not make sense.
    #[error("the state database holds what makes no sense: {detail}")]
    Damaged {
        /// What.
        detail: String,
    },
    /// Another server may write there.
    #[error(
        "{range} is written by server {holder}{address}, for {seconds} more seconds unless it goes on; tell it to that \
         server, or try again when it has ended"
    )]
    Held {
        /// Which range.
        range: String,
        /// Who holds it.
        holder: String,
        /// Where that one is, as ` at ADDRESS`; empty when it said nothing.
        address: String,
        /// Until its lease ends.
        seconds: u64,
    },
    /// What was asked for cannot be done.
    #[error("{detail}")]
    Refused {
        /// Why, and what to do.
        detail: String,
    },
}

impl StateError {
    pub(crate) fn damaged(detail: impl Into<String>) -> Self {
        Self::Damaged { detail: detail.into() }
    }

    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self::Refused { detail: detail.into() }
    }
}

/// What an engine says when it fails: how, and its words.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) why: String,
}

/// What may be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The connection is of no use any more.
    Lost,
    /// Others changed the same: the transaction may be done again.
    Conflict,
    /// The statement itself.
    Refused,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, why: impl fmt::Display) -> Self {
        Self { kind, why: why.to_string() }
    }
}
