//! `hinomi rules`: identification rules and their examples.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use hinomi_identify::{Rules, recog};

use super::Common;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run every example of the rules in a folder: Recog XML or our own TOML; without a folder, the built-in rules.
    Test {
        /// The folder.
        dir: Option<PathBuf>,
    },
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    let Verb::Test { dir } = verb;
    let report = match dir {
        None => Rules::builtin()?.test(),
        Some(dir) if holds_recog(dir)? => recog::conformance(dir)?,
        Some(dir) => Rules::test_dir(dir)?,
    };
    match common.json {
        true => output::json(&report)?,
        false => {
            for failure in &report.failures {
                output::line(&output::clean_line(&failure.to_string(), 400))?;
            }
            output::line(&format!(
                "{} files, {} rules, {} examples, {} passed",
                report.files, report.rules, report.examples, report.passed
            ))?;
        }
    }
    match report.failures.len() {
        0 => Ok(()),
        failed => bail!("{failed} examples fail"),
    }
}

fn holds_recog(dir: &std::path::Path) -> Result<bool> {
    let folder = std::fs::read_dir(dir).with_context(|| format!("cannot read the folder {}", dir.display()))?;
    let mut names = folder.filter_map(Result::ok).map(|entry| entry.file_name());
    Ok(names.any(|name| name.to_string_lossy().ends_with(".xml")))
}
