//! Ranges of objects, read in blocks that are kept for a while.
//!
//! Objects never change, so that a block once read stays right. The end of a file comes first, in one request that also
//! tells its size: there is the footer, and small files are there whole.
//! At a hundred times the data: at most [`MAX_KEPT_BYTES`] are kept, whatever is read.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of one block.
pub(super) const BLOCK_BYTES: u64 = 256 << 10;

/// The most bytes kept.
const MAX_KEPT_BYTES: usize = 64 << 20;

type Name = (std::sync::Arc<str>, u64);

/// Blocks read lately, the oldest dropped first.
#[derive(Debug, Default)]
pub(super) struct Blocks(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    blocks: HashMap<Name, Bytes>,
    order: VecDeque<Name>,
    bytes: usize,
}

impl Blocks {
    /// A block, if it was read lately.
    pub(super) fn get(&self, name: &Name) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).blocks.get(name).cloned()
    }

    /// A block that came wrong is kept no more.
    pub(super) fn forget(&self, name: &Name) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = kept.blocks.remove(name) {
            kept.bytes -= block.len();
            kept.order.retain(|one| one != name);
        }
    }

    /// Keeps a block for a while.
    pub(super) fn put(&self, name: Name, block: Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += block.len();
        if let Some(old) = kept.blocks.insert(name.clone(), block) {
            kept.bytes -= old.len();
        } else {
            kept.order.push_back(name);
        }
        while kept.bytes > MAX_KEPT_BYTES {
            let Some(oldest) = kept.order.pop_front() else { return };
            kept.bytes -= kept.blocks.remove(&oldest).map_or(0, |block| block.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_is_too_much() {
        let blocks = Blocks::default();
        let block = Bytes::from(vec![0; MAX_KEPT_BYTES / 4]);
        for at in 0..6 {
            blocks.put(("a".into(), at), block.clone());
            blocks.put(("a".into(), at), block.clone());
        }
        assert!(blocks.get(&("a".into(), 1)).is_none() && blocks.get(&("a".into(), 2)).is_some());
    }
}
