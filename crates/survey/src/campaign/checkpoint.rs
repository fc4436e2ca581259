//! How far a campaign has come.
//!
//! Targets finish out of order. What is done is a watermark (every step below it) and the ranges of steps done beyond
//! it; there are never more ranges than targets in flight. The text form is stored with the sightings it speaks of, in
//! one step of the store, so a resumed campaign repeats exactly the targets whose sightings were not stored.

use std::collections::BTreeMap;
use std::ops::Range;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::pseudo::Suspect;

/// Version of the stored form.
const FORMAT: u32 = 1;

/// Which steps of a walk are done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    watermark: u64,
    /// First step of each range beyond the watermark, with the step after its last.
    beyond: BTreeMap<u64, u64>,
}

/// A stored checkpoint that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not the text of a checkpoint.
    #[error("the campaign's stored state cannot be read: {0}")]
    Unreadable(String),
    /// Written by a newer version.
    #[error("the campaign's stored state has format {0}; use a newer hinomi to resume it")]
    TooNew(u32),
    /// Of another job.
    #[error("the campaign was started with other targets, ports, scope or engine; start a new campaign")]
    OtherJob,
}

/// The stored form.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    format: u32,
    pub(super) job: String,
    watermark: u64,
    beyond: Vec<(u64, u64)>,
    pub(super) finished: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suspects: Vec<Suspect>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aliased: Vec<Ipv6Net>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<Account>,
}

impl Stored {
    /// Reads a stored text.
    ///
    /// # Errors
    /// When it is damaged or newer.
    pub(super) fn read(text: &str) -> Result<Self, CheckpointError> {
        let stored: Self =
            serde_json::from_str(text).map_err(|error| CheckpointError::Unreadable(error.to_string()))?;
        if stored.format > FORMAT {
            return Err(CheckpointError::TooNew(stored.format));
        }
        Ok(stored)
    }

    /// Which steps it says are done.
    pub(super) fn progress(&self) -> Progress {
        Progress { watermark: self.watermark, beyond: self.beyond.iter().copied().collect() }
    }
}

/// What a stored text said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resumed {
    pub(crate) progress: Progress,
    pub(crate) learnt: Learnt,
    pub(crate) account: Option<Account>,
}

/// What a campaign found out about hosts and prefixes that are not what they seem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    pub(crate) suspects: Vec<Suspect>,
    /// Prefixes in which every address answers.
    pub(crate) aliased: Vec<Ipv6Net>,
}

impl Progress {
    /// The step from which on not everything is done.
    pub const fn watermark(&self) -> u64 {
        self.watermark
    }

    /// How many steps are done.
    pub fn done(&self) -> u64 {
        self.watermark + self.beyond.iter().map(|(from, to)| to - from).sum::<u64>()
    }

    /// Whether this step is done.
    pub fn contains(&self, step: u64) -> bool {
        let before = self.beyond.range(..=step).next_back();
        step < self.watermark || before.is_some_and(|(_, to)| step < *to)
    }

    /// Notes that a step is done.
    pub fn finish(&mut self, step: u64) {
        self.finish_range(step, step + 1);
    }

    /// Notes that every step from the first to before the second is done.
    pub fn finish_range(&mut self, first: u64, end: u64) {
        let (mut from, mut to) = (first.max(self.watermark), end);
        if from >= to {
            return;
        }
        if let Some((left, reach)) = self.beyond.range(..=from).next_back().map(|(a, b)| (*a, *b))
            && reach >= from
        {
            (from, to) = (left, to.max(reach));
        }
        // What begins inside or right behind is taken in.
        while let Some((left, reach)) = self.beyond.range(from..=to).next().map(|(a, b)| (*a, *b)) {
            self.beyond.remove(&left);
            to = to.max(reach);
        }
        match from == self.watermark {
            true => self.watermark = to,
            false => {
                self.beyond.insert(from, to);
            }
        }
    }

    /// Notes that all of these steps are done, except for some of them. What is not among them changes nothing.
    pub(crate) fn pass(&mut self, steps: Range<u64>, except: &[u64]) {
        let mut from = steps.start;
        for step in except.iter().filter(|step| steps.contains(step)) {
            self.finish_range(from, *step);
            from = from.max(step + 1);
        }
        self.finish_range(from, steps.end);
    }

    /// The text to store. `job` names the job, `steps` is how many steps it has.
    pub(crate) fn to_text(&self, job: &str, steps: u64, learnt: Learnt, account: Option<Account>) -> String {
        let Learnt { suspects, aliased } = learnt;
        let stored = Stored {
            format: FORMAT,
            job: job.to_owned(),
            watermark: self.watermark,
            beyond: self.beyond.iter().map(|(from, to)| (*from, *to)).collect(),
            finished: self.watermark >= steps,
            suspects,
            aliased,
            account,
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Reads a stored text.
    ///
    /// # Errors
    /// When it is damaged, newer, or of another job.
    pub(crate) fn from_text(text: &str, job: &str) -> Result<Resumed, CheckpointError> {
        let stored = Stored::read(text)?;
        if stored.job != job {
            return Err(CheckpointError::OtherJob);
        }
        let progress = stored.progress();
        Ok(Resumed {
            progress,
            learnt: Learnt { suspects: stored.suspects, aliased: stored.aliased },
            account: stored.account,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn equals_a_plain_set(steps in proptest::collection::vec((0u64..60, 1u64..9), 0..60)) {
            let (mut progress, mut plain) = (Progress::default(), BTreeSet::new());
            for (step, count) in steps {
                match count {
                    1 => progress.finish(step),
                    _ => progress.finish_range(step, step + count),
                }
                plain.extend(step..step + count);
            }
            for step in 0..70 {
                prop_assert_eq!(progress.contains(step), plain.contains(&step));
            }
            prop_assert_eq!(progress.done(), u64::try_from(plain.len()).expect("small"));
            prop_assert!(progress.beyond.iter().zip(progress.beyond.iter().skip(1)).all(|((_, end), (from, _))| end < from));
            let read = Progress::from_text(&progress.to_text("j", 60, Learnt::default(), None), "j").expect("readable");
            prop_assert_eq!(read.progress, progress);
        }
    }

    #[test]
    fn what_is_said_to_be_left_out_from_before_fills_no_holes() {
        let mut progress = Progress::default();
        progress.pass(0..100, &[50, 51]);
        progress.pass(100..200, &[30, 150]);
        assert_eq!([50, 51, 150].map(|step| progress.contains(step)), [false; 3]);
        assert_eq!(progress.done(), 197);
    }

    #[test]
    fn another_job_and_a_newer_form_are_refused() {
        let text = Progress::default().to_text("a", 5, Learnt::default(), None);
        assert_eq!(Progress::from_text(&text, "b"), Err(CheckpointError::OtherJob));
        let newer = text.replace("\"format\":1", "\"format\":2");
        assert_eq!(Progress::from_text(&newer, "a"), Err(CheckpointError::TooNew(2)));
        assert!(matches!(Progress::from_text("{", "a"), Err(CheckpointError::Unreadable(_))));
    }
}
