//! What an executor of a cluster runs: this program, with lines and frames on its standard input and output.
//!
//! - [`share`]: a header line, then lines of shares, give frames of partial rows.
//! - [`merge`]: a header line, then frames of rows sorted by key, give frames of merged rows.
//!
//! A header of another version of the program, of the pass or of the rules is refused before anything is read. Keys to a
//! bucket are those of the machine: its environment, or the file that `lake.toml` names. At a hundred times the data:
//! one share in memory, then the next.

use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinomi_model::{Clock, Facts, Identifier};

use super::fold::{Fold, Sorted};
use super::frames::{self, Frames};
use super::header::{Header, MAX_HEADER_BYTES, MAX_SHARE_BYTES};
use super::local::of_share;
use super::shares::Share;
use super::{Emit, Source};
use crate::error::LakeError;
use crate::evidence::{EVIDENCE, Pieces};
use crate::facts::FACTS;
use crate::identify::Knowledge;
use crate::place::Places;
use crate::sightings::SIGHTINGS;
use crate::table::definition::Definition;
use crate::table::store::Root;
use crate::table::{DataFile, Table};

/// Makes rules: of a state folder, and of folders besides.
pub type Rules<'a> = dyn Fn(&Path, &[PathBuf]) -> Result<Arc<dyn Identifier>, String> + 'a;

/// Maps the shares that it is told of, one after the other.
///
/// # Errors
/// When the header is not for this program or these rules, a share cannot be mapped, or the rows cannot be written.
pub fn share(
    mut input: impl BufRead,
    output: impl Write,
    rules: &Rules<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<(), LakeError> {
    let header = header(&mut input)?;
    let pass = super::of(&header.order);
    let shelves = Shelves::open(&header, rules, clock)?;
    let source = shelves.source();
    let mut frames = Frames::new(output, pass.partial());
    while let Some(line) = line(&mut input, MAX_SHARE_BYTES)? {
        let mut fold = Fold::new(pass.as_ref());
        let mut write = |rows: Vec<_>| rows.into_iter().try_for_each(|row| frames.take(row));
        let emit: &mut Emit<'_> = &mut |row| fold.take(row)?.map_or(Ok(()), &mut write);
        let mapped = pass.map(&Share::read(&line)?, &source, emit);
        mapped.map_err(|error| of_share(&format!("{}, a share", header.order.job.name()), error))?;
        write(fold.rest())?;
    }
    frames.finish().map(drop)
}

/// Merges sorted rows.
///
/// # Errors
/// When the header is not for this program, the rows are cut off or not sorted, or cannot be written.
pub fn merge(mut input: impl BufRead, output: impl Write) -> Result<(), LakeError> {
    let header = header(&mut input)?;
    let pass = super::of(&header.order);
    let (mut sorted, mut frames) = (Sorted::new(pass.as_ref()), Frames::new(output, pass.partial()));
    while let Some(rows) = frames::read(&mut input, pass.partial())? {
        for row in rows {
            if let Some(done) = sorted.take(row)? {
                frames.take(done)?;
            }
        }
    }
    if let (Some(last), _) = sorted.finish() {
        frames.take(last)?;
    }
    frames.finish().map(drop)
}

fn header(input: &mut impl BufRead) -> Result<Header, LakeError> {
    let line = line(input, MAX_HEADER_BYTES)?;
    Header::read(&line.ok_or_else(|| LakeError::damaged("the header of a pass", "there is none"))?)
}

/// The next line without its end; none at the end of the input.
fn line(input: &mut impl BufRead, max_bytes: u64) -> Result<Option<String>, LakeError> {
    let mut line = Vec::new();
    let read = input.by_ref().take(max_bytes).read_until(b'\n', &mut line);
    read.map_err(|source| LakeError::Io { what: "reading what a pass is told".to_owned(), source })?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => {
            String::from_utf8(line).map(Some).map_err(|error| LakeError::damaged("a line of a pass", &error))
        }
        Some(_) => Err(LakeError::damaged("a line of a pass", "it is cut off or too long")),
    }
}

/// The pinned tables of a header, open for reading.
struct Shelves {
    sightings: Table,
    pieces: Pieces,
    knowledge: Knowledge,
    places: Arc<Places>,
}

impl Shelves {
    fn open(header: &Header, rules: &Rules<'_>, clock: &Arc<dyn Clock>) -> Result<Self, LakeError> {
        let identifier: Arc<dyn Identifier> = match (&header.rules, header.order.rules.split_first()) {
            (Some(_), Some((state, others))) => rules(state, others).map_err(|detail| LakeError::Unfit { detail })?,
            (Some(_), None) => rules(Path::new(""), &[]).map_err(|detail| LakeError::Unfit { detail })?,
            (None, _) => Arc::new(NoRules),
        };
        header.check_rules(identifier.revision())?;
        let root = Root::of_place(&header.place, clock)?;
        let table = |definition: &'static Definition| {
            let pinned = header.tables.iter().find(|pinned| pinned.name == definition.name);
            let files: Vec<Arc<DataFile>> = pinned.map_or_else(|| Ok(Vec::new()), |pinned| pinned.files())?;
            let version = pinned.and_then(|pinned| pinned.version);
            Ok::<_, LakeError>(Table::pinned(&root, definition, version, files))
        };
        let places = header.places.as_deref().map(|text| Places::read(text.as_bytes())).transpose();
        let places =
            places.map_err(|source| LakeError::Io { what: "reading the table of places".to_owned(), source })?;
        Ok(Self {
            sightings: table(&SIGHTINGS)?,
            pieces: Pieces::new(table(&EVIDENCE)?),
            knowledge: Knowledge::new(table(&FACTS)?, identifier),
            places: Arc::new(places.unwrap_or_default()),
        })
    }

    fn source(&self) -> Source<'_> {
        let files = self.sightings.files(|_| true);
        let Self { sightings, pieces, knowledge, places } = self;
        Source { sightings, files, pieces, knowledge, places: Arc::clone(places) }
    }
}

/// For passes whose result depends on no rules.
struct NoRules;

impl Identifier for NoRules {
    fn identify(&self, _: &[hinomi_model::Evidence]) -> Facts {
        Facts::default()
    }

    fn revision(&self) -> &'static str {
        "none"
    }
}
