//! `hinomi lake backup` and `hinomi lake restore`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use hinomi_lake::backup;

use super::super::Common;
use super::{bar, clock, tell};
use crate::state::State;
use crate::{output, witness};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A folder that holds backups of this state folder, or nothing.
    folder: PathBuf,
    /// Copy also where a hard link would do, so that a damaged disk block does not reach both.
    #[arg(long)]
    copy: bool,
    /// Read again what is in the folder already, and replace what is damaged.
    #[arg(long)]
    verify: bool,
    /// Then remove the backups before this one, and what only they hold: what was erased since is nowhere any more.
    #[arg(long)]
    forget_older: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The folder of backups.
    folder: PathBuf,
    /// Which of them [default: the newest].
    #[arg(long, value_name = "N")]
    number: Option<u64>,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    let state = common.state()?;
    let bar = bar();
    let how = backup::Options { copy: options.copy, verify: options.verify, forget_older: options.forget_older };
    let taken = backup::take(state.dir(), &options.folder, how, &clock(), &mut |done| bar.set_position(done))?;
    bar.finish_and_clear();
    match common.json {
        true => output::json(&taken),
        false => output::line(&format!(
            "backup {}: {} files, {} bytes; new {} files, {} bytes, {} of them linked; {} files of earlier ones removed",
            taken.number, taken.files, taken.bytes, taken.new_files, taken.new_bytes, taken.linked, taken.forgotten
        )),
    }
}

pub(crate) fn restore(common: &Common, options: &Restore) -> Result<()> {
    let state = common.state()?;
    let bar = bar();
    let mut why = None;
    let mut finish = |dir: &std::path::Path| {
        let opened = State::locate(Some(dir.to_owned())).and_then(|draft| draft.open_to_identify());
        match opened {
            Ok(lake) => lake.erase_again(&witness::user()).map(drop),
            Err(error) => {
                let detail = format!("{error:#}");
                why = Some(error);
                Err(hinomi_lake::LakeError::Unfit { detail })
            }
        }
    };
    let done = backup::restore(&options.folder, options.number, state.dir(), &clock(), &mut tell(&bar), &mut finish);
    bar.finish_and_clear();
    if let Some(error) = why {
        return Err(error).context("the restored folder cannot be opened");
    }
    let restored = done?;
    match common.json {
        true => output::json(&restored),
        false => output::line(&format!(
            "backup {} of {} is restored to {}: {} files, {} bytes; {} lists of what was erased since applied",
            restored.number,
            restored.time,
            state.dir().display(),
            restored.files,
            restored.bytes,
            restored.erasures
        )),
    }
}
