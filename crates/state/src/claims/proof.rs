//! Proofs that a machine looks for: leave to look, and what was seen.
//!
//! Looking is asked for first and counted, so that nobody makes this installation ask others without end. What was seen
//! counts only for the token that was looked for.

use std::time::Duration;

use super::decide::{Settlement, entry, settle, usual_end};
use super::{Claim, Method, Settled, find};
use crate::database::Database;
use crate::error::StateError;
use crate::organisations::Deed;
use crate::organisations::book::note;

/// How often a proof of one claim is looked for in a day.
pub const MAX_CHECKS_A_DAY: i64 = 50;
const DAY: Duration = Duration::from_secs(86_400);

impl Database {
    /// Leave to look for the proof of a claim, which is counted.
    ///
    /// # Errors
    /// When there is no token or it is over, it was looked for too often, or the database cannot be asked.
    pub fn begin_check(&self, deed: Deed<'_>, number: i64, method: Method) -> Result<Claim, StateError> {
        self.transact(|transaction| {
            let claim = find(transaction, number)?;
            let Some(token) = &claim.token else {
                return Err(StateError::refused(format!(
                    "claim {number} is {}, and nothing is open: ask for it anew",
                    claim.word(deed.now)
                )));
            };
            if token.until <= deed.now {
                return Err(StateError::refused(format!(
                    "the token of claim {number} ended {}: ask for the claim again, and show the new one",
                    token.until
                )));
            }
            let asked = "SELECT checks, first_check FROM claims WHERE number = $1";
            let row = transaction.one(asked, &[number.into()])?;
            let (now, first) = (deed.now.as_micros(), row.integer(1)?);
            let fresh = deed.now.since(hinomi_model::Timestamp::from_micros(first)) >= DAY;
            let checks = if fresh { 0 } else { row.integer(0)? };
            if checks >= MAX_CHECKS_A_DAY {
                return Err(StateError::refused(format!(
                    "claim {number} was looked at {MAX_CHECKS_A_DAY} times within a day: try again tomorrow"
                )));
            }
            let sql = "UPDATE claims SET checks = $1, first_check = $2 WHERE number = $3";
            let first = if fresh { now } else { first };
            transaction.execute(sql, &[(checks + 1).into(), first.into(), number.into()])?;
            let detail = format!("{} by {method}", claim.subject);
            note(transaction, deed, &entry(&claim, "proof looked for", detail))?;
            Ok(claim)
        })
    }

    /// Writes down that a proof was not there.
    ///
    /// # Errors
    /// When the claim is not there, or the database cannot be asked.
    pub fn proof_missing(&self, deed: Deed<'_>, number: i64, why: &str) -> Result<(), StateError> {
        self.transact(|transaction| {
            let claim = find(transaction, number)?;
            note(transaction, deed, &entry(&claim, "proof not found", format!("{}: {why}", claim.subject)))
        })
    }

    /// The token of a claim was seen where only its holder can put it.
    ///
    /// # Errors
    /// When another token stands now, the claim cannot be settled so, or the database cannot be asked.
    pub fn proof_seen(
        &self,
        deed: Deed<'_>,
        number: i64,
        (method, token): (Method, &str),
        seen: &str,
    ) -> Result<Settled, StateError> {
        self.transact(|transaction| {
            let claim = find(transaction, number)?;
            let shown = claim.token.as_ref().filter(|open| open.until > deed.now && open.text == token);
            if shown.is_none() {
                return Err(StateError::refused(format!("the token of claim {number} is not the one that was seen")));
            }
            let until = usual_end(deed.now, None);
            let settlement = Settlement { method, from: None, until, instead: false, detail: seen.to_owned() };
            settle(transaction, deed, &claim, &settlement)
        })
    }
}
