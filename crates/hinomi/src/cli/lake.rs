//! `hinomi lake`: keeping, backing up and deleting what was seen.

mod backup;
mod check;
mod compact;
mod delete;
mod hold;
mod ledger;
mod pass;

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Result;
use clap::Subcommand;
use hinomi_lake::{CompactionStatus, LastCompaction};
use hinomi_model::{Clock, SystemClock};
use indicatif::{ProgressBar, ProgressDrawTarget};

pub(crate) use check::Damaged;

use super::Common;
use crate::output::{self, clean_line};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// How much there is.
    Status,
    /// Examine every shelf: what is damaged, what is lost with it, what mends it. Exit code 4: something is.
    Check(check::Options),
    /// Back everything up that cannot be made again, also while a writer runs; only what is new is copied.
    Backup(backup::Options),
    /// Make a state folder from a backup, without what was erased since.
    Restore(backup::Restore),
    /// Build the index again from the tables; the old one is searched until the new one is complete.
    RebuildIndex,
    /// Merge small files into few large ones, beside readers; no sighting is lost.
    Compact(compact::Options),
    /// Run a job over the whole lake, by threads or by Apache Spark.
    Pass(Box<pass::Options>),
    /// What an executor of a pass runs over shares.
    #[command(hide = true)]
    PassShare,
    /// What an executor of a pass runs over sorted rows.
    #[command(hide = true)]
    PassMerge,
    /// Delete what the retention policy (lake/retention.json of the state folder) says is over.
    Retain(delete::Retain),
    /// Erase addresses, prefixes or the services of a query, from every shelf, old versions and restores of backups.
    Erase(delete::Erase),
    /// What is kept whatever its age and whoever wants it erased.
    #[command(subcommand)]
    Hold(hold::Verb),
    /// The proof of what was deleted and held.
    Ledger(ledger::Options),
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    match verb {
        Verb::Status => status(common),
        Verb::Check(options) => check::run(common, options),
        Verb::Backup(options) => backup::run(common, options),
        Verb::Restore(options) => backup::restore(common, options),
        Verb::RebuildIndex => rebuild(common),
        Verb::Compact(options) => compact::run(common, options),
        Verb::Pass(options) => pass::run(common, options),
        Verb::PassShare => pass::executor::share(),
        Verb::PassMerge => pass::executor::merge(),
        Verb::Retain(options) => delete::retain(common, options),
        Verb::Erase(options) => delete::erase(common, options),
        Verb::Hold(verb) => hold::run(common, verb),
        Verb::Ledger(options) => ledger::run(common, options),
    }
}

fn status(common: &Common) -> Result<()> {
    let status = common.state()?.reader()?.status()?;
    if common.json {
        return output::json(&status);
    }
    let mut text = String::new();
    for (name, table) in [("sightings", status.sightings), ("evidence", status.evidence), ("facts", status.facts)] {
        let version = table.version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        writeln!(text, "{name}: {} rows, {} files, {} bytes, version {version}", table.rows, table.files, table.bytes)?;
    }
    writeln!(
        text,
        "index: {} services, {} bytes, {} files behind",
        status.services, status.index_bytes, status.behind
    )?;
    writeln!(text, "campaigns: {}", status.campaigns)?;
    write!(text, "compaction: {}", compaction(&status.compaction))?;
    output::line(&text)
}

/// How compaction stands, in one line.
fn compaction(status: &CompactionStatus) -> String {
    let mut text = match &status.last {
        None => "nothing was merged yet".to_owned(),
        Some(LastCompaction { time, did }) => {
            format!(
                "{time}, {} files became {}, {} bytes became {}",
                did.files_before, did.files_after, did.bytes_before, did.bytes_after
            )
        }
    };
    if let Some(failed) = &status.failed {
        text.push_str(&format!("; failed {}: {}", failed.time, clean_line(&failed.reason, 300)));
    }
    if status.due {
        text.push_str("; a merge is due: the next survey or import does it, or hinomi lake compact");
    }
    text
}

fn rebuild(common: &Common) -> Result<()> {
    let bar = bar();
    bar.set_message("building the index");
    let lake = common.state()?.open_to_identify()?;
    lake.rebuild_index()?;
    bar.finish_and_clear();
    let services = lake.status()?.services;
    match common.json {
        true => output::json(&serde_json::json!({ "services": services })),
        false => output::line(&format!("the index is built: {services} services")),
    }
}

/// The present.
fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Progress on stderr, when a terminal is there.
fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
}

/// Tells a bar how far something is.
fn tell(bar: &ProgressBar) -> impl FnMut(u64, u64) + '_ {
    |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    }
}
