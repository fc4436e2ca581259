//! One text of SQL for both engines.
//!
//! Statements are written for PostgreSQL with these words, which each engine puts its own in place of: `{now}`
//! (microseconds since 1970 by the database's clock), `{serial}` (a key that counts up by itself), `{bytes}` (the type of
//! bytes), `{has_schema}` (1 where the table of schema steps is there, or 0). Parameters are `$1`, `$2` and so on. Types of columns are `BIGINT`, `TEXT` and `{bytes}` only, so that both
//! engines agree on what a value is.

/// What an engine calls things.
#[derive(Debug)]
pub(crate) struct Dialect {
    pub(crate) now: &'static str,
    pub(crate) serial: &'static str,
    pub(crate) bytes: &'static str,
    pub(crate) has_schema: &'static str,
    /// What stands before the number of a parameter.
    pub(crate) parameter: char,
}

impl Dialect {
    /// The statement in this engine's words.
    pub(crate) fn say(&self, sql: &str) -> String {
        let said = sql.replace("{now}", self.now).replace("{serial}", self.serial).replace("{bytes}", self.bytes);
        let said = said.replace("{has_schema}", self.has_schema);
        said.replace('$', self.parameter.encode_utf8(&mut [0; 4]))
    }
}
