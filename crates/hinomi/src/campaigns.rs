//! Campaigns that the lake remembers: of earlier days, and of another process that surveys right now.
//!
//! A survey stores an account of itself with every batch, about once a second. That is all there is to read: a campaign
//! that told of itself a moment ago and did not say that it ended is running somewhere; one that fell silent before its
//! end was killed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hinomi_model::{CampaignId, Timestamp};
use hinomi_share::{ReadError, Reader};
use hinomi_survey::{Account, Told};
use hinomi_web::{SurveyState, SurveyStatus};

/// A running campaign that told nothing for so long is taken for killed.
const SILENT: Duration = Duration::from_secs(30);

/// The most campaigns that are told of.
pub(crate) const MAX_CAMPAIGNS: usize = 500;

/// What was read of campaigns, kept as long as they tell nothing new.
#[derive(Default)]
pub(crate) struct Campaigns {
    read: Mutex<HashMap<CampaignId, (Timestamp, Told)>>,
}

impl Campaigns {
    /// How many campaigns there are, and those that told of themselves last.
    pub(crate) fn told(&self, reader: &Reader, now: Timestamp) -> Result<(usize, Vec<SurveyStatus>), ReadError> {
        let known = reader.campaigns()?;
        let total = known.len();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = Vec::with_capacity(total.min(MAX_CAMPAIGNS));
        for (id, time) in known.into_iter().take(MAX_CAMPAIGNS) {
            let time = time.unwrap_or_default();
            if read.get(&id).is_none_or(|(then, _)| *then != time || time == Timestamp::default()) {
                let Some(fresh) = look(reader, &id)? else { continue };
                read.insert(id.clone(), (time, fresh));
            }
            if let Some((_, account)) = read.get(&id) {
                told.push(status(&id, account, time, now));
            }
        }
        Ok((total, told))
    }
}

/// What a campaign tells; none if a newer version wrote it, which the log says.
fn look(reader: &Reader, id: &CampaignId) -> Result<Option<Told>, ReadError> {
    let Some(checkpoint) = reader.checkpoint(id)? else { return Ok(None) };
    match Told::read(&checkpoint.state) {
        Ok(told) => Ok(Some(told)),
        Err(error) => {
            tracing::warn!(campaign = %id, %error, "a campaign cannot be shown");
            Ok(None)
        }
    }
}

fn status(id: &CampaignId, told: &Told, time: Timestamp, now: Timestamp) -> SurveyStatus {
    match &told.account {
        Some(account) => from_account(id, account, told.finished, now),
        None => without_account(id, told, time),
    }
}

fn from_account(id: &CampaignId, account: &Account, finished: bool, now: Timestamp) -> SurveyStatus {
    let counts = &account.counts;
    let state = match () {
        () if finished => SurveyState::Finished,
        () if account.run.ended || now.since(account.time) > SILENT => SurveyState::Stopped,
        () => SurveyState::Running,
    };
    let seconds = account.time.since(account.run.started).as_secs_f64();
    let here = counts.targets_done.saturating_sub(counts.targets_resumed);
    let left = account.targets.saturating_sub(counts.targets_done);
    SurveyStatus {
        campaign: id.to_string(),
        state,
        scope_name: account.scope.clone(),
        authority: format!("{}, {}", account.authority.organisation, account.authority.person),
        contact: account.contact.email.clone(),
        targets: account.targets,
        done: counts.targets_done,
        open: counts.open,
        refused: refused(&counts.by_reason),
        rate_pps: per_second(account.run.packets_sent, seconds),
        started: account.started,
        updated: account.time,
        remaining_s: (state == SurveyState::Running && here > 0).then(|| remaining_s(left, here, seconds)),
        finished,
        note: None,
        errors: failures(&counts.by_reason),
    }
}

