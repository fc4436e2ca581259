//! `hinomi flow refute`: somebody shows that a finding is wrong, and it is taken back.

use anyhow::{Context, Result, bail};
use clap::Args;
use hinomi_flow::ledger::{Event, Ledger, Words};
use hinomi_lake::cnc::{Journal, REFUTED_DAYS};
use hinomi_model::cnc::{Message, Retraction, Withdrawn};
use hinomi_model::{Clock, SystemClock};

use super::why;
use crate::cli::Common;
use crate::output;
use crate::witness;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The endpoint.
    endpoint: String,
    /// Who showed it; goes into the ledger.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why it is wrong; goes into the ledger, which holds no address.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let (by, reason) = (Words::new(&options.by).context("--by")?, Words::new(&options.reason).context("--reason")?);
    let state = common.state()?;
    let now = SystemClock.now();
    let story = why::find(&state.reader()?, &options.endpoint, now)?;
    let Some(held) = story.and_then(|story| story.held) else {
        bail!("{} is not held; hinomi flow findings lists what is", output::clean_line(&options.endpoint, 64));
    };
    let endpoint = held.finding.endpoint;
    // After the look, so that the ledger's times run forward.
    let now = SystemClock.now();
    Ledger::open(&witness::ledger_path(state.dir()), now)?.append(now, Event::Refuted { by, reason })?;
    let retraction = Retraction { endpoint, reason: Withdrawn::Refuted };
    Journal::of_state(state.dir()).append(&[Message::Retracted(retraction)], now)?;
    if common.json {
        return output::json(&retraction);
    }
    output::line(&format!("{endpoint} is taken back, and not held again for {REFUTED_DAYS} days"))?;
    if held.listed.is_some() {
        output::talk("a list named it: the next one that is exported withdraws it");
    }
    Ok(())
}
