//! What a file that was made of other files says of them, as tags of its `add` action.
//!
//! The index remembers which versions of a table it has seen. A rewritten file holds rows of many versions: its tag
//! names the
//! newest of them, so that an index that has seen that version passes over it, and one that has not reads it.
//! At a hundred times the data nothing changes here.

use std::collections::BTreeMap;

const NEWEST: &str = "hinomi.newest";
const LOOKS: &str = "hinomi.observations";

/// Where the rows of a rewritten file come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The newest version of the table that rows in it were committed with.
    pub(crate) newest: u64,
    /// Observations in it; a row may stand for several.
    pub(crate) looks: u64,
}

impl Origin {
    /// As the log states it.
    pub(crate) fn tags(&self) -> BTreeMap<String, Option<String>> {
        [(NEWEST, self.newest), (LOOKS, self.looks)]
            .into_iter()
            .map(|(name, number)| (name.to_owned(), Some(number.to_string())))
            .collect()
    }

    /// Out of the log; none for a file as it was appended.
    pub(crate) fn read(tags: Option<&BTreeMap<String, Option<String>>>) -> Option<Self> {
        let number = |name: &str| tags?.get(name)?.as_deref()?.parse().ok();
        Some(Self { newest: number(NEWEST)?, looks: number(LOOKS)? })
    }
}