/// Checkpoints of the first version say little more than how far they are.
fn without_account(id: &CampaignId, told: &Told, time: Timestamp) -> SurveyStatus {
    SurveyStatus {
        campaign: id.to_string(),
        state: if told.finished { SurveyState::Finished } else { SurveyState::Stopped },
        scope_name: String::new(),
        authority: String::new(),
        contact: String::new(),
        targets: if told.finished { told.done } else { 0 },
        done: told.done,
        open: 0,
        refused: 0,
        rate_pps: 0.0,
        started: time,
        updated: time,
        remaining_s: None,
        finished: told.finished,
        note: Some(hinomi_model::remark::NO_ACCOUNT.to_owned()),
        errors: Vec::new(),
    }
}

/// How refusals begin among the reasons that a survey counts.
const REFUSED: &str = "refused";

/// How many packets the scope refused.
pub(crate) fn refused<'a>(reasons: impl IntoIterator<Item = (&'a String, &'a u64)>) -> u64 {
    reasons.into_iter().filter(|(reason, _)| reason.starts_with(REFUSED)).map(|(_, count)| count).sum()
}

/// Every reason, the most frequent first.
pub(crate) fn failures<'a>(reasons: impl IntoIterator<Item = (&'a String, &'a u64)>) -> Vec<(String, u64)> {
    let mut failures: Vec<_> = reasons.into_iter().map(|(reason, count)| (reason.clone(), *count)).collect();
    failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    failures
}

/// A rate for people to read.
pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    as_f64(count) / seconds.max(0.001)
}

/// How long what is left takes if it goes on like what is done.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds for people to read")]
pub(crate) fn remaining_s(left: u64, done: u64, seconds: f64) -> u64 {
    (as_f64(left) * seconds / as_f64(done)).ceil() as u64
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ended: bool, finished: bool) -> Told {
        let state = format!(
            r#"{{"format":1,"job":"j","watermark":5,"beyond":[],"finished":{finished},"account":{{"scope":"office",
            "signer":"N.","authority":{{"organisation":"O","person":"P","reference":""}},
            "contact":{{"email":"a@b","phone":"","page":""}},"targets":100,"started":"2026-11-01T00:00:00Z",
            "time":"2026-11-02T00:00:10Z",
            "run":{{"started":"2026-11-02T00:00:00Z","packets_sent":90,"ended":{ended}}},
            "counts":{{"targets_done":60,"targets_resumed":20,"packets_sent":200,"open":7,"closed":0,"silent":0,"pseudo":0,
            "bytes_received":0,"sightings_stored":7,"by_reason":{{"refused: opted out":3,"timeout":9}}}}}}}}"#
        );
        Told::read(&state).expect("a checkpoint")
    }

    fn at(ended: bool, finished: bool, now: &str) -> SurveyStatus {
        let id = "office-1".parse().expect("a name");
        status(&id, &told(ended, finished), Timestamp::default(), now.parse().expect("a time"))
    }

    #[test]
    fn who_told_of_itself_a_moment_ago_is_running() {
        let running = at(false, false, "2026-11-02T00:00:12Z");
        assert_eq!((running.state, running.finished), (SurveyState::Running, false));
        assert_eq!((running.done, running.targets, running.open, running.refused), (60, 100, 7, 3));
        assert_eq!((running.rate_pps, running.remaining_s), (9.0, Some(10)), "40 in 10 s, 40 left");
        assert_eq!(running.started, "2026-11-01T00:00:00Z".parse().expect("a time"), "of its first run");
        assert_eq!(running.errors.first(), Some(&("timeout".to_owned(), 9)));
    }

    #[test]
    fn who_fell_silent_or_said_so_is_not() {
        assert_eq!(at(false, false, "2026-11-02T00:05:00Z").state, SurveyState::Stopped, "killed");
        assert_eq!(at(true, false, "2026-11-02T00:00:12Z").state, SurveyState::Stopped, "asked to stop");
        let finished = at(true, true, "2026-11-02T00:00:12Z");
        assert_eq!((finished.state, finished.finished, finished.remaining_s), (SurveyState::Finished, true, None));
    }
}
