//! Objects from files and to files.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use hinomi_model::{Clock, SystemClock};
use hinomi_share::objects::{MAX_ENVELOPE_BYTES, Report, Shelf, Sight, is_event};
use hinomi_share::stix::own_uuid;
use hinomi_share::taxii::{Ask, MAX_PAGE};
use hinomi_state::Database;
use serde_json::Value;

use super::{Taken, taking, told};
use crate::cli::Common;
use crate::output::{self, clean_line};

/// The longest name of a source, in characters.
const MAX_SOURCE_CHARS: usize = 200;
/// The one source of all files that were imported before each had its own.
const FORMER_SOURCE: &str = "file";

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Bundles or envelopes of STIX 2.1, single objects, events of MISP; - reads from stdin.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Whose versions these go on; `file`: those from when all files were one source [default: the file of this name].
    #[arg(long, value_name = "NAME", value_parser = source)]
    source: Option<String>,
    #[command(flatten)]
    taken: Taken,
}

/// A source by its name.
fn source(text: &str) -> Result<String, String> {
    let plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
    match plain && text.chars().count() <= MAX_SOURCE_CHARS {
        true => Ok(text.trim().to_owned()),
        false => Err(format!("a source is named in one line of at most {MAX_SOURCE_CHARS} characters")),
    }
}

/// Where a file's objects come from: other files have other versions of the same objects.
fn origin(path: &Path, named: Option<&str>) -> String {
    if named == Some(FORMER_SOURCE) {
        return FORMER_SOURCE.to_owned();
    }
    let own = match path == Path::new("-") {
        true => "stdin".to_owned(),
        false => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    format!("file {}", clean_line(named.unwrap_or(&own), MAX_SOURCE_CHARS))
}

pub(super) fn run(common: &Common, (shelf, database): (&Shelf, &Database), import: &Import) -> Result<()> {
    let mut left_out = Vec::new();
    for path in &import.files {
        let named = path.display().to_string();
        let taken = text_of(path).and_then(|text| {
            let origin = origin(path, import.source.as_deref());
            taking(common, database, (&import.taken, &origin), |terms| {
                let now = SystemClock.now();
                let whole = one_object(&text);
                Ok::<Report, anyhow::Error>(match is_event(&text) {
                    true => shelf.give_event(terms, &text, now)?,
                    false if whole => shelf.give_each(terms, &[text.trim()], now)?,
                    false => shelf.give(terms, text.as_bytes(), now)?,
                })
            })
        });
        match taken.with_context(|| named.clone()) {
            Ok(report) => told(common, &named, &report)?,
            Err(error) => left_out.push(error),
        }
    }
    match left_out.pop() {
        Some(error) if import.files.len() == 1 => Err(error),
        Some(last) => {
            let count = left_out.len() + 1;
            left_out.iter().chain([&last]).for_each(|error| output::talk(&clean_line(&format!("{error:#}"), 400)));
            bail!("{count} of {} files were left out", import.files.len())
        }
        None => Ok(()),
    }
}

/// The text of a file, which must be whole and not too long.
fn text_of(path: &Path) -> Result<String> {
    let most = u64::try_from(MAX_ENVELOPE_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path).context("cannot be opened")?),
    };
    source.take(most + 1).read_to_end(&mut bytes).context("cannot be read")?;
    ensure!(bytes.len() <= MAX_ENVELOPE_BYTES, "has more than {MAX_ENVELOPE_BYTES} bytes: give it in parts");
    let text = String::from_utf8(bytes).ok().context("is not UTF-8")?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Whether this is one object of STIX and no list of them.
fn one_object(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct About {
        #[serde(default, rename = "type")]
        kind: Option<Value>,
        #[serde(default)]
        id: Option<Value>,
    }
    let about = serde_json::from_str::<About>(text);
    about.is_ok_and(|about| about.id.is_some() && about.kind.is_some_and(|kind| kind != "bundle"))
}

/// Writes a bundle, page by page.
pub(super) fn export(shelf: &Shelf, out: Option<&Path>, (audience, exercise): (Option<&str>, bool)) -> Result<()> {
    let mut file: Box<dyn Write> = match out {
        Some(path) => {
            let made = File::create_new(path);
            Box::new(BufWriter::new(made.with_context(|| format!("{} cannot be made", path.display()))?))
        }
        None => Box::new(io::stdout().lock()),
    };
    let name = match (audience, exercise) {
        (Some(audience), _) => format!("audience-{audience}"),
        (None, true) => "shared-exercise".to_owned(),
        (None, false) => "shared".to_owned(),
    };
    let sight = Sight::operator();
    let collection = shelf.collection(&sight, None, &name).with_context(|| format!("nothing is shared as {name}"))?;
    let id = own_uuid("bundle", &format!("{name} {}", SystemClock.now()));
    write!(file, "{{\"type\":\"bundle\",\"id\":\"bundle--{id}\"")?;
    let (mut ask, mut count) = (Ask { limit: MAX_PAGE, ..Ask::default() }, 0_u64);
    loop {
        let page = shelf.page_of(&sight, &collection, &ask, true)?;
        for told in &page.objects {
            write!(file, "{}{}", if count == 0 { ",\"objects\":[" } else { ",\n" }, told.body)?;
            count += 1;
        }
        match page.next {
            Some(next) => ask.next = Some(next),
            None => break,
        }
    }
    writeln!(file, "{}}}", if count == 0 { "" } else { "]" })?;
    file.flush()?;
    output::talk(&format!("{count} objects"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sources_by_name_and_the_former_one_can_be_gone_on_with() {
        let path = Path::new("a/b.json");
        for (named, expected) in [(None, "file b.json"), (Some("x"), "file x"), (Some("file"), "file")] {
            assert_eq!(origin(path, named), expected);
        }
        assert_eq!(origin(Path::new("file"), None), "file file");
        assert_eq!(origin(Path::new("-"), None), "file stdin");
    }
}
