//! Bounded tables of what was scanned, flooded or reflected.

use std::collections::HashMap;
use std::hash::Hash;

use super::MAX_REMOVED;

/// The epochs in which full tables were looked through last.
#[derive(Default)]
pub(super) struct Swept {
    pub(super) scanned: u32,
    pub(super) flooded: u32,
    pub(super) backscatter: u32,
}

/// Whether something may be remembered of this key. A full table forgets what earlier epochs told of others, once an
/// epoch: looking through it at every flow would be slow.
pub(super) fn has_room<K: Eq + Hash, V>(
    marks: &mut HashMap<K, V>,
    key: &K,
    (epoch, swept): (u32, &mut u32),
    of: impl Fn(&V) -> u32,
) -> bool {
    if marks.len() < MAX_REMOVED || marks.contains_key(key) {
        return true;
    }
    if *swept < epoch {
        *swept = epoch;
        marks.retain(|_, mark| of(mark) >= epoch);
    }
    marks.len() < MAX_REMOVED
}
