//! The own-network view: which of the carrier's own lines met a finding.
//!
//! ```text
//!   who asks -- Ask --> OwnDesk, in the thread that holds the keys
//!                         finding held, sure enough, not refuted?  key of its epochs alive?  lines our own?
//!                         -> ledger (on disk) -> a file of mode 0600 that the carrier named;  the asker hears counts
//! ```
//!
//! A purpose of its own beside the detection, with a switch of its own: without a recorded legal basis there is no desk.
//! The carrier gives a list of its lines; whoever of them is among the clients of the finding's endpoint is told, under
//! the pseudonyms that the living key makes of the list. See `docs/decisions/0007-own-network-view.md`.
//!
//! Invariants:
//! - Pseudonyms are compared here and told to nobody. Lines stand in the carrier's two files, and here only as long as
//!   the request takes, in buffers that are wiped.
//! - Only the living key resolves: it is gone with its epoch, and so is the way back.
//! - Nothing is told before the ledger has it on disk; what the ledger refuses is not told. Nor is what nobody waits for
//!   any more.
//! - Bounded: [`MAX_LINES`] lines a request, [`WAITING`] requests at once, one request at a time.
//!
//! ```compile_fail,E0624
//! fn who(keys: &hinomi_flow::epoch::Keys) { let _ = keys.name_in(0, [192, 0, 2, 1].into()); }
//! ```

mod mapping;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use hinomi_model::Timestamp;
use hinomi_model::cnc::Endpoint;
use serde::{Deserialize, Serialize};

use crate::epoch::{Keys, LEAST_BASIS, LegalBasis};
use crate::error::FlowError;
use crate::ledger::{Event, Words};
use crate::live::{Analysis, Recorder};
use crate::subscribers::Subscribers;
use view::View;

pub use mapping::MAX_LINES;

/// The switch in the ledger.
pub const SWITCH: &str = "own-network-view";
/// Confidence from which on lines that met a finding may be counted and told, in percent. More than half, which is enough
/// to share an endpoint: here it is about people.
pub const LEAST_CONFIDENCE_PERCENT: u8 = 80;
/// Requests that wait.
pub const WAITING: usize = 4;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Question {
    /// How many own lines met each finding.
    Counts,
    /// Which of these lines met this one.
    Resolve {
        /// The finding.
        endpoint: Endpoint,
        /// A file with the carrier's lines, one address a line.
        lines: PathBuf,
        /// The file that is made for the answer.
        out: PathBuf,
    },
}

/// A question with who asks and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who; goes into the ledger.
    pub by: Words,
    /// Why; goes into the ledger.
    pub reason: Words,
    /// What.
    #[serde(flatten)]
    pub question: Question,
}

/// The lines of one epoch that met an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnEpoch {
    /// Begin of the epoch.
    pub begins: Timestamp,
    /// Its end; the key lives a grace longer.
    pub ends: Timestamp,
    /// Distinct lines; an estimate when `sampled`.
    pub lines: u64,
    /// How many of them are known, and so can be resolved.
    pub known: u64,
    /// Whether only a sample is known: there are at least `known` lines.
    pub sampled: bool,
}

/// A finding and the own lines that met it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnFinding {
    /// Where.
    pub endpoint: Endpoint,
    /// 0 to 1.
    pub confidence: f64,
    /// By epoch whose key lives, oldest first. Lines of different epochs cannot be told apart: never add them up.
    pub epochs: Vec<OwnEpoch>,
}

/// What a resolution told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Lines in the carrier's list.
    pub asked: u64,
    /// Distinct ones among them that met the endpoint.
    pub lines: u64,
    /// What is known of the epochs that were looked at.
    pub epochs: Vec<OwnEpoch>,
}

/// What the asker hears.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Findings that are sure enough, the surest first.
    Counts(Vec<OwnFinding>),
    /// The file was written.
    Resolved(Resolved),
}

/// An answer, or why there is none: what passes between two processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It was answered.
    Answer(Answer),
    /// It was not, for this reason.
    Refused(String),
}

