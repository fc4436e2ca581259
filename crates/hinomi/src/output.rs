//! What people and programs read: data on stdout, talk on stderr.
//!
//! Text that came from a host is shown with control characters made visible ([`clean`]), so that nothing a device says
//! can move the cursor, recolour the terminal or forge a line.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// Starts the log on stderr: warnings, or what `RUST_LOG` asks for; everything with `--verbose`.
pub(crate) fn start_log(verbose: bool) {
    let level = if verbose { "debug" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // Fails only when a log is there already, which is as good.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false).try_init();
}

/// A line of data.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// A value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value)?)
}

/// A line of talk. There is nobody to tell when stderr is gone.
pub(crate) fn talk(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Text with everything that a terminal or a reader could misread made visible: control characters as `\x1b`,
/// characters that reverse the reading direction as `\u{202e}`.
pub(crate) fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('\n'),
            c if c.is_control() => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
                shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// The same for text that must stay on its line, cut to so many characters.
pub(crate) fn clean_line(text: &str, limit: usize) -> String {
    let one_line = text.replace(['\r', '\n'], " ");
    let mut shown: String = clean(&one_line).chars().take(limit).collect();
    if one_line.chars().count() > limit {
        shown.push('…');
    }
    shown
}

/// Whether somebody stopped reading, as `head` does: that is no failure.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    };
    error.chain().any(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_device_says_reaches_the_terminal_raw() {
        assert_eq!(clean("a\x1b[31mb\u{202e}c\x07"), "a\\x1b[31mb\\u{202e}c\\x07");
        assert_eq!(clean_line("one\r\ntwo three", 9), "one  two …");
    }
}
