//! What is going on right now: shown on the page and on the terminal from the same numbers.
//!
//! Surveys of this process are told of from their counters as they are; all others from what they stored
//! ([`crate::campaigns`]).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_share::{ReadError, Reader};
use hinomi_survey::{Campaign, Door};
use hinomi_web::{Progress, SurveyState, SurveyStatus, Surveys};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::campaigns::{Campaigns, failures, per_second, refused, remaining_s};
use crate::output;

/// The surveys of this process, and through the lake those of others.
#[derive(Default)]
pub(crate) struct Watch {
    running: Mutex<Vec<Arc<Entry>>>,
    stored: Campaigns,
}

/// One survey.
pub(crate) struct Entry {
    door: Arc<Door>,
    campaign: Campaign,
    started: Timestamp,
    ended: Mutex<Option<(Timestamp, Option<String>)>>,
}

impl Watch {
    /// Starts to watch a survey.
    pub(crate) fn add(&self, door: &Arc<Door>, campaign: &Campaign) -> Arc<Entry> {
        let entry = Arc::new(Entry {
            door: Arc::clone(door),
            campaign: campaign.clone(),
            started: SystemClock.now(),
            ended: Mutex::new(None),
        });
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&entry));
        entry
    }
}

impl Entry {
    /// Notes that the survey ended, and why if it failed.
    pub(crate) fn end(&self, note: Option<String>) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some((SystemClock.now(), note));
    }

    /// Draws progress on the terminal until the survey ends; nothing where there is no terminal.
    pub(crate) async fn draw(self: Arc<Self>) {
        let bar = ProgressBar::with_draw_target(Some(self.campaign.targets()), ProgressDrawTarget::stderr());
        let style = "{spinner} {msg} [{bar:30}] {percent}% {pos}/{len}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let mut tick = tokio::time::interval(DRAW_EVERY);
        loop {
            tick.tick().await;
            let status = self.status();
            bar.set_position(status.done);
            let left = status.remaining_s.map_or(String::new(), |seconds| format!(", {seconds} s left"));
            bar.set_message(format!("{} open, {:.0}/s{left}", status.open, status.rate_pps));
            if status.state != SurveyState::Running {
                bar.finish_and_clear();
                return;
            }
        }
    }

    fn status(&self) -> SurveyStatus {
        let counts = self.door.metrics().counts();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let until = ended.as_ref().map_or_else(|| SystemClock.now(), |(time, _)| *time);
        let seconds = until.since(self.started).as_secs_f64();
        let targets = self.campaign.targets();
        let here = counts.targets_done.saturating_sub(counts.targets_resumed);
        let left = targets.saturating_sub(counts.targets_done);
        let state = match &ended {
            None => SurveyState::Running,
            Some((_, None)) if left == 0 => SurveyState::Finished,
            Some(_) => SurveyState::Stopped,
        };
        let scope = self.door.scope();
        SurveyStatus {
            campaign: self.campaign.id.to_string(),
            state,
            scope_name: scope.name.clone(),
            authority: format!("{}, {}", scope.authority.organisation, scope.authority.person),
            contact: scope.contact.email.clone(),
            targets,
            done: counts.targets_done.min(targets),
            open: counts.open,
            refused: refused(&counts.by_reason),
            rate_pps: per_second(counts.packets_sent, seconds),
            started: self.started,
            updated: until,
            remaining_s: (ended.is_none() && here > 0).then(|| remaining_s(left, here, seconds)),
            finished: state == SurveyState::Finished,
            note: ended.and_then(|(_, note)| note),
            errors: failures(&counts.by_reason),
        }
    }
}

const DRAW_EVERY: Duration = Duration::from_millis(200);

impl Progress for Watch {
    fn surveys(&self, reader: &Reader, now: Timestamp) -> Result<Surveys, ReadError> {
        let (stored, told) = self.stored.told(reader, now)?;
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut surveys: Vec<_> = running.iter().map(|entry| entry.status()).collect();
        let here = surveys.len();
        for status in told {
            match surveys.iter_mut().take(here).find(|own| own.campaign == status.campaign) {
                // What it counted before this process went on with it is only in the lake.
                Some(own) if own.state != SurveyState::Running => *own = whole(own, status),
                Some(own) => own.started = own.started.min(status.started),
                None => surveys.push(status),
            }
        }
        surveys.sort_by_key(|survey| (survey.state != SurveyState::Running, std::cmp::Reverse(survey.updated)));
        Ok(Surveys { total: stored.max(surveys.len()), surveys })
    }
}

/// A survey that ended here: how it ended, and what was counted over all its runs.
fn whole(own: &SurveyStatus, stored: SurveyStatus) -> SurveyStatus {
    SurveyStatus {
        state: own.state,
        finished: own.finished,
        updated: own.updated,
        remaining_s: None,
        note: own.note.clone(),
        ..stored
    }
}

/// Waits for Ctrl-C or a polite request to end. Listens from the moment of the call, so call it before saying that all
/// is ready: who asks at once is heard too.
pub(crate) fn until_told_to_stop() -> impl Future<Output = ()> + Send + 'static {
    let asked = asked_to_stop();
    async {
        asked.await;
        output::talk("stopping; what is stored stays, an unfinished survey resumes at the next start");
        tokio::spawn(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                // Asked twice: whoever resumes loses nothing that was stored.
                std::process::exit(INTERRUPTED);
            }
        });
    }
}

/// Resolves at Ctrl-C or a polite request to end; listens from the moment of the call.
#[cfg(unix)]
pub(crate) fn asked_to_stop() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let listening = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = listening else {
            // Without a listener the signal ends the process, which is what was asked for.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn asked_to_stop() {
    // Without a listener the signal ends the process, which is what was asked for.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// The exit code of a program that was interrupted: 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: i32 = 130;
