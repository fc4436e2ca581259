//! What a campaign tells of itself to those who only look.
//!
//! Every checkpoint carries an [`Account`], stored in the same step as the sightings it counts, so that another process
//! on the same state folder, or the same one a year later, can show each campaign. Counts go on from what earlier runs
//! of the same campaign stored. Nothing in it decides anything: a survey resumes from the rest of the checkpoint.

use hinomi_model::Timestamp;
use hinomi_model::scope::{Authority, Contact};
use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use super::checkpoint::{CheckpointError, Stored};
use super::coverage::Coverage;
use crate::metrics::Counts;
use crate::scope::Authorised;

/// Reasons that an account names; the rarer ones are left to the report.
const MAX_REASONS: usize = 32;

/// A campaign's account of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Name of the scope it runs under.
    pub scope: String,
    /// Whose signature the scope bears.
    pub signer: String,
    /// Who authorised it.
    pub authority: Authority,
    /// Who answers for it.
    pub contact: Contact,
    /// Address and port pairs to ask in all.
    pub targets: u64,
    /// When its first run began.
    pub started: Timestamp,
    /// When this was written.
    pub time: Timestamp,
    /// The run that wrote it.
    pub run: Run,
    /// What was counted over all runs.
    pub counts: Counts,
    /// What is known of those who were missed, where targets are visited twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// What sends, as users see it.
    #[serde(default)]
    pub engine: String,
}

/// One run of a campaign: from a start to a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// When it began.
    pub started: Timestamp,
    /// Connection attempts and datagrams of this run.
    pub packets_sent: u64,
    /// Whether it came to an orderly end. A run that was killed never says so.
    pub ended: bool,
}

/// A stored checkpoint as those read it who only look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which job: another scope, other ports or another seed is another job.
    pub job: String,
    /// Steps that are settled; a few more than targets.
    pub done: u64,
    /// Whether every target is settled.
    pub finished: bool,
    /// The account; checkpoints of the first version had none.
    pub account: Option<Account>,
    /// Prefixes in which every address answers.
    pub aliased: Vec<Ipv6Net>,
}

impl Told {
    /// Reads the text of a checkpoint.
    ///
    /// # Errors
    /// When it is damaged or was written by a newer version.
    pub fn read(state: &str) -> Result<Self, CheckpointError> {
        let stored = Stored::read(state)?;
        let done = stored.progress().done();
        Ok(Self { job: stored.job, done, finished: stored.finished, account: stored.account, aliased: stored.aliased })
    }
}

/// Writes accounts while a run goes on.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    first: Account,
    before: Counts,
}

impl Teller {
    /// For a run that begins now and goes on from what was stored.
    pub(crate) fn new(by: &Authorised, engine: String, targets: u64, before: Option<Account>, now: Timestamp) -> Self {
        let scope = by.scope();
        let run = Run { started: now, packets_sent: 0, ended: false };
        let started = before.as_ref().map_or(now, |account| account.started);
        let first = Account {
            scope: scope.name.clone(),
            signer: by.signer().to_owned(),
            authority: scope.authority.clone(),
            contact: scope.contact.clone(),
            targets,
            started,
            time: now,
            run,
            counts: Counts::default(),
            coverage: before.as_ref().and_then(|account| account.coverage.clone()),
            engine,
        };
        Self { first, before: before.map_or_else(Counts::default, |account| account.counts) }
    }

    /// The account at this moment. `done` is how many targets are settled, over all runs.
    pub(crate) fn tell(&self, run: Counts, done: u64, ended: bool, now: Timestamp) -> Account {
        let packets_sent = run.packets_sent;
        let mut counts = sum(&self.before, run);
        counts.targets_done = done.min(self.first.targets);
        let run = Run { packets_sent, ended, ..self.first.run };
        Account { time: now, run, counts, ..self.first.clone() }
    }
}

fn sum(before: &Counts, mut run: Counts) -> Counts {
    run.packets_sent += before.packets_sent;
    run.open += before.open;
    run.closed += before.closed;
    run.silent += before.silent;
    run.pseudo += before.pseudo;
    run.bytes_received += before.bytes_received;
    run.sightings_stored += before.sightings_stored;
    for (reason, count) in &before.by_reason {
        *run.by_reason.entry(reason.clone()).or_default() += count;
    }
    let mut reasons: Vec<_> = run.by_reason.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons.truncate(MAX_REASONS);
    run.by_reason = reasons.into_iter().collect();
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(counts: Counts) -> Account {
        Account {
            scope: "office".into(),
            signer: "N. N.".into(),
            authority: Authority { organisation: "O".into(), person: "P".into(), reference: String::new() },
            contact: Contact { email: "a@b".into(), phone: String::new(), page: String::new() },
            targets: 100,
            started: "2026-11-01T00:00:00Z".parse().expect("a time"),
            time: "2026-11-01T00:01:00Z".parse().expect("a time"),
            run: Run { started: Timestamp::from_micros(0), packets_sent: 9, ended: true },
            counts,
            coverage: None,
            engine: "connect".into(),
        }
    }

    #[test]
    fn counts_go_on_where_an_earlier_run_stopped() {
        let reasons = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let counts = |open, by_reason| Counts { open, packets_sent: 10, by_reason, ..Counts::default() };
        let before = account(counts(3, reasons(&[("timeout", 2)])));
        let now: Timestamp = "2026-11-02T00:00:00Z".parse().expect("a time");
        let run = Run { started: now, packets_sent: 0, ended: false };
        let teller = Teller { first: Account { run, ..account(Counts::default()) }, before: before.counts };
        let told = teller.tell(counts(4, reasons(&[("timeout", 1), ("reset", 5)])), 70, false, now);
        assert_eq!((told.counts.open, told.counts.packets_sent, told.run.packets_sent), (7, 20, 10));
        assert_eq!(told.counts.by_reason, reasons(&[("timeout", 3), ("reset", 5)]));
        assert_eq!((told.counts.targets_done, told.time), (70, now));
        assert_eq!(teller.tell(Counts::default(), 101, true, now).counts.targets_done, 100, "steps outnumber targets");
    }

    #[test]
    fn rare_reasons_are_left_out_when_there_are_many() {
        let by_reason = (0..300u64).map(|number| (format!("reason {number}"), number)).collect();
        let told = sum(&Counts::default(), Counts { by_reason, ..Counts::default() });
        assert_eq!(told.by_reason.len(), MAX_REASONS);
        assert!(told.by_reason.contains_key("reason 299"));
    }

    #[test]
    fn a_checkpoint_without_an_account_can_still_be_read() {
        let text = r#"{"format":1,"job":"j","watermark":5,"beyond":[[7,9]],"finished":false}"#;
        let told = Told::read(text).expect("readable");
        assert_eq!((told.job.as_str(), told.done, told.finished, told.account), ("j", 7, false, None));
        assert!(Told::read("{").is_err());
        assert_eq!(Told::read(&text.replace(":1,", ":2,")), Err(CheckpointError::TooNew(2)));
    }
}
