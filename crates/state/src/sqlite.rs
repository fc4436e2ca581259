//! State in a file of this machine.
//!
//! Specification: <https://www.sqlite.org/lang.html>. A write-ahead log, synced at each commit; one writer at a time, others
//! wait for [`PATIENCE`]. At a hundred times the data nothing changes here.

use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};

use crate::database::{MAX_ROWS, PATIENCE, Session};
use crate::dialect::Dialect;
use crate::error::{Fault, FaultKind};
use crate::value::{Row, Value};

const DIALECT: Dialect = Dialect {
    // Milliseconds are what this clock has; a lease is seconds long.
    now: "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000",
    serial: "INTEGER PRIMARY KEY AUTOINCREMENT",
    bytes: "BLOB",
    has_schema: "EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'hinomi_schema')",
    parameter: '?',
};

/// An open file.
pub(crate) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    made: Option<(u64, u64)>,
}

impl Sqlite {
    /// Opens the file, making it when it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        // Links in the path are resolved first: only the file itself must be none.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|error| Fault::new(FaultKind::Lost, error))?;
        let whole = folder.join(path.file_name().unwrap_or_default());
        let connection = Connection::open_with_flags(&whole, flags).map_err(fault)?;
        connection.busy_timeout(PATIENCE).map_err(fault)?;
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";
        connection.execute_batch(settings).map_err(fault)?;
        let made = identity(&whole);
        Ok(Self { connection, path: whole, made })
    }
}

/// Which file it is, where the system tells.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|_| (0, 0))
}

impl Session for Sqlite {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn begin(&mut self) -> Result<(), Fault> {
        // A file that was put away and made anew is another database.
        if identity(&self.path) != self.made {
            return Err(Fault::new(FaultKind::Lost, "the file is not the one that was opened"));
        }
        self.batch("BEGIN IMMEDIATE")
    }

    fn lock_schema(&mut self) -> Result<(), Fault> {
        // A transaction that began to write has the file to itself.
        Ok(())
    }

    fn unlock_schema(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn batch(&mut self, sql: &str) -> Result<(), Fault> {
        self.connection.execute_batch(sql).map_err(fault)
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault> {
        let mut statement = self.connection.prepare(sql).map_err(fault)?;
        let changed = statement.execute(rusqlite::params_from_iter(values)).map_err(fault)?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        let mut statement = self.connection.prepare(sql).map_err(fault)?;
        let columns = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(fault)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(fault)? {
            if found.len() >= MAX_ROWS {
                return Err(Fault::new(FaultKind::Refused, format!("the answer has more than {MAX_ROWS} rows")));
            }
            let values = (0..columns).map(|at| row.get_ref(at).map_err(fault).and_then(value));
            found.push(Row(values.collect::<Result<_, _>>()?));
        }
        Ok(found)
    }

    fn is_usable(&mut self) -> bool {
        self.connection.is_autocommit()
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(found: ValueRef<'_>) -> Result<Value, Fault> {
    let refuse = |why: &str| Err(Fault::new(FaultKind::Refused, why));
    match found {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(number) => Ok(Value::Integer(number)),
        ValueRef::Real(_) => refuse("a column holds a fraction, and none should"),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(_) => refuse("a text is not UTF-8"),
        },
        ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
    }
}

fn fault(error: rusqlite::Error) -> Fault {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => FaultKind::Conflict,
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => FaultKind::Lost,
        _ => FaultKind::Refused,
    };
    Fault::new(kind, error)
}
