//! The proof that nothing else was sent than what a scope permits, from the ledger and the scopes beside it.
//!
//! What is checked, over every run of every campaign: the chain of entries and the sums they keep among themselves
//! ([`super::book`]); that the scope which a run names lies beside the ledger, is whole and signed; that every prefix
//! with a packet lies inside its ranges and none was sent outside; that packets were sent between its first day and its
//! end, which entries tell to within [`LEASE`]; and that the sums equal the accounts that the store keeps of the same
//! campaigns. The hours of the day at which a scope permits packets are not checked: a tally spans minutes.
//!
//! What it rests on: the counts are made at the one door through which packets leave. That there is no other is what the
//! source shows (`cargo xtask doors`) and a trace of system calls (the test `campaign` counts them from outside).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hinomi_model::{CampaignId, Timestamp};
use ipnet::IpNet;
use serde::Serialize;

use super::keeper::LEASE;
use super::{Checkpoint, Run, SCOPES, verify};
use crate::error::SurveyError;
use crate::scope::{Signed, read_signed};

/// What the proof found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Entries of the log, all chained.
    pub entries: u64,
    /// Bytes of an unfinished last line.
    pub torn_bytes: u64,
    /// Each campaign.
    pub campaigns: BTreeMap<CampaignId, Held>,
    /// Campaigns that the store knows from before there was this ledger: nothing is said of them.
    pub older: Vec<CampaignId>,
    /// What does not hold. Empty: everything does.
    pub objections: Vec<String>,
    /// Three lines to note down elsewhere.
    pub checkpoint: String,
}

/// What the store tells of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Attempts over all runs.
    pub packets: u64,
    /// When it told so.
    pub time: Timestamp,
}

/// What was found of one campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Held {
    /// How many runs.
    pub runs: u64,
    /// Attempts that the ledger tells of.
    pub packets: u64,
    /// Attempts among them that the interface did not take, so that they were not sent.
    pub not_taken: u64,
    /// Attempts in doubt because runs were killed, at most.
    pub in_doubt: u64,
    /// Attempts that the store tells of, if it knows the campaign.
    pub stored: Option<u64>,
    /// Whether a run goes on, or was killed and not resumed.
    pub open: bool,
    /// Prefixes with packets.
    pub prefixes: u64,
}

/// Checks a ledger with the scopes beside it. `stored` is what the store tells of each campaign: its attempts over all
/// runs. A campaign of which a run is open is not compared.
///
/// # Errors
/// When the log itself cannot be read or is broken. All else is an objection.
pub fn prove(path: &Path, noted: &[Checkpoint], stored: &BTreeMap<CampaignId, Stored>) -> Result<Proof, SurveyError> {
    let verified = verify(path, noted)?;
    let scopes = path.parent().unwrap_or(Path::new(".")).join(SCOPES);
    let mut proof = Proof {
        entries: verified.checkpoint.size,
        torn_bytes: verified.torn_bytes,
        checkpoint: verified.checkpoint.to_text(),
        ..Proof::default()
    };
    let mut known = BTreeMap::new();
    for (campaign, runs) in verified.book.campaigns() {
        for run in runs {
            let digest = &run.start.digest;
            let scope = known.entry(digest.clone()).or_insert_with(|| load(&scopes, digest));
            let objections = object(run, scope);
            proof.objections.extend(objections.into_iter().map(|why| format!("{campaign}, run {}: {why}", run.number)));
        }
        let held = hold(runs, stored.get(campaign).map(|stored| stored.packets));
        proof.objections.extend(disagreement(&held).map(|why| format!("{campaign}: {why}")));
        proof.campaigns.insert(campaign.clone(), held);
    }
    for (campaign, told) in stored.iter().filter(|(campaign, _)| verified.book.runs(campaign).is_empty()) {
        match verified.book.begun() {
            Some(begun) if told.time >= begun => {
                proof.objections.push(format!("{campaign}: the store knows it and the ledger does not"));
            }
            _ => proof.older.push(campaign.clone()),
        }
    }
    Ok(proof)
}

/// The signed document of that name, if it is what its name says.
fn load(scopes: &Path, digest: &str) -> Result<Signed, String> {
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the scope's digest is none".to_owned());
    }
    let file = scopes.join(format!("{digest}.toml"));
    let bytes = fs::read(&file).map_err(|error| format!("the scope {} cannot be read: {error}", file.display()))?;
    let signed = read_signed(&bytes).map_err(|error| format!("the scope {}: {error}", file.display()))?;
    match signed.digest.to_string() == digest {
        true => Ok(signed),
        false => Err(format!("the scope {} is another one than the run names", file.display())),
    }
}

fn object(run: &Run, scope: &Result<Signed, String>) -> Vec<String> {
    let signed = match scope {
        Ok(signed) => signed,
        Err(why) => return vec![why.clone()],
    };
    let ranges = IpNet::aggregate(&signed.scope.ranges);
    let mut objections = Vec::new();
    if run.outside > 0 {
        objections.push(format!("{} packets to addresses outside the scope", run.outside));
    }
    let beyond = run.prefixes.keys().find(|prefix| !ranges.iter().any(|range| range.contains(*prefix)));
    if let Some(prefix) = beyond {
        objections.push(format!("packets to {prefix}, which no range of the scope contains"));
    }
    let excluded = run.prefixes.keys().find(|prefix| signed.scope.exclude.iter().any(|out| out.contains(*prefix)));
    if let Some(prefix) = excluded {
        objections.push(format!("packets to {prefix}, which the scope excludes"));
    }
    let (from, until) = (signed.scope.valid_from, signed.scope.valid_until);
    if let Some((first, last)) = run.sent_between().filter(|(first, last)| *first < from || is_after(*last, until)) {
        objections.push(format!("packets between {first} and {last}; the scope permits them from {from} to {until}"));
    }
    if run.start.rate != signed.scope.rate {
        objections.push("its rates are not those of the scope".to_owned());
    }
    objections
}

/// Whether that is later than an entry can lag behind the last packet before the end.
fn is_after(last: Timestamp, until: Timestamp) -> bool {
    u128::try_from(last.as_micros().saturating_sub(until.as_micros())).is_ok_and(|late| late > LEASE.as_micros())
}

fn hold(runs: &[Run], stored: Option<u64>) -> Held {
    let doubts = runs.iter().filter_map(Run::doubt).fold(0_u64, |sum, doubt| sum.saturating_add(doubt.at_most));
    let prefixes: std::collections::BTreeSet<&IpNet> = runs.iter().flat_map(|run| run.prefixes.keys()).collect();
    Held {
        runs: runs.len() as u64,
        packets: runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.packets)),
        not_taken: runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.not_taken)),
        in_doubt: doubts,
        stored,
        open: runs.last().is_some_and(|run| run.ended.is_none()),
        prefixes: prefixes.len() as u64,
    }
}

/// Where ledger and store do not agree by more than what is in doubt.
fn disagreement(held: &Held) -> Option<String> {
    let stored = held.stored.filter(|_| !held.open)?;
    let apart = stored.abs_diff(held.packets.saturating_sub(held.not_taken));
    (apart > held.in_doubt).then(|| {
        format!(
            "the ledger tells of {} packets, the store of {stored}; {} at most are in doubt",
            held.packets, held.in_doubt
        )
    })
}
