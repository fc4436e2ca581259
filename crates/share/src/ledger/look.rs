//! Looks as entries: the [`Witness`] that writes into the ledger.

use std::sync::Arc;

use super::{Actor, Event, Log, sha256_hex};
use crate::witness::{Departure, Sight, Witness};

/// Writes the looks of one viewer into the ledger.
#[derive(Clone, Debug)]
pub struct LookLog {
    log: Arc<Log>,
    by: Actor,
}

impl LookLog {
    /// For this viewer.
    pub const fn new(log: Arc<Log>, by: Actor) -> Self {
        Self { log, by }
    }

    /// Writes down a look at a kind of thing by a question, which itself is not kept.
    ///
    /// # Errors
    /// Why it could not be written; nothing is shown then.
    pub fn asked(&self, what: &str, question: &[u8]) -> Result<u64, String> {
        self.write(what, Some(sha256_hex(question)))
    }

    fn write(&self, what: &str, question: Option<String>) -> Result<u64, String> {
        let event = Event::Look { by: self.by.clone(), what: what.to_owned(), question };
        self.log.append(event).map_err(|error| error.to_string())
    }
}

impl Witness for LookLog {
    fn looked(&self, sight: Sight) -> Result<(), String> {
        let question = match &sight {
            Sight::Records(look) => Some(sha256_hex(look.asked.as_bytes())),
            _ => None,
        };
        self.write(sight.words(), question).map(drop)
    }

    fn left(&self, departure: Departure) -> Result<(), String> {
        let Departure { format, records, sha256, policies, cut } = departure;
        let event = Event::Export { by: self.by.clone(), format, records, sha256, policies, cut };
        self.log.append(event).map(drop).map_err(|error| error.to_string())
    }
}
