//! Beside the objects: what became of what was given, and how far collections of others were read.

use hinomi_model::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};

use crate::database::Database;
use crate::error::StateError;
use crate::value::Value;

/// Statuses of one giver that are kept; TAXII asks for a day's, and nobody asks for thousands.
const KEPT_STATUSES: i64 = 1_000;
/// The longest status, in bytes.
const MAX_STATUS_BYTES: usize = 4 << 20;

impl Database {
    /// Keeps a status for whoever gave something; its id, which nobody can foresee, is handed to `write`.
    ///
    /// # Errors
    /// When it is too long, there is no randomness, or the database cannot be written.
    pub fn keep_status(
        &self,
        (giver, given_by): (&str, &str),
        now: Timestamp,
        write: impl Fn(&str) -> String,
    ) -> Result<String, StateError> {
        let id = random_uuid()?;
        let body = write(&id);
        if body.len() > MAX_STATUS_BYTES {
            return Err(StateError::refused(format!("a status has at most {MAX_STATUS_BYTES} bytes")));
        }
        let values: Vec<Value> =
            vec![(&id).into(), giver.into(), given_by.into(), now.as_micros().into(), (&body).into()];
        self.transact(|transaction| {
            let sql = "INSERT INTO object_statuses (id, giver, given_by, made, body) VALUES ($1, $2, $3, $4, $5)";
            transaction.execute(sql, &values)?;
            let tidy = "DELETE FROM object_statuses WHERE giver = $1 AND made < (SELECT MIN(made) FROM \
                        (SELECT made FROM object_statuses WHERE giver = $1 ORDER BY made DESC LIMIT $2) AS kept)";
            transaction.execute(tidy, &[giver.into(), KEPT_STATUSES.into()])?;
            Ok(())
        })?;
        Ok(body)
    }

    /// A status, for whoever gave what it is about and nobody else.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn status_of(&self, (giver, given_by): (&str, &str), id: &str) -> Result<Option<String>, StateError> {
        let sql = "SELECT body FROM object_statuses WHERE id = $1 AND giver = $2 AND given_by = $3";
        let values = [id.into(), giver.into(), given_by.into()];
        let rows = self.transact(|transaction| transaction.query(sql, &values))?;
        rows.first().map(|row| row.text(0).map(ToOwned::to_owned)).transpose()
    }

    /// Up to which moment a collection of somebody else's was read, as they told it.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn pulled_after(&self, source: &str) -> Result<Option<String>, StateError> {
        let sql = "SELECT after FROM object_pulls WHERE source = $1";
        let rows = self.transact(|transaction| transaction.query(sql, &[source.into()]))?;
        rows.first().map(|row| row.text(0).map(ToOwned::to_owned)).transpose()
    }

    /// Remembers it.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn keep_pulled(&self, source: &str, after: &str, now: Timestamp) -> Result<(), StateError> {
        let sql = "INSERT INTO object_pulls (source, after, pulled) VALUES ($1, $2, $3) \
                   ON CONFLICT (source) DO UPDATE SET after = $2, pulled = $3";
        let values = [source.into(), after.into(), now.as_micros().into()];
        self.transact(|transaction| transaction.execute(sql, &values).map(drop))
    }
}

/// A version 4 UUID (RFC 9562).
fn random_uuid() -> Result<String, StateError> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| StateError::refused("the system gives no random numbers"))?;
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{number:032x}");
    let part = |from: usize, upto: usize| hex.get(from..upto).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}
