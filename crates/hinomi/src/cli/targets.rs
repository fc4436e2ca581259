//! Lists of targets on the command line: a file, or what another program writes to stdin.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use hinomi_model::Transport;
use hinomi_model::scope::Scope;
use hinomi_survey::sweep::List;

use crate::output;

/// See the module.
#[derive(Debug, Args)]
pub(crate) struct TargetFile {
    /// Visit only the targets of this list, one a line: `ADDRESS PORT/TRANSPORT`, or `ADDRESS` alone for all ports asked
    /// for; `-` reads stdin. What lies outside the scope is left out and counted.
    #[arg(long, value_name = "FILE")]
    targets: Option<PathBuf>,
}

impl TargetFile {
    /// The list, as far as the scope permits it.
    pub(crate) fn read(&self, scope: &Scope, ports: Option<&[(Transport, u16)]>) -> Result<Option<List>> {
        let Some(path) = &self.targets else { return Ok(None) };
        let all = permitted(scope);
        let list = List::read(open(path)?, ports.unwrap_or(&all)).with_context(|| path.display().to_string())?;
        inside(&list, scope).map(Some)
    }
}

/// What of a list the scope permits; says what is left out.
pub(crate) fn inside(list: &List, scope: &Scope) -> Result<List> {
    let (inside, outside) = list.within(scope);
    if outside.targets > 0 {
        let why: Vec<String> = outside.by_reason.iter().map(|(why, count)| format!("{count} {why}")).collect();
        output::talk(&format!("{} targets of the list are left out: {}", outside.targets, why.join(", ")));
    }
    anyhow::ensure!(!inside.is_empty(), "no target of the list lies in the scope; nothing is to be done");
    Ok(inside)
}

/// Every port of a scope.
pub(crate) fn permitted(scope: &Scope) -> Vec<(Transport, u16)> {
    let tcp = scope.tcp.iter().map(|port| (Transport::Tcp, port));
    tcp.chain(scope.udp.iter().map(|port| (Transport::Udp, port))).collect()
}

fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}
