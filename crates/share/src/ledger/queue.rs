//! Many callers, one step: who comes first writes for all that wait.
//!
//! There is no thread: the first caller takes what is queued, at most [`MAX_APPENDED`], and writes it; those that come
//! meanwhile wait, and one of them takes the next lot. At most [`MAX_WAITING`] wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use hinomi_state::ledger::{MAX_APPENDED, NewLedgerEntry};

use super::LedgerError;

/// The most entries that wait.
const MAX_WAITING: usize = 8 * MAX_APPENDED;

/// Writes entries as one step and tells the place of the first, or why not.
pub(super) type Write<'a> = &'a dyn Fn(&[NewLedgerEntry]) -> Result<u64, String>;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<(u64, NewLedgerEntry)>,
    next_ticket: u64,
    is_writing: bool,
    answers: BTreeMap<u64, Result<u64, String>>,
}

impl Queue {
    /// Writes this entry together with others; tells its place.
    pub(super) fn append(&self, entry: NewLedgerEntry, write: Write<'_>) -> Result<u64, LedgerError> {
        let mut state = self.lock();
        if state.queue.len() >= MAX_WAITING {
            return Err(LedgerError::Busy);
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.push_back((ticket, entry));
        loop {
            if let Some(answer) = state.answers.remove(&ticket) {
                return answer.map_err(LedgerError::Append);
            }
            if state.is_writing {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_writing = true;
            let most = state.queue.len().min(MAX_APPENDED);
            let (tickets, entries): (Vec<u64>, Vec<_>) = state.queue.drain(..most).unzip();
            drop(state);
            let turn = Turn { queue: self, tickets, done: None };
            turn.end(write(&entries));
            state = self.lock();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write. However it ends, everybody whose entry it took is told.
struct Turn<'a> {
    queue: &'a Queue,
    tickets: Vec<u64>,
    done: Option<Result<u64, String>>,
}

impl Turn<'_> {
    fn end(mut self, done: Result<u64, String>) {
        self.done = Some(done);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let done = self.done.take().unwrap_or_else(|| Err("writing was interrupted".to_owned()));
        let mut state = self.queue.lock();
        state.is_writing = false;
        for (place, ticket) in (0_u64..).zip(&self.tickets) {
            state.answers.insert(*ticket, done.clone().map(|first| first + place));
        }
        drop(state);
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use hinomi_model::Timestamp;

    use super::*;

    fn entry(word: &str) -> NewLedgerEntry {
        let (time, kind) = (Timestamp::default(), word.to_owned());
        NewLedgerEntry { time, kind, data: Vec::new(), concerns: Vec::new(), group: None }
    }

    #[test]
    fn everybody_is_told_the_place_of_their_own() {
        let (queue, steps) = (Queue::default(), AtomicU64::new(0));
        let stored = Mutex::new(Vec::new());
        let write = |entries: &[NewLedgerEntry]| {
            steps.fetch_add(1, Ordering::Relaxed);
            let mut stored = stored.lock().unwrap();
            let first = stored.len() as u64;
            stored.extend(entries.iter().map(|entry| entry.kind.clone()));
            Ok(first)
        };
        let told: Vec<(String, u64)> = std::thread::scope(|scope| {
            let one = |at: u64| {
                let (queue, write) = (&queue, &write);
                scope.spawn(move || (at.to_string(), queue.append(entry(&at.to_string()), write).unwrap()))
            };
            let many: Vec<_> = (0..64).map(one).collect();
            many.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let stored = stored.into_inner().unwrap();
        assert!(told.iter().all(|(word, place)| stored[*place as usize] == *word), "{told:?}");
        assert_eq!(stored.len(), 64);
        assert!(steps.into_inner() <= 64);
    }

    #[test]
    fn a_step_that_fails_or_breaks_keeps_nobody_waiting() {
        let queue = Queue::default();
        let refused = queue.append(entry("a"), &|_| Err("full".to_owned())).unwrap_err();
        assert!(refused.to_string().contains("full"));
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            queue.append(entry("b"), &|_| panic!("on purpose"))
        }));
        assert!(broken.is_err());
        assert_eq!(queue.append(entry("c"), &|_| Ok(9)).unwrap(), 9);
    }
}
