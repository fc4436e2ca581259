//! A thread that merges files while somebody appends.
//!
//! ```text
//!   append -> Bell::ring -> thread: is anything due? -> merge -> again, until nothing is
//! ```
//!
//! - It holds the lake while it works and not while it waits, so that it keeps no lake open.
//! - Appends wait for it only at the two short moments at which [`Lake::compact`] takes the right to write.
//! - Who ends waits [`PATIENCE`] for the merge under way, then it is given up with nothing changed; a thread that is held
//!   up by a disk or a bucket beyond [`LAST_PATIENCE`] is left to its process, and what it wrote is swept as after a kill.
//! - Trouble is told once by `tracing` and stands in [`super::account`]; after it the thread rests for [`REST`].
//!
//! At a hundred times the data nothing changes here: what a merge costs stands in [`super`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::error::LakeError;
use crate::lake::Lake;

/// How often it looks without having been rung for: whether the lake is still there, and whether others left work.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How long it rests after trouble.
const REST: Duration = Duration::from_secs(300);

/// How long who ends waits for what is under way.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long who ends waits after that for the thread to give up.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// What appends ring. Every lake has one; who listens is a [`Compactor`].
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    heard: Condvar,
    /// Merges are given up.
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    rung: bool,
    ending: bool,
    ended: bool,
}

impl Bell {
    /// Somebody begins to listen, who looks once without having been rung for; an earlier one has ended.
    fn begin(&self) {
        *self.state() = State { rung: true, ..State::default() };
        self.stop.store(false, Ordering::Relaxed);
    }

    /// There may be something to merge.
    pub(crate) fn ring(&self) {
        self.state().rung = true;
        self.heard.notify_all();
    }

    /// Waits to be rung for, or for so long; whether to go on.
    fn wait(&self, resting: bool) -> bool {
        let (patience, quiet) = if resting { (REST, true) } else { (LOOK_AGAIN, false) };
        let idle = |state: &mut State| !state.ending && (quiet || !state.rung);
        let waited = self.heard.wait_timeout_while(self.state(), patience, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let rung = std::mem::take(&mut state.rung);
        // What was appended before the end is looked at, unless there was trouble.
        !state.ending || rung && !resting
    }

    fn ended(&self) {
        self.state().ended = true;
        self.heard.notify_all();
    }

    /// Waits for the thread to end; whether it did.
    fn ends_within(&self, patience: Duration) -> bool {
        let waited = self.heard.wait_timeout_while(self.state(), patience, |state| !state.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Merges the files of a lake that is open for writing, until it is dropped. One a lake.
#[derive(Debug)]
pub struct Compactor {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Compactor {
    /// Begins. What earlier writers left is looked at first.
    ///
    /// # Errors
    /// When the lake is for reading only, or the system gives no thread.
    pub fn start(lake: &Arc<Lake>) -> Result<Self, LakeError> {
        drop(lake.writer()?);
        let (bell, weak) = (Arc::clone(&lake.bell), Arc::downgrade(lake));
        bell.begin();
        let heard = Arc::clone(&bell);
        let spawned = Builder::new().name("compaction".to_owned()).spawn(move || {
            let _last = Last(&heard);
            listen(&weak, &heard);
        });
        let thread = spawned.map_err(LakeError::io("starting the thread that merges files of", &lake.dir))?;
        Ok(Self { bell, thread: Some(thread) })
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        self.bell.state().ending = true;
        self.bell.heard.notify_all();
        let ended = self.bell.ends_within(PATIENCE) || {
            self.bell.stop.store(true, Ordering::Relaxed);
            self.bell.ends_within(LAST_PATIENCE)
        };
        if let Some(thread) = self.thread.take().filter(|_| ended) {
            // A panic was told of where it happened, and its merge came to nothing.
            let _ = thread.join();
        }
    }
}

/// Says that the thread ended, however it did.
struct Last<'a>(&'a Bell);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

fn listen(lake: &Weak<Lake>, bell: &Bell) {
    let mut trouble: Option<String> = None;
    while bell.wait(trouble.is_some()) {
        let Some(lake) = lake.upgrade() else { return };
        match merge_what_is_due(&lake, &bell.stop) {
            Ok(()) => trouble = None,
            Err(error) => {
                let text = error.to_string();
                if trouble.as_ref() != Some(&text) {
                    tracing::warn!(%error, "files of the lake were not merged; sightings are stored as before");
                }
                lake.tell_compaction_failed(&error);
                trouble = Some(text);
            }
        }
    }
}

fn merge_what_is_due(lake: &Lake, stop: &AtomicBool) -> Result<(), LakeError> {
    while let Some(did) = lake.compact_until(stop)? {
        lake.tell_compacted(did);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rung_for_before_the_end_is_looked_at_once() {
        let bell = Bell::default();
        bell.ring();
        assert!(bell.wait(false));
        bell.ring();
        bell.state().ending = true;
        assert!(bell.wait(false), "what was appended last");
        assert!(!bell.wait(false));
        bell.ring();
        assert!(!bell.wait(true), "not after trouble");
    }

    #[test]
    fn one_that_begins_after_another_ended_goes_on_listening() {
        let bell = Bell::default();
        bell.state().ending = true;
        bell.stop.store(true, Ordering::Relaxed);
        bell.ended();
        bell.begin();
        assert!(bell.wait(false), "what is there is looked at");
        assert!(!bell.stop.load(Ordering::Relaxed) && !bell.ends_within(Duration::ZERO));
    }

    #[test]
    fn the_end_is_told_however_it_comes() {
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let thread = std::thread::spawn(move || {
            let _last = Last(&heard);
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(bell.ends_within(Duration::ZERO));
    }
}
