//! `hinomi rules`: identification rules and their examples; and the option that names folders of them.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hinomi_identify::{Report, RuleError, Rules, test_dir};

use super::Common;
use crate::{identifier, output};

/// The option of every command that identifies.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Folders {
    /// A folder of rules (or one file), TOML and Recog XML, to use besides the built-in ones and those in the state
    /// folder's rules/; may be repeated.
    #[arg(long = "rules", value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run every example of the rules in a folder or file, Recog XML and our own TOML; without one, of the rules in use:
    /// those built in and those in the state folder's rules/.
    Test {
        /// The folder or file.
        dir: Option<PathBuf>,
    },
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    let Verb::Test { dir } = verb;
    let report = match dir {
        None => in_use(common)?,
        Some(dir) => test_dir(dir)?,
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

/// The rules that a survey would use.
fn in_use(common: &Common) -> Result<Report> {
    let builtin = Rules::builtin()?.test();
    // Without a home folder there is no state folder, and nothing in it.
    let folder = common.state().map(|state| state.dir().join(identifier::FOLDER));
    let Some(folder) = folder.ok().filter(|folder| folder.exists()) else { return Ok(builtin) };
    match test_dir(&folder) {
        Err(RuleError::Nothing { .. }) => Ok(builtin),
        own => Ok(builtin.and(own?)),
    }
}
