//! The schema, in numbered steps that are never changed.
//!
//! Each step is a file of `migrations/`; all that are missing are applied in one transaction, by one process at a time. A
//! database with more steps than this program knows is refused. At a hundred times the data nothing changes here.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::ranges::{self, Cut};

/// Every step, the first first.
const STEPS: &[&str] = &[
    include_str!("../migrations/0001-servers.sql"),
    include_str!("../migrations/0002-organisations.sql"),
    include_str!("../migrations/0003-people.sql"),
    include_str!("../migrations/0004-ledger.sql"),
    include_str!("../migrations/0005-alerts.sql"),
    include_str!("../migrations/0006-notices.sql"),
    include_str!("../migrations/0007-objects.sql"),
    include_str!("../migrations/0008-providers.sql"),
    include_str!("../migrations/0009-members.sql"),
    include_str!("../migrations/0010-deeds.sql"),
    include_str!("../migrations/0011-groups.sql"),
    include_str!("../migrations/0012-named.sql"),
    include_str!("../migrations/0013-ids.sql"),
    include_str!("../migrations/0014-account-mail.sql"),
];

/// Brings the schema to what this program knows.
pub(crate) fn bring_up(database: &Database) -> Result<(), StateError> {
    let place = database.place().to_owned();
    database.transact_schema(|transaction| {
        apply(transaction, &place, STEPS)?;
        settle(transaction)
    })
}

fn apply(transaction: &mut Transaction<'_>, place: &str, steps: &[&str]) -> Result<(), StateError> {
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    // Asked first: a role that may only read and write rows may not say CREATE, even of what is there.
    if transaction.one("SELECT {has_schema}", &[])?.integer(0)? == 0 {
        transaction.batch("CREATE TABLE hinomi_schema (step BIGINT PRIMARY KEY, applied BIGINT NOT NULL)")?;
    }
    let found = transaction.one("SELECT COALESCE(MAX(step), 0) FROM hinomi_schema", &[])?.integer(0)?;
    if found > known {
        return Err(StateError::TooNew { place: place.to_owned(), found, known });
    }
    for (number, step) in (1_i64..).zip(steps).filter(|(number, _)| *number > found) {
        transaction.batch(step)?;
        transaction.execute("INSERT INTO hinomi_schema (step, applied) VALUES ($1, {now})", &[number.into()])?;
    }
    Ok(())
}

/// Gives the installation its name and its one range, once.
fn settle(transaction: &mut Transaction<'_>) -> Result<(), StateError> {
    if !transaction.query("SELECT id FROM installation", &[])?.is_empty() {
        return Ok(());
    }
    let id = format!("{:016x}{:016x}", random(), random());
    let made = "INSERT INTO installation (only_one, id, cut, epoch) VALUES (1, $1, 0, 0)";
    transaction.execute(made, &[(&id).into()])?;
    ranges::replace(transaction, &Cut::whole())
}

/// A number that nobody can foresee: the keys of this hasher are the system's own randomness.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
