//! Asking for a password: it is not shown, and stands in no command line.

use std::fs::File;
use std::io::{BufRead, IsTerminal, Read, Stdin};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Word;
use crate::output;

/// The most bytes that are read for one.
const MAX_BYTES: u64 = 4_096;

/// The password, from where it comes from.
pub(super) fn password(word: &Word) -> Result<String> {
    if let Some(path) = &word.password_file {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        return first_line(file);
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return first_line(stdin);
    }
    let first = unseen(&stdin, "password: ")?;
    ensure!(first == unseen(&stdin, "once more: ")?, "the two are not the same");
    Ok(first)
}

fn first_line(from: impl Read) -> Result<String> {
    let mut line = String::new();
    std::io::BufReader::new(from.take(MAX_BYTES)).read_line(&mut line).context("reading the password")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads a line without showing it, by the system's own tool for that.
fn unseen(stdin: &Stdin, prompt: &str) -> Result<String> {
    let echo = |how: &str| Command::new("stty").arg(how).status().is_ok_and(|status| status.success());
    if !echo("-echo") {
        bail!("this terminal would show the password; put it into a file and name that with --password-file");
    }
    output::talk(prompt);
    let mut line = String::new();
    let read = stdin.lock().take(MAX_BYTES).read_line(&mut line);
    echo("echo");
    read.context("reading the password")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
