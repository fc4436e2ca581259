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

pub(crate) mod admit;
mod caller;
pub(crate) mod cookie;
mod credentials;
pub(crate) mod entry;
pub(crate) mod form;
pub(crate) mod passkey;
pub(crate) mod password;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use hinomi_state::{Accounts, StateError};
use tokio::sync::Semaphore;

pub(crate) use caller::{By, Caller, Known};

use crate::app::App;
use crate::limits::{MAX_HASHES, MAX_STATE_ASKS, TURN_WAIT};
use crate::page::fault::Fault;

/// Turns at what costs: hashing, and asking the state.
pub(crate) struct Turns {
    hashes: Arc<Semaphore>,
    asks: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { hashes: Arc::new(Semaphore::new(MAX_HASHES)), asks: Arc::new(Semaphore::new(MAX_STATE_ASKS)) }
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

/// The caller of a request that passed the guard.
pub(crate) fn caller(parts: &Parts) -> Result<Caller, Fault> {
    parts.extensions.get().cloned().ok_or_else(|| Fault::new(StatusCode::UNAUTHORIZED, "sign-in"))
}
