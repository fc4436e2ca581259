//! What is going on right now: shown on the page and on the terminal from the same numbers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_survey::{Campaign, Door};
use hinomi_web::{Progress, SurveyStatus};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// The surveys of this process.
#[derive(Default)]
pub(crate) struct Watch {
    running: Mutex<Vec<Arc<Entry>>>,
}

/// One survey.
pub(crate) struct Entry {
    door: Arc<Door>,
    campaign: Campaign,
    started: Timestamp,
    resumed: u64,
    ended: Mutex<Option<(Timestamp, Option<String>)>>,
}

impl Watch {
    /// Starts to watch a survey.
    pub(crate) fn add(&self, door: &Arc<Door>, campaign: &Campaign) -> Arc<Entry> {
        let resumed = door.metrics().counts().targets_done;
        let entry = Arc::new(Entry {
            door: Arc::clone(door),
            campaign: campaign.clone(),
            started: SystemClock.now(),
            resumed,
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
            if status.finished {
                bar.finish_and_clear();
                return;
            }
        }
    }

    fn status(&self) -> SurveyStatus {
        let counts = self.door.metrics().counts();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let until = ended.as_ref().map_or_else(|| SystemClock.now(), |(time, _)| *time);
        let seconds = until.since(self.started).as_secs_f64().max(0.001);
        let targets = self.campaign.targets();
        let here = counts.targets_done.saturating_sub(self.resumed);
        let left = targets.saturating_sub(counts.targets_done);
        let refused = counts.by_reason.iter().filter(|(reason, _)| reason.starts_with("refused"));
        let scope = self.door.scope();
        SurveyStatus {
            campaign: self.campaign.id.to_string(),
            scope_name: scope.name.clone(),
            authority: format!("{}, {}", scope.authority.organisation, scope.authority.person),
            contact: scope.contact.email.clone(),
            targets,
            done: counts.targets_done.min(targets),
            open: counts.open,
            refused: refused.map(|(_, count)| count).sum(),
            rate_pps: as_f64(counts.packets_sent) / seconds,
            started: self.started,
            remaining_s: (ended.is_none() && here > 0).then(|| remaining_s(left, here, seconds)),
            finished: ended.is_some(),
            note: ended.and_then(|(_, note)| note),
            errors: counts.by_reason.into_iter().collect(),
        }
    }
}

const DRAW_EVERY: Duration = Duration::from_millis(200);

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds for people to read")]
fn remaining_s(left: u64, done: u64, seconds: f64) -> u64 {
    (as_f64(left) * seconds / as_f64(done)).ceil() as u64
}

impl Progress for Watch {
    fn surveys(&self) -> Vec<SurveyStatus> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().map(|entry| entry.status()).collect()
    }
}

/// Waits for Ctrl-C or a polite request to end.
pub(crate) async fn until_told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else {
            let _ = tokio::signal::ctrl_c().await;
            return;
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
    output::talk("stopping; what is stored stays, an unfinished survey resumes at the next start");
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            // Asked twice: whoever resumes loses nothing that was stored.
            std::process::exit(INTERRUPTED);
        }
    });
}

/// The exit code of a program that was interrupted: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;
