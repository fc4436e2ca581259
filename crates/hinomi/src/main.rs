//! The program: reads the command line, wires the crates together, and tells people what happened.
//!
//! Exit codes: 0 done, 1 it could not be done (the reason is on stderr), 2 the command line was wrong, 3 a scope bears
//! a good signature and is not valid yet, 4 something that is kept is damaged.

mod alerts;
mod books;
mod campaigns;
mod cli;
#[cfg(target_os = "linux")]
mod confine;
mod demo;
mod door;
mod engine;
mod far;
mod identifier;
mod limits;
mod notices;
mod optout;
mod output;
mod prober;
mod providers;
mod rounds;
mod router;
mod servers;
mod state;
mod townfile;
mod watch;
mod witness;

use std::process::ExitCode;

use clap::Parser;

/// The exit code for a scope of which everything is right but the day.
const NOT_YET_VALID: u8 = 3;

/// The exit code for damage that a check found.
const DAMAGED: u8 = 4;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|word| word == confine::OPENER) {
        return confine::be_the_opener();
    }
    let arguments = cli::Arguments::parse();
    output::start_log(arguments.verbose);
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::talk(&format!("hinomi: {}", output::clean(&format!("{error:#}"))));
            code_of(&error)
        }
    }
}

fn code_of(error: &anyhow::Error) -> ExitCode {
    if error.is::<cli::NotYetValid>() {
        return ExitCode::from(NOT_YET_VALID);
    }
    if error.is::<cli::Damaged>() { ExitCode::from(DAMAGED) } else { ExitCode::FAILURE }
}