/// A request on its way to the desk, with the way back.
pub struct Ask {
    /// What is asked.
    pub request: Request,
    /// Set by who asks when nobody waits for the answer any more: what is not in the ledger by then is not done.
    pub cancelled: Arc<AtomicBool>,
    /// Where the answer goes.
    pub reply: SyncSender<Result<Answer, FlowError>>,
}

/// Answers in the collector's own thread. There is none while the switch is off.
pub struct OwnDesk {
    basis: Words,
    keep_out: PathBuf,
    asks: Receiver<Ask>,
}

impl OwnDesk {
    /// A desk on this legal basis, and where to put requests. No answer is written within `keep_out`, the state folder.
    ///
    /// # Errors
    /// When the ledger could not hold the basis.
    pub fn open(basis: &LegalBasis, keep_out: &Path) -> Result<(Self, SyncSender<Ask>), FlowError> {
        let words = Words::new(basis.words()).map_err(|error| FlowError::NotForTheLedger { source: error })?;
        let (sender, asks) = sync_channel(WAITING);
        Ok((Self { basis: words, keep_out: keep_out.to_path_buf(), asks }, sender))
    }

    /// Answers those who wait.
    pub(crate) fn serve(&self, world: &mut World<'_>) {
        for Ask { request, reply, cancelled } in self.asks.try_iter().take(WAITING) {
            // Who goes after the entry was made hears nothing; the ledger has what was done.
            let _ = reply.send(self.answer(&request, &cancelled, world));
        }
    }

    /// # Errors
    /// Why it is not answered.
    fn answer(&self, request: &Request, cancelled: &AtomicBool, world: &mut World<'_>) -> Result<Answer, FlowError> {
        still_waits(cancelled)?;
        if request.reason.as_str().chars().count() < LEAST_BASIS {
            return Err(FlowError::NoReason { least: LEAST_BASIS });
        }
        let refuted = world.recorder.refuted(world.now).map_err(FlowError::recorder)?;
        let view = View { keys: world.keys, analysis: world.analysis, now: world.now, is_refuted: &refuted };
        match &request.question {
            Question::Counts => {
                let Request { by, reason, .. } = request.clone();
                let what = Words::new("own-network view").map_err(|source| FlowError::NotForTheLedger { source })?;
                still_waits(cancelled)?;
                world.recorder.asked(Event::Looked { by, what, reason }).map_err(FlowError::recorder)?;
                Ok(Answer::Counts(view.counts()))
            }
            Question::Resolve { endpoint, lines, out } => {
                let (finding, epochs) = view.resolvable(endpoint)?;
                mapping::refuse_inside(out, &self.keep_out)?;
                let told = mapping::resolve(lines, world.subscribers, &epochs, world.keys)?;
                let Request { by, reason, .. } = request.clone();
                let confidence_percent = percent(finding.confidence);
                let (basis, asked, lines) = (self.basis.clone(), told.asked, told.lines);
                // On disk before a line of it is told, and whatever becomes of the file.
                let event = Event::Resolved { by, basis, reason, confidence_percent, asked, lines };
                still_waits(cancelled)?;
                world.recorder.asked(event).map_err(FlowError::recorder)?;
                told.write(out)?;
                Ok(Answer::Resolved(Resolved { asked, lines, epochs: view.epochs(&epochs) }))
            }
        }
    }
}

fn still_waits(cancelled: &AtomicBool) -> Result<(), FlowError> {
    if cancelled.load(Ordering::Acquire) { Err(FlowError::NobodyWaits) } else { Ok(()) }
}

/// What the desk stands in.
pub(crate) struct World<'a> {
    pub(crate) keys: &'a Keys,
    pub(crate) analysis: &'a Analysis,
    pub(crate) subscribers: &'a Subscribers,
    pub(crate) recorder: &'a mut dyn Recorder,
    pub(crate) now: Timestamp,
}

/// Whole percent, rounded down.
fn percent(confidence: f64) -> u8 {
    (confidence.clamp(0.0, 1.0) * 100.0).floor() as u8
}

#[cfg(test)]
mod tests;
