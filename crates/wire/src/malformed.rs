//! Why bytes could not be read.

/// A codec's refusal. `at` is the offset in the input where reading stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The input ends before the part that should be there.
    #[error("truncated: {what} expected at byte {at}")]
    Truncated {
        /// The part.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// The input is not this protocol, or breaks its rules.
    #[error("invalid {what} at byte {at}")]
    Invalid {
        /// The part.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// A part is larger or more numerous than we are willing to read.
    #[error("{what} at byte {at} is more than the {limit} we read")]
    TooMuch {
        /// The part.
        what: &'static str,
        /// Where.
        at: usize,
        /// The named bound.
        limit: usize,
    },
}
