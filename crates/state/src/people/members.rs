//! For whom people act, and did.

use super::{Role, account_name, existing};
use crate::accounts::Accounts;
use crate::deeds::{note, note_unchanged};
use crate::error::StateError;
use crate::value::Value;

/// Organisations that one statement asks for.
const MEMBERS_A_STATEMENT: usize = 64;
/// The most organisations that one person acts for.
const MAX_MEMBERSHIPS: i64 = 10_000;

impl Accounts {
    /// Names of accounts that act for one of these organisations or did before, at most so many.
    ///
    /// # Errors
    /// When the state cannot be asked.
    pub fn members_of(&self, organisations: &[String], most: usize) -> Result<Vec<String>, StateError> {
        let mut names = std::collections::BTreeSet::new();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        for some in organisations.chunks(MEMBERS_A_STATEMENT) {
            let places: Vec<String> = (2..some.len() + 2).map(|place| format!("${place}")).collect();
            let sql = format!(
                "SELECT p.name FROM people p JOIN memberships m ON m.person = p.id WHERE m.organisation IN ({named}) \
                 UNION SELECT p.name FROM people p JOIN former_members m ON m.person = p.id \
                 WHERE m.organisation IN ({named}) ORDER BY 1 LIMIT $1",
                named = places.join(", ")
            );
            let values: Vec<Value> = std::iter::once(most.into()).chain(some.iter().map(Value::from)).collect();
            let rows = self.transact(|transaction| transaction.query(&sql, &values))?;
            for row in &rows {
                names.insert(row.text(0)?.to_owned());
            }
        }
        Ok(names.into_iter().take(usize::try_from(most).unwrap_or(usize::MAX)).collect())
    }

    /// Makes somebody a member of an organisation, in this role; none takes the membership away.
    ///
    /// # Errors
    /// When there is no such account, or the state cannot be written.
    pub fn set_role(&self, name: &str, organisation: &str, role: Option<Role>) -> Result<(), StateError> {
        let name = account_name(name)?;
        self.transact(|transaction| {
            let person = existing(transaction, &name)?;
            let values = [(&person.id).into(), organisation.into()];
            let ended = "DELETE FROM memberships WHERE person = $1 AND organisation = $2";
            if transaction.execute(ended, &values)? > 0 && role.is_none() {
                let sql = "INSERT INTO former_members (person, organisation) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                transaction.execute(sql, &values)?;
            }
            let detail = format!("{} of {organisation}", role.map_or("nothing", Role::name));
            let was = person.memberships.iter().find(|one| one.organisation == organisation).map(|one| one.role);
            let write = if was == role { note_unchanged } else { note };
            write(transaction, self.actor(), &name, ("role-set", &detail))?;
            let Some(role) = role else { return Ok(()) };
            let of = "SELECT COUNT(*) FROM memberships WHERE person = $1";
            if transaction.one(of, &[(&person.id).into()])?.integer(0)? >= MAX_MEMBERSHIPS {
                return Err(StateError::refused(format!(
                    "one person acts for at most {MAX_MEMBERSHIPS} organisations"
                )));
            }
            let there = "SELECT id FROM organisations WHERE id = $1";
            if transaction.query(there, &[organisation.into()])?.is_empty() {
                return Err(StateError::refused(format!("there is no organisation {organisation:?}")));
            }
            let sql = "INSERT INTO memberships (person, organisation, role) VALUES ($1, $2, $3)";
            transaction.execute(sql, &[(&person.id).into(), organisation.into(), role.name().into()]).map(drop)
        })
    }
}
