//! Query results as files: JSON lines, CSV, Parquet, and their cryptography as a bill of materials (CycloneDX).
//!
//! Streaming: one service at a time, in Parquet one row group; the bill of materials is gathered, within bounds. What a scanned host says is hostile: in CSV a cell that a
//! spreadsheet would take for a formula gets a leading apostrophe, and control characters are written as escapes.
//! At a hundred times the data the time grows and the memory does not.

pub(crate) mod csv;
mod cyclonedx;
mod parquet;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

use hinomi_model::{Service, Timestamp};

use crate::entitlement::Entitlement;
use crate::error::LakeError;
use crate::lake::Lake;

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, with a heading; safe to open in a spreadsheet.
    Csv,
    /// One flat table.
    Parquet,
    /// The cryptography of the services: a CBOM, CycloneDX 1.6 in JSON.
    CycloneDx,
}

/// A text that names no form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a form of export: jsonl, csv, parquet or cyclonedx")]
pub struct UnknownFormat {
    /// What was given.
    pub text: String,
}

impl Format {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::CycloneDx => "cyclonedx",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let all = [Self::Jsonl, Self::Csv, Self::Parquet, Self::CycloneDx];
        let found = all.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| UnknownFormat { text: text.chars().take(64).collect() })
    }
}

impl Lake {
    /// Writes every service that matches, by address and port; the number of them. Of a bill of materials, of those with
    /// cryptography.
    ///
    /// # Errors
    /// When the query cannot be understood, the index cannot be read, or `out` takes no more.
    pub fn export(
        &self,
        query: &str,
        now: Timestamp,
        format: Format,
        out: &mut (dyn Write + Send),
    ) -> Result<u64, LakeError> {
        self.export_within((query, now), None, format, out)
    }

    /// The same of a query at a moment for who may not see all; none is all.
    ///
    /// # Errors
    /// As [`Self::export`].
    pub fn export_within(
        &self,
        (query, now): (&str, Timestamp),
        may: Option<&Arc<Entitlement>>,
        format: Format,
        out: &mut (dyn Write + Send),
    ) -> Result<u64, LakeError> {
        match format {
            Format::Jsonl => self.scan_within(query, now, may, &mut |service| write_json(out, &service)),
            Format::Csv => {
                csv::write_heading(out).map_err(refused)?;
                let mut write = |service| csv::write_service(out, &service).map_err(refused);
                self.scan_within(query, now, may, &mut write)
            }
            Format::Parquet => {
                let mut writer = parquet::Writer::new(out)?;
                let count = self.scan_within(query, now, may, &mut |service| writer.take(service))?;
                writer.finish()?;
                Ok(count)
            }
            Format::CycloneDx => {
                let mut inventory = cyclonedx::Inventory::default();
                self.scan_within(query, now, may, &mut |service| {
                    inventory.take(&service);
                    Ok(())
                })?;
                inventory.write(query, now, out).map_err(refused)?;
                Ok(inventory.services())
            }
        }
    }
}

fn write_json(out: &mut (dyn Write + Send), service: &Service) -> Result<(), LakeError> {
    serde_json::to_writer(&mut *out, service).map_err(|error| refused(error.into()))?;
    out.write_all(b"\n").map_err(refused)
}

fn refused(source: io::Error) -> LakeError {
    LakeError::Io { what: "writing the export".to_owned(), source }
}
