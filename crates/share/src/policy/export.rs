//! Records that leave as a file: whoever takes them, an entry of the ledger says in which form, how many, the sum of the
//! bytes that left, by which rules, and whether that was all.

use std::collections::BTreeSet;
use std::io::{self, Write};

use data_encoding::HEXLOWER;
use hinomi_lake::export::Format;
use hinomi_model::Timestamp;
use ring::digest::{Context, SHA256};

use super::{ReadError, Reader};
use crate::entitle;
use crate::witness::Departure;

/// What left so far: how many records, and the sum of the bytes.
#[derive(Clone)]
pub struct Tally {
    format: Format,
    sum: Context,
    bytes: u64,
    lines: u64,
    quoted: bool,
}

impl Tally {
    /// Nothing, of this format.
    pub fn new(format: Format) -> Self {
        Self { format, sum: Context::new(&SHA256), bytes: 0, lines: 0, quoted: false }
    }

    /// These bytes too.
    pub fn add(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        for byte in bytes {
            match byte {
                // A field in quotes may have several lines; in JSON a line break is never bare.
                b'"' if self.format == Format::Csv => self.quoted = !self.quoted,
                b'\n' if !self.quoted => self.lines += 1,
                _ => {}
            }
        }
    }

    /// Whether nothing left.
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whole records among it. A part of a Parquet file or of a bill of materials has none
    /// that anybody can read.
    pub const fn records(&self) -> u64 {
        match self.format {
            Format::Jsonl => self.lines,
            Format::Csv => self.lines.saturating_sub(1),
            Format::Parquet | Format::CycloneDx => 0,
        }
    }

    /// SHA-256 of the bytes, in hex.
    pub fn sha256(&self) -> String {
        HEXLOWER.encode(self.sum.clone().finish().as_ref())
    }
}

/// Where records leave to.
pub trait Outlet: Write + Send {
    /// After the last byte was written, or writing failed: waits until as much has left as will. What that is, and whether
    /// it is all that was written.
    fn settle(&mut self) -> (Tally, bool);
}

/// A file or a pipe: what it takes has left.
struct Plain<'a> {
    out: &'a mut (dyn Write + Send),
    tally: Tally,
    failed: bool,
}

impl Write for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken =
            self.out.write(bytes).inspect_err(|error| self.failed |= error.kind() != io::ErrorKind::Interrupted)?;
        self.tally.add(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().inspect_err(|_| self.failed = true)
    }
}

impl Outlet for Plain<'_> {
    fn settle(&mut self) -> (Tally, bool) {
        (self.tally.clone(), !self.failed)
    }
}

impl Reader {
    /// Writes every match to `out` and tells how many.
    ///
    /// # Errors
    /// When the query is not understood, the lake cannot be read, `out` cannot be written, or the ledger cannot: then what
    /// was written is not to be used.
    pub fn export(
        &self,
        query: &str,
        format: Format,
        now: Timestamp,
        out: &mut (dyn Write + Send),
    ) -> Result<u64, ReadError> {
        self.export_to(query, format, now, &mut Plain { out, tally: Tally::new(format), failed: false })
    }

    /// The same where what was written may not have left.
    ///
    /// # Errors
    /// As for [`Self::export`].
    pub fn export_to(
        &self,
        query: &str,
        format: Format,
        now: Timestamp,
        out: &mut dyn Outlet,
    ) -> Result<u64, ReadError> {
        let refuse = || ReadError::Unwitnessed("nobody was named to write it down".to_owned());
        let witness = self.witness.as_ref().ok_or_else(refuse)?;
        let may = self.look("export", query)?;
        let policies = self.passing()?;
        let mut writer = Through(out);
        // A panic too: what left until then is written down.
        let write = || self.lake.export_within((query, now), may.as_ref(), format, &mut writer);
        let ended = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(write)) {
            Ok(ended) => ended.map_err(ReadError::from),
            Err(_) => Err(ReadError::Failed("the export panicked".to_owned())),
        };
        let ended = ended.and_then(|records| match writer.flush() {
            Ok(()) => Ok(records),
            Err(error) => Err(ReadError::Failed(error.to_string())),
        });
        let (tally, whole) = out.settle();
        let cut = ended.is_err() || !whole;
        if cut && tally.is_empty() && ended.is_err() {
            return ended;
        }
        let records = ended.as_ref().ok().filter(|_| whole).copied().unwrap_or_else(|| tally.records());
        let format = format.name().to_owned();
        let departure = Departure { format, records, sha256: tally.sha256(), policies, cut };
        witness.left(departure).map_err(ReadError::Unwitnessed)?;
        ended
    }

    /// Ids of the rules by which anything can be seen; none for who sees everything.
    fn passing(&self) -> Result<BTreeSet<String>, ReadError> {
        let Some(ground) = self.ground() else { return Ok(BTreeSet::new()) };
        entitle::passing(&ground.rules, &ground.facts).map_err(|error| ReadError::Failed(error.to_string()))
    }
}

/// An outlet as a writer.
struct Through<'a>(&'a mut dyn Outlet);

impl Write for Through<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
