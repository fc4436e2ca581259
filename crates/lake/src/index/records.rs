//! What distinct evidence says, as read from `facts.bin`, kept for the next one who asks.
//!
//! Many services say the same, and a page shows many services: each record is read, checked and understood once. Two
//! halves of at most [`HALF_BYTES`]: when the younger one is full the older one goes, so that what is asked for again
//! stays.

use std::sync::{Arc, Mutex, PoisonError};

use super::facts::{FactsFile, Told};
use super::mix::ByNumber;
use crate::error::LakeError;

/// Memory for records of each half, about.
const HALF_BYTES: usize = 32 * 1024 * 1024;
/// What a record takes besides its texts.
const RECORD_BYTES: usize = 1_024;

/// The records of a generation.
pub(super) struct Records {
    file: Arc<FactsFile>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    young: ByNumber<Arc<Told>>,
    old: ByNumber<Arc<Told>>,
    young_bytes: usize,
}

impl Records {
    pub(super) fn new(file: Arc<FactsFile>) -> Self {
        Self { file, kept: Mutex::default() }
    }

    /// What the record at an offset tells.
    pub(super) fn read(&self, offset: u64) -> Result<Arc<Told>, LakeError> {
        if let Some(told) = self.find(offset) {
            return Ok(told);
        }
        let told = Arc::new(self.file.read(offset)?);
        self.lock().keep(offset, Arc::clone(&told));
        Ok(told)
    }

    fn find(&self, offset: u64) -> Option<Arc<Told>> {
        let mut kept = self.lock();
        if let Some(told) = kept.young.get(&offset) {
            return Some(Arc::clone(told));
        }
        let told = kept.old.remove(&offset)?;
        kept.keep(offset, Arc::clone(&told));
        Some(told)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, offset: u64, told: Arc<Told>) {
        self.young_bytes += bytes_of(&told);
        if self.young_bytes > HALF_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = bytes_of(&told);
        }
        self.young.insert(offset, told);
    }
}

/// About how much memory a record takes.
fn bytes_of(told: &Told) -> usize {
    let facts = &told.facts;
    let one = [&facts.vendor, &facts.product, &facts.version, &facts.model, &facts.firmware, &facts.os, &facts.title];
    let one = one.into_iter().chain([&facts.summary]).flatten().map(String::len).sum::<usize>();
    let many = facts.cpe.iter().chain(&facts.tags).map(|text| text.len() + 24).sum::<usize>();
    let certificate = facts.certificate.as_ref().map_or(0, |certificate| {
        let names = certificate.names.iter().map(|name| name.len() + 24).sum::<usize>();
        certificate.subject.len() + certificate.issuer.len() + names + 256
    });
    let crypto = facts.crypto.as_ref().map_or(0, |_| 1_024);
    RECORD_BYTES + one + many + certificate + crypto + told.evidence.len() * 64
}
