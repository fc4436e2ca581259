//! Passes by threads of this process.
//!
//! Each thread takes the next share that nobody has, maps it, and hands on its rows merged. At a hundred times the data
//! memory stays: one share and one [`Fold`] a thread.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::fold::Fold;
use super::{Engine, Gather, Share, Task};
use crate::error::LakeError;

/// The most threads.
const MAX_THREADS: usize = 256;

/// Runs shares on so many threads.
pub struct Local<'t> {
    threads: usize,
    tell: &'t (dyn Fn(u64, u64) + Sync),
}

impl<'t> Local<'t> {
    /// On so many threads, or on as many as there are processors. `tell` hears how many shares of how many are done.
    pub fn new(threads: Option<NonZeroUsize>, tell: &'t (dyn Fn(u64, u64) + Sync)) -> Self {
        let own = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { threads: threads.map_or_else(own, NonZeroUsize::get).min(MAX_THREADS), tell }
    }
}

impl Engine for Local<'_> {
    fn name(&self) -> &'static str {
        "local"
    }

    fn run(&self, task: &Task<'_>, gather: &Gather<'_>) -> Result<(), LakeError> {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let total = task.shares.len();
        let work = || {
            while !failed.load(Ordering::Relaxed) {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(share) = task.shares.get(at) else { break };
                if let Err(error) = map(task, share, gather) {
                    failed.store(true, Ordering::Relaxed);
                    return Err(of_share(&format!("{}, share {at}", task.job().name()), error));
                }
                (self.tell)(at as u64 + 1, total as u64);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let spawned: Vec<_> = (1..self.threads.min(total)).map(|_| scope.spawn(work)).collect();
            let own = work();
            let others = spawned.into_iter().map(|one| one.join().unwrap_or_else(|why| std::panic::resume_unwind(why)));
            others.fold(own, Result::and)
        })
    }
}

fn map(task: &Task<'_>, share: &Share, gather: &Gather<'_>) -> Result<(), LakeError> {
    let mut fold = Fold::new(task.pass);
    task.pass.map(share, &task.source, &mut |row| match fold.take(row)? {
        Some(full) => gather.add(full),
        None => Ok(()),
    })?;
    gather.add(fold.rest())
}

/// Says which share it was, and what to do where a file is gone.
pub(crate) fn of_share(what: &str, error: LakeError) -> LakeError {
    let gone = match &error {
        LakeError::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        LakeError::Store { reason, .. } => reason.contains("404"),
        _ => false,
    };
    let remedy = if gone {
        "; a file of the version that this pass reads is gone, erased or deleted after compaction: run the pass again"
    } else {
        ""
    };
    LakeError::Pass { what: what.to_owned(), source: Box::new(error), remedy }
}
