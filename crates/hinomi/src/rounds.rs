//! Work that is done again and again beside serving, in a thread of its own, until it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

/// The pause between two rounds.
const EVERY: Duration = Duration::from_secs(5);

/// Works until it is dropped.
pub(crate) struct Rounds {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    name: &'static str,
}

impl Rounds {
    /// Does a round now, and one after each pause. A round is told what says that it should end.
    ///
    /// # Errors
    /// When no thread can be made.
    pub(crate) fn start(name: &'static str, round: impl Fn(&AtomicBool) + Send + 'static) -> Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let work = move || {
            while !seen.load(Ordering::Relaxed) {
                round(&seen);
                std::thread::park_timeout(EVERY);
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
        Ok(Self { ended, thread: Some(thread.with_context(|| format!("no thread for {name}"))?), name })
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!("the thread of {} panicked", self.name);
        }
    }
}
