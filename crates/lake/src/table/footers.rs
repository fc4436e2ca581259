//! Footers and page indexes of data files, kept from look to look: of a large file, reading them takes longer than reading
//! what stands at one address.
//!
//! A data file never changes and its name is used once, so what was read of it stays true; a footer is compared with its
//! sum when it is read, pages whenever they are. At a hundred times the data: [`MAX_BYTES`] in all, the longest unused goes
//! first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;

/// The most memory for all of them, in bytes.
const MAX_BYTES: usize = 64 << 20;
/// What the schema of one takes besides.
const SCHEMA_BYTES: usize = 16 << 10;

/// Those of the files of a lake.
#[derive(Clone, Debug, Default)]
pub(super) struct Footers(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    by_name: HashMap<String, One>,
    bytes: usize,
    /// Grows with each use.
    clock: u64,
}

#[derive(Debug)]
struct One {
    footer: ArrowReaderMetadata,
    bytes: usize,
    used: u64,
}

impl Footers {
    /// The footer of this object; read where it is not kept.
    pub(super) fn of<E>(
        &self,
        name: &str,
        read: impl FnOnce() -> Result<ArrowReaderMetadata, E>,
    ) -> Result<ArrowReaderMetadata, E> {
        if let Some(known) = self.lock().get(name) {
            return Ok(known);
        }
        let footer = read()?;
        self.lock().put(name, footer.clone());
        Ok(footer)
    }

    /// Forgets all of them: bounds and values of rows that were erased stand in some.
    pub(super) fn forget(&self) {
        *self.lock() = Kept::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn get(&mut self, name: &str) -> Option<ArrowReaderMetadata> {
        self.clock += 1;
        let one = self.by_name.get_mut(name)?;
        one.used = self.clock;
        Some(one.footer.clone())
    }

    fn put(&mut self, name: &str, footer: ArrowReaderMetadata) {
        let bytes = footer.metadata().memory_size() + SCHEMA_BYTES;
        if bytes > MAX_BYTES {
            return;
        }
        while self.bytes + bytes > MAX_BYTES {
            let oldest = self.by_name.iter().min_by_key(|(_, one)| one.used).map(|(name, _)| name.clone());
            let Some(gone) = oldest.and_then(|name| self.by_name.remove(&name)) else { return };
            self.bytes -= gone.bytes;
        }
        let used = self.clock;
        if let Some(before) = self.by_name.insert(name.to_owned(), One { footer, bytes, used }) {
            self.bytes -= before.bytes;
        }
        self.bytes += bytes;
    }
}
