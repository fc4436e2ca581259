//! Tries to sign in, counted so that guessing is slow and nobody is locked out by another.
//!
//! A try is counted before it is judged, so that many at once are no way around. What is counted is a source, and an
//! account tried from one source; never an account by itself, which strangers could then close. A browser that signed in
//! before is counted by itself. Counts are forgotten after [`QUIET`] without a try.
//!
//! At a hundred times the data: at most [`MAX_ROWS`] rows, the oldest go first.

use std::time::Duration;

use hinomi_model::Timestamp;

use crate::accounts::Accounts;
use crate::database::Transaction;
use crate::error::StateError;
use crate::secret;

/// Counts are forgotten after so long without a try.
pub const QUIET: Duration = Duration::from_secs(60 * 60);
/// The most counts that are kept.
pub const MAX_ROWS: i64 = 100_000;

/// How many tries are free, and how long the wait grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// So many tries wait for nothing.
    pub free: u32,
    /// Each further one waits twice as long as the one before, from a second up to this.
    pub most: Duration,
}

/// An account from one source, or from one browser that signed in before.
pub const OF_ACCOUNT: Limit = Limit { free: 5, most: Duration::from_secs(15 * 60) };
/// A source, whatever account it tries.
pub const OF_SOURCE: Limit = Limit { free: 30, most: Duration::from_secs(60) };

impl Limit {
    fn wait(self, failures: i64) -> Duration {
        let beyond = failures - i64::from(self.free);
        match u32::try_from(beyond) {
            Ok(beyond) => Duration::from_secs(1 << beyond.min(30)).min(self.most),
            Err(_) => Duration::ZERO,
        }
    }
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    what: String,
    limit: Limit,
}

impl Counted {
    /// Of these words, of whatever length.
    pub fn new(kind: &str, words: &[&str], limit: Limit) -> Self {
        // A separator that none of them has.
        Self { what: format!("{kind}:{}", secret::hash(&words.join("\0"))), limit }
    }
}

impl Accounts {
    /// Counts a try that is about to be judged.
    ///
    /// Returns how long to wait when it may not be judged now; it is not counted then.
    ///
    /// # Errors
    /// When the state cannot be written: nothing is judged then.
    pub fn count_try(&self, counted: &[Counted], now: Timestamp) -> Result<Option<Duration>, StateError> {
        self.transact(|transaction| {
            prune(transaction, now)?;
            let mut longest = Duration::ZERO;
            for one in counted {
                let sql = "SELECT failures, last FROM attempts WHERE what = $1";
                let rows = transaction.query(sql, &[(&one.what).into()])?;
                if let Some(row) = rows.first() {
                    let until = Timestamp::from_micros(row.integer(1)?).plus(one.limit.wait(row.integer(0)?));
                    longest = longest.max(until.since(now));
                }
            }
            if longest > Duration::ZERO {
                return Ok(Some(longest));
            }
            for one in counted {
                let sql = "INSERT INTO attempts (what, failures, last) VALUES ($1, 1, $2) ON CONFLICT (what) DO UPDATE \
                     SET failures = attempts.failures + 1, last = excluded.last";
                transaction.execute(sql, &[(&one.what).into(), now.as_micros().into()])?;
            }
            Ok(None)
        })
    }

    /// The try was right: the account's count is forgotten, and the source's, where this try was counted there, goes back
    /// by one and no further, since who has one account of his own could otherwise try others for ever.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn forget_tries(&self, account: &Counted, source: Option<&Counted>) -> Result<(), StateError> {
        self.transact(|transaction| {
            transaction.execute("DELETE FROM attempts WHERE what = $1", &[(&account.what).into()])?;
            source.map_or(Ok(()), |source| take_back(transaction, source))
        })
    }

    /// A try that was counted for this alone was right: the count goes back by one.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn take_back_try(&self, counted: &Counted) -> Result<(), StateError> {
        self.transact(|transaction| take_back(transaction, counted))
    }

    /// A secret of the installation under this name, made at the first need.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn installation_secret(&self, name: &str) -> Result<String, StateError> {
        let made = secret::secret()?;
        self.transact(|transaction| {
            let values = [name.into(), (&made).into()];
            let sql = "INSERT INTO secrets (name, secret) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
            transaction.execute(sql, &values)?;
            let kept = transaction.one("SELECT secret FROM secrets WHERE name = $1", &[name.into()])?;
            kept.text(0).map(str::to_owned)
        })
    }
}

fn take_back(transaction: &mut Transaction<'_>, counted: &Counted) -> Result<(), StateError> {
    let back = "UPDATE attempts SET failures = failures - 1 WHERE what = $1 AND failures > 0";
    transaction.execute(back, &[(&counted.what).into()]).map(drop)
}

fn prune(transaction: &mut Transaction<'_>, now: Timestamp) -> Result<(), StateError> {
    transaction.execute("DELETE FROM attempts WHERE last < $1", &[now.minus(QUIET).as_micros().into()])?;
    let count = transaction.one("SELECT COUNT(*) FROM attempts", &[])?.integer(0)?;
    if count >= MAX_ROWS {
        let oldest = "DELETE FROM attempts WHERE what IN (SELECT what FROM attempts ORDER BY last LIMIT 1000)";
        transaction.execute(oldest, &[])?;
    }
    Ok(())
}
