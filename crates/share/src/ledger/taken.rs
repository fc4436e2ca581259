//! Histories that others fill, as entries: what was done to the register and to accounts.
//!
//! Each has rows of its own that are only added to, by whoever changes something, in the same transaction. The ledger takes
//! them in by number, once each, with the sum of all that a row says: no way of changing can forget to tell the ledger, and
//! a history that is rewritten later does not fit its entries any more.

use hinomi_state::StateError;
use hinomi_state::deeds::AccountEvent;
use hinomi_state::ledger::{NewLedgerEntry, Taken};
use hinomi_state::organisations::{Event as Change, EventsOf};

use super::hash::{Sha256, sha256_hex};
use super::{Actor, Event, LedgerError, Log};

/// Changes that are taken in as one step.
const CHANGES_AT_ONCE: u32 = 256;
/// Steps of one taking in: what is left then comes with the next.
const MAX_STEPS: usize = 4_096;

impl Log {
    /// Takes in what was done to the register and to accounts since; tells how many changes.
    ///
    /// # Errors
    /// When a history cannot be read, or the entries cannot be written.
    pub fn take_in(&self) -> Result<u64, LedgerError> {
        let register = |after| {
            let of = EventsOf { after, limit: CHANGES_AT_ONCE, ..EventsOf::default() };
            let changes = self.database.register_events(&of)?;
            Ok(changes.iter().map(|change| (change.number, of_register(change))).collect())
        };
        let accounts = |after| {
            let changes = self.database.account_events(after, CHANGES_AT_ONCE)?;
            Ok(changes.iter().map(|change| (change.number, of_account(change))).collect())
        };
        Ok(self.take_in_from(Taken::Register, &register)? + self.take_in_from(Taken::Accounts, &accounts)?)
    }

    fn take_in_from(
        &self,
        history: Taken,
        read: &dyn Fn(i64) -> Result<Vec<(i64, Event)>, StateError>,
    ) -> Result<u64, LedgerError> {
        let mut taken = 0;
        for _ in 0..MAX_STEPS {
            let after = self.database.ledger_taken(history)?;
            let changes = read(after)?;
            let Some(last) = changes.last().map(|(number, _)| *number) else { break };
            let entries: Vec<NewLedgerEntry> =
                changes.into_iter().map(|(_, event)| self.entry(event)).collect::<Result<_, _>>()?;
            // Another server may have been faster: then there is less left, or nothing.
            if self.database.ledger_append_taken::<Sha256>(history, &entries, (after, last))? {
                taken += entries.len() as u64;
            }
        }
        Ok(taken)
    }
}

fn of_register(change: &Change) -> Event {
    Event::Ownership {
        by: Actor { name: change.by.clone(), ..Actor::default() },
        organisation: change.organisation.clone().unwrap_or_default(),
        subject: change.claim.map_or_else(|| "register".to_owned(), |claim| format!("claim {claim}")),
        change: change.action.clone(),
        reason: Some(format!("change {} of the register, SHA-256 {}", change.number, sum(change))),
    }
}

fn of_account(change: &AccountEvent) -> Event {
    let AccountEvent { number, time, by, account, action, detail } = change;
    let comma = if detail.is_empty() { "" } else { "; " };
    let sum = sum_of_account(change);
    Event::Account {
        by: Actor { name: by.clone(), ..Actor::default() },
        account: account.clone(),
        change: action.clone(),
        detail: Some(format!("{detail}{comma}change {number} of accounts, at {time}, SHA-256 {sum}")),
    }
}

/// The sum of a change of the register: of its parts, each after its length.
pub fn sum(change: &Change) -> String {
    let Change { number, time, by, organisation, claim, action, detail } = change;
    let claim = claim.map(|claim| claim.to_string()).unwrap_or_default();
    let organisation = organisation.clone().unwrap_or_default();
    let (number, time) = (number.to_string(), time.as_micros().to_string());
    sum_of([&number, &time, by, &organisation, &claim, action, detail])
}

/// The sum of a change of an account, alike.
pub fn sum_of_account(change: &AccountEvent) -> String {
    let AccountEvent { number, time, by, account, action, detail } = change;
    let (number, time) = (number.to_string(), time.as_micros().to_string());
    sum_of([&number, &time, by, account, action, detail])
}

fn sum_of<const N: usize>(parts: [&String; N]) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(format!("{}:", part.len()).as_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    sha256_hex(&bytes)
}
