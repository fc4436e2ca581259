//! What was done to the register of organisations, as entries: whichever way it was done.
//!
//! The register keeps a history of its own. The ledger takes it in, each change once whichever server does, when it is
//! opened and before each checkpoint: what a checkpoint was signed over can be changed in neither without being noticed.
//! An entry tells who, of whom, what in a word, and the sum of the whole change; its details stay in the register.

use hinomi_state::ledger::NewLedgerEntry;
use hinomi_state::organisations::{Event as Change, EventsOf};

use super::hash::{Sha256, sha256_hex};
use super::{Actor, Entry, Event, LedgerError, Log, key};

/// Changes that are taken in as one step.
const CHANGES_AT_ONCE: u32 = 256;
/// Steps of one taking in: what is left then comes with the next.
const MAX_STEPS: usize = 4_096;

impl Log {
    /// Takes in what was done to the register since; tells how many changes.
    ///
    /// # Errors
    /// When the register cannot be read, or the entries cannot be written.
    pub fn take_in_register(&self) -> Result<u64, LedgerError> {
        let mut taken = 0;
        for _ in 0..MAX_STEPS {
            let after = self.database.ledger_register()?;
            let of = EventsOf { after, limit: CHANGES_AT_ONCE, ..EventsOf::default() };
            let changes = self.database.register_events(&of)?;
            let Some(last) = changes.last() else { break };
            let entries: Vec<NewLedgerEntry> = changes.iter().map(|one| self.told(one)).collect::<Result<_, _>>()?;
            // Another server may have been faster: then there is less left, or nothing.
            if self.database.ledger_append_register::<Sha256>(&entries, (after, last.number))? {
                taken += entries.len() as u64;
            }
        }
        Ok(taken)
    }

    fn told(&self, change: &Change) -> Result<NewLedgerEntry, LedgerError> {
        let event = Event::Ownership {
            by: Actor { name: change.by.clone(), ..Actor::default() },
            organisation: change.organisation.clone().unwrap_or_default(),
            subject: change.claim.map_or_else(|| "register".to_owned(), |claim| format!("claim {claim}")),
            change: change.action.clone(),
            reason: Some(format!("change {} of the register, SHA-256 {}", change.number, sum(change))),
        };
        let (time, kind) = (self.clock.now(), event.kind().to_owned());
        Ok(NewLedgerEntry { time, kind, data: Entry::new(event, time, key::random()?).to_bytes()? })
    }
}

/// The sum of a change: of its parts, each after its length.
pub fn sum(change: &Change) -> String {
    let Change { number, time, by, organisation, claim, action, detail } = change;
    let claim = claim.map(|claim| claim.to_string()).unwrap_or_default();
    let organisation = organisation.clone().unwrap_or_default();
    let (number, time) = (number.to_string(), time.as_micros().to_string());
    let mut parts = Vec::new();
    for part in [&number, &time, by, &organisation, &claim, action, detail] {
        parts.extend_from_slice(format!("{}:", part.len()).as_bytes());
        parts.extend_from_slice(part.as_bytes());
    }
    sha256_hex(&parts)
}
