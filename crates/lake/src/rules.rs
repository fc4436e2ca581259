//! Which facts other rules than those in use derived: facts know their age.
//!
//! At a hundred times the data: of the facts table what the footers say, or one column, which holds few different texts, is read at each start.

use crate::error::LakeError;
use crate::facts::FACTS;
use crate::lake::Lake;
use crate::table::columns::Columns;
use crate::table::{Rows, read};

impl Lake {
    /// How many distinct contents have facts that other rules derived than those in use. They stay as they are until
    /// [`Lake::identify_again`].
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn by_other_rules(&self) -> Result<u64, LakeError> {
        let table = &self.knowledge.keyed.table;
        let revision = self.knowledge.revision();
        let mut count = 0_u64;
        for file in table.files(|_| true) {
            read::read(&table.path(&file), &["rules"], Rows::All, &mut |batch| {
                let columns = Columns::new(FACTS.name, batch);
                let other = columns.texts("rules")?.iter().filter(|rules| *rules != Some(revision)).count();
                count += u64::try_from(other).unwrap_or(u64::MAX);
                Ok(())
            })?;
        }
        Ok(count)
    }
}
