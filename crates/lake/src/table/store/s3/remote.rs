//! Reading an open object by ranges.
//!
//! At a hundred times the data: see [`super::block`].

use std::sync::Arc;

use bytes::Bytes;

use super::block::BLOCK_BYTES;
use super::{MAX_RUN_BLOCKS, S3};
use crate::error::LakeError;
use crate::table::store::Store;

/// An open object of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(super) store: Arc<S3>,
    pub(super) name: Arc<str>,
    pub(super) bytes: u64,
    pub(super) end_from: u64,
    pub(super) end: Bytes,
}

impl Remote {
    /// Its size.
    pub(crate) const fn len(&self) -> u64 {
        self.bytes
    }

    /// Some bytes of it.
    pub(crate) fn get(&self, start: u64, length: usize) -> Result<Bytes, LakeError> {
        let beyond = start.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        let outside = || LakeError::damaged(self.store.place(&self.name).display().to_string(), "it ends too early");
        if beyond > self.bytes {
            return Err(outside());
        }
        if start >= self.end_from {
            let from = usize::try_from(start - self.end_from).map_err(|_| outside())?;
            return Ok(self.end.slice(from..from + length));
        }
        let mut all = Vec::with_capacity(length);
        let mut at = start;
        while at < beyond {
            let block = self.block(at / BLOCK_BYTES, beyond.div_ceil(BLOCK_BYTES))?;
            let from = usize::try_from(at % BLOCK_BYTES).map_err(|_| outside())?;
            let rest = block.get(from..).filter(|rest| !rest.is_empty()).ok_or_else(outside)?;
            let wanted = rest.len().min(length - all.len());
            all.extend_from_slice(rest.get(..wanted).unwrap_or_default());
            at = start + u64::try_from(all.len()).unwrap_or(u64::MAX);
        }
        Ok(all.into())
    }

    /// Some bytes of it, past everything that is at hand: those were not right.
    pub(crate) fn again(&self, start: u64, length: usize) -> Result<Bytes, LakeError> {
        let beyond = start.saturating_add(u64::try_from(length).unwrap_or(u64::MAX)).min(self.bytes);
        for number in start / BLOCK_BYTES..beyond.div_ceil(BLOCK_BYTES) {
            self.store.blocks.forget(&(self.name.clone(), number));
        }
        let mut all = Vec::with_capacity(length);
        let mut at = start;
        while at < beyond {
            let to = beyond.min(at + BLOCK_BYTES * MAX_RUN_BLOCKS);
            let (from, bytes, found) = self.store.range(&self.name, &format!("bytes={at}-{}", to - 1))?;
            if (from, bytes) != (at, self.bytes) || found.is_empty() {
                let place = self.store.place(&self.name).display().to_string();
                return Err(LakeError::damaged(place, "the store answered with another range"));
            }
            all.extend_from_slice(&found);
            at += u64::try_from(found.len()).unwrap_or(u64::MAX);
        }
        Ok(all.into())
    }

    /// One block; where it is not at hand, those that follow and are wanted are fetched with it.
    fn block(&self, number: u64, beyond: u64) -> Result<Bytes, LakeError> {
        let name = (self.name.clone(), number);
        if let Some(block) = self.store.blocks.get(&name) {
            return Ok(block);
        }
        let until = beyond.min(number + MAX_RUN_BLOCKS);
        let missing = |at: &u64| self.store.blocks.get(&(self.name.clone(), *at)).is_none();
        let count = (number..until).take_while(missing).count().max(1);
        let from = number * BLOCK_BYTES;
        let to = (from + u64::try_from(count).unwrap_or(1) * BLOCK_BYTES).min(self.bytes) - 1;
        let (start, bytes, found) = self.store.range(&self.name, &format!("bytes={from}-{to}"))?;
        if (start, bytes) != (from, self.bytes) {
            let place = self.store.place(&self.name).display().to_string();
            return Err(LakeError::damaged(place, "the store answered with another range"));
        }
        let size = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        for (at, part) in found.chunks(size).enumerate() {
            let number = number + u64::try_from(at).unwrap_or(0);
            // A copy, so that one block does not hold all that came with it.
            self.store.blocks.put((self.name.clone(), number), Bytes::copy_from_slice(part));
        }
        Ok(found.slice(..size.min(found.len())))
    }
}
