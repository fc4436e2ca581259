//! A scoring is a piece of work of its own: where there are many servers it takes seconds, and flows do not wait for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::Scope;

use hinomi_model::Timestamp;

use super::desk::whole;
use crate::detect::detection::{Detection, Scoring};
use crate::error::FlowError;
use crate::suppress::Knowledge;

/// What is to be scored: all as it was known at one moment.
pub struct Task {
    pub(super) time: Timestamp,
    /// Share of records lost.
    pub(super) loss: f64,
    pub(super) detection: Detection,
    pub(super) knowledge: Arc<Knowledge>,
    /// Make a model first.
    pub(super) train: bool,
}

/// What a scoring brought.
pub struct Outcome {
    pub(super) time: Timestamp,
    pub(super) loss: f64,
    pub(super) scoring: Scoring,
    /// What was scored, with the model that was made of it; whoever has time for it lets it go.
    pub(super) detection: Detection,
    /// Why no model could be made, where one was asked for.
    pub(super) no_model: Option<String>,
}

impl Task {
    /// Scores.
    pub fn run(self) -> Outcome {
        let Self { time, loss, mut detection, knowledge, train } = self;
        let no_model = train.then(|| detection.train().err().map(|reason| reason.to_string())).flatten();
        let vouched = |address, port, protocol| knowledge.vouches(address, port, protocol, time);
        let scoring = detection.score(time, loss, vouched);
        Outcome { time, loss, scoring, detection, no_model }
    }
}

/// For the thread that scores.
enum Work {
    Score(Box<Task>),
    /// Freed here, because that takes a while too.
    LetGo(Box<Detection>),
}

/// A thread that scores, one task at a time.
pub struct Scorer {
    work: SyncSender<Work>,
    outcomes: Receiver<Outcome>,
    is_busy: bool,
}

impl Scorer {
    /// Starts the thread; it ends with this handle.
    pub fn start<'scope>(scope: &'scope Scope<'scope, '_>) -> Self {
        let (work, tasks) = sync_channel(2);
        let (told, outcomes) = sync_channel(1);
        scope.spawn(move || {
            for work in tasks {
                match work {
                    Work::LetGo(detection) => drop(detection),
                    Work::Score(task) => {
                        // A scoring that breaks off ends this thread, which is noticed by whoever waits for the outcome.
                        let Ok(outcome) = whole("the scoring", || Ok(task.run())) else { return };
                        if told.send(outcome).is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Self { work, outcomes, is_busy: false }
    }

    /// Whether a task runs.
    pub const fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Gives it a task; ask first whether it is busy.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn begin(&mut self, task: Task) -> Result<(), FlowError> {
        self.is_busy = true;
        self.work.send(Work::Score(Box::new(task))).map_err(|_| FlowError::NoScorer)
    }

    /// The outcome of the task, if it is there.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn outcome(&mut self) -> Result<Option<Outcome>, FlowError> {
        match self.outcomes.try_recv() {
            Ok(outcome) => {
                self.is_busy = false;
                Ok(Some(outcome))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(FlowError::NoScorer),
        }
    }

    /// The outcome of the task that runs, waited for; none when none runs.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn wait(&mut self) -> Result<Option<Outcome>, FlowError> {
        if !std::mem::take(&mut self.is_busy) {
            return Ok(None);
        }
        self.outcomes.recv().map(Some).map_err(|_| FlowError::NoScorer)
    }

    /// Has what was scored freed.
    pub fn let_go(&self, detection: Detection) {
        // When it has ended or is busy, it is freed here.
        let _ = self.work.try_send(Work::LetGo(Box::new(detection)));
    }
}
