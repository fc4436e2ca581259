//! Whether the bytes of an index are those that were written: the sums of tantivy's files, and those of each record.
//!
//! At a hundred times the data: everything is read once.

use super::Index;
use super::folder::index_error;
use crate::error::LakeError;

impl Index {
    /// The files whose bytes changed, and what is wrong with them.
    pub(crate) fn damages(&self) -> Result<Vec<(String, String)>, LakeError> {
        let Some(generation) = self.generation() else { return Ok(Vec::new()) };
        let name = |file: &str| format!("index/{}/{file}", generation.number);
        let broken = generation.index.validate_checksum().map_err(index_error("read the index"))?;
        let tell = |file: &std::path::PathBuf| {
            (name(&format!("terms/{}", file.display())), "its bytes do not have their sum".to_owned())
        };
        let mut told: Vec<_> = broken.iter().map(tell).collect();
        if let Err(error) = generation.facts.check() {
            told.push((name("facts.bin"), error.to_string()));
        }
        Ok(told)
    }
}
