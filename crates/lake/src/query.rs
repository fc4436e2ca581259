//! The query language.

/// A query that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {at})")]
pub struct QueryError {
    /// Offset of the offending character, counted in characters from 0.
    pub at: usize,
    /// How many characters are concerned.
    pub len: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}
