//! Tables whose keys come from outside, asked a million times a second.
//!
//! The hasher is keyed anew in every process (ahash), so that whoever chooses addresses and ports cannot choose the slots
//! that they fall into; it takes a fraction of the time of the standard library's.

use std::collections::{HashMap, HashSet};

/// A table with a fast keyed hasher.
pub(crate) type FastMap<K, V> = HashMap<K, V, ahash::RandomState>;

/// A set with the same.
pub(crate) type FastSet<K> = HashSet<K, ahash::RandomState>;
