//! Who asks, and whether they may.
//!
//! ```text
//!   request -> guard -> admit: nobody has an account -> Caller::Operator   (loopback only)
//!                              session cookie | API key -> Caller::Person  (state: sessions, keys)
//!                              else             -> public pages, or 401 / the sign-in page
//!   handler -> read::Desk, which asks [`caller`] as whom the lake is read
//! ```
//!
//! What is not named as public is closed. Nothing is remembered here between requests but that accounts exist: a session
//! that was ended, a key that was revoked, an account that was closed opens nothing from the next request on.

mod acting;
pub(crate) mod admit;
pub(crate) mod again;
mod caller;
pub(crate) mod cookie;
mod credentials;
pub(crate) mod entry;
pub(crate) mod form;
pub(crate) mod oidc;
pub(crate) mod passkey;
pub(crate) mod password;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use hinomi_model::Clock;
use hinomi_state::{Accounts, StateError};
use tokio::sync::Semaphore;

pub(crate) use acting::{Acting, acting};
pub(crate) use caller::{By, Caller, Known};

use crate::app::App;
use crate::limits::{MAX_CALLS, MAX_HASHES, MAX_STATE_ASKS, TURN_WAIT};
use crate::page::fault::Fault;

/// Turns at what costs: hashing, asking the state, and asking others.
pub(crate) struct Turns {
    hashes: Arc<Semaphore>,
    asks: Arc<Semaphore>,
    calls: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        let turns = |most: usize| Arc::new(Semaphore::new(most));
        Self { hashes: turns(MAX_HASHES), asks: turns(MAX_STATE_ASKS), calls: turns(MAX_CALLS) }
    }
}

/// Asks the state, off the asynchronous threads.
pub(crate) async fn ask<T, F>(app: &App, question: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce(&Accounts) -> Result<T, StateError> + Send + 'static,
{
    let accounts = app.accounts.clone();
    in_turn(&app.turns.asks, move || question(&accounts)).await?.map_err(Fault::from)
}

/// Does what takes memory and time, a few at once.
pub(crate) async fn hash<T, F>(app: &App, work: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    in_turn(&app.turns.hashes, work).await
}

/// Asks somebody else, who may be slow.
pub(crate) async fn outside<T, F>(app: &App, work: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    in_turn(&app.turns.calls, work).await
}

async fn in_turn<T, F>(turns: &Arc<Semaphore>, work: F) -> Result<T, Fault>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let busy = || Fault::new(StatusCode::SERVICE_UNAVAILABLE, "busy");
    let turn = tokio::time::timeout(TURN_WAIT, Arc::clone(turns).acquire_owned()).await;
    let turn = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(|_| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal"))
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Refused { detail } => Self::new(StatusCode::BAD_REQUEST, "refused").because(&detail),
            StateError::Busy { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy"),
            other => {
                tracing::error!(error = %other, "the state could not be asked");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "state")
            }
        }
    }
}

/// What let a request in, to be looked at again. Blocks.
#[derive(Clone)]
pub(crate) struct Pass {
    caller: Caller,
    accounts: Accounts,
    clock: Arc<dyn Clock>,
}

impl Pass {
    pub(crate) fn new(app: &App, caller: Caller) -> Self {
        Self { caller, accounts: app.accounts.clone(), clock: Arc::clone(&app.clock) }
    }

    /// Whether the caller would be let in now, as the same. What cannot be asked does not hold.
    pub(crate) fn holds(&self) -> bool {
        match &self.caller {
            Caller::Operator => self.accounts.exist().is_ok_and(|exist| !exist),
            Caller::Person(known) => self.still(known).unwrap_or(false),
        }
    }

    fn still(&self, known: &Known) -> Result<bool, StateError> {
        let (person, now) = (&known.person, self.clock.now());
        if self.accounts.person_by_id(&person.id)?.as_ref() != Some(person) {
            return Ok(false);
        }
        Ok(match &known.by {
            By::Session { id, .. } => self.accounts.sessions(&person.id, now)?.iter().any(|one| one.id == *id),
            By::Key { id, .. } => {
                let holds = |key: &hinomi_state::ApiKey| key.id == *id && key.revoked.is_none() && now < key.expires;
                self.accounts.keys(&person.id)?.iter().any(holds)
            }
        })
    }
}

/// The caller of a request that passed the guard.
pub(crate) fn caller(parts: &Parts) -> Result<Caller, Fault> {
    parts.extensions.get().cloned().ok_or_else(|| Fault::new(StatusCode::UNAUTHORIZED, "sign-in"))
}
