//! `hinomi lake check`: what is damaged, what is lost with it, what mends it.

use std::fmt;
use std::path::Path;

use anyhow::{Result, ensure};
use clap::Args;
use hinomi_flow::ledger as flow_ledger;
use hinomi_lake::check::{self, Shelf, ShelfName};
use hinomi_survey::ledger as survey_ledger;

use super::super::Common;
use super::{bar, clock, tell};
use crate::{output, witness};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Read everything: every block, every name that can be computed again, references, and the index beside the
    /// tables.
    #[arg(long)]
    deep: bool,
    /// Make again what is derived: a damaged index, damaged facts.
    #[arg(long)]
    mend: bool,
    /// Set damaged files of sightings and evidence aside, with a proof entry of what is lost. They are moved, not
    /// deleted.
    #[arg(long)]
    quarantine: bool,
}

/// Something is damaged: an exit code of its own.
#[derive(Debug)]
pub(crate) struct Damaged(pub(crate) usize);

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the shelves are damaged", self.0)
    }
}

impl std::error::Error for Damaged {}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let state = common.state()?;
    ensure!(state.dir().exists(), "there is no state folder {}", state.dir().display());
    let mut shelves = look(state.dir(), options.deep)?;
    let mut changed = false;
    if options.quarantine && shelves.iter().any(|shelf| !shelf.is_whole()) {
        changed |= check::quarantine(state.dir(), &shelves, &witness::user(), &clock())? > 0;
    }
    if options.mend {
        changed |= check::mend(state.dir(), &shelves, &clock())?;
    }
    if changed {
        // Opening for writing builds what is missing.
        drop(state.open_to_identify()?);
        shelves = look(state.dir(), options.deep)?;
    }
    match common.json {
        true => output::json(&shelves)?,
        false => shelves.iter().try_for_each(show)?,
    }
    let damaged = shelves.iter().filter(|shelf| !shelf.is_whole()).count();
    if damaged > 0 { Err(Damaged(damaged).into()) } else { Ok(()) }
}

fn look(dir: &Path, deep: bool) -> Result<Vec<Shelf>> {
    let bar = bar();
    let mut shelves = check::check(dir, deep, &clock(), &mut tell(&bar))?;
    bar.finish_and_clear();
    shelves.push(state_shelf(dir));
    Ok(shelves)
}

/// What people decided, and the proofs: each file that has a form is read, and every ledger proves what it says.
fn state_shelf(dir: &Path) -> Shelf {
    let mut shelf = Shelf::new(ShelfName::State);
    let mut take = |file: &str, found: Result<()>| {
        if dir.join(file).exists() {
            shelf.files += 1;
            if let Err(error) = found {
                shelf.note(file, &format!("{error:#}"), false);
            }
        }
    };
    let flow = dir.join("flow").join(flow_ledger::FILE_NAME);
    take("flow/ledger.jsonl", flow_ledger::verify(&flow, &[]).map(drop).map_err(Into::into));
    let survey = dir.join("campaigns").join(survey_ledger::FILE_NAME);
    take("campaigns/ledger.jsonl", survey_ledger::verify(&survey, &[]).map(drop).map_err(Into::into));
    let out = dir.join("opt-out.txt");
    take("opt-out.txt", hinomi_survey::OptOut::load(&out).map(drop).map_err(Into::into));
    if let Err(error) = check::check_state(dir, &mut shelf) {
        shelf.note("lake", &error, false);
    }
    shelf
}

fn show(shelf: &Shelf) -> Result<()> {
    let name = shelf.name.name();
    let version = shelf.version.map_or_else(String::new, |version| format!(", version {version}"));
    let state = if shelf.is_whole() { "whole" } else { "DAMAGED" };
    let old = match shelf.without_sums {
        0 => String::new(),
        count => format!(", {count} files without sums"),
    };
    output::line(&format!("{name}: {state}; {} files, {} rows{version}{old}", shelf.files, shelf.rows))?;
    for damage in &shelf.damages {
        output::line(&format!(
            "  {}: {}",
            output::clean_line(&damage.file, 300),
            output::clean_line(&damage.detail, 500)
        ))?;
    }
    if shelf.more > 0 {
        output::line(&format!("  and {} more", shelf.more))?;
    }
    if !shelf.is_whole() {
        output::line(&format!("  lost: {}", shelf.loss))?;
        output::line(&format!("  mend: {}", shelf.remedy))?;
    }
    Ok(())
}
