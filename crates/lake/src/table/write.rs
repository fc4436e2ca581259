//! Rows into a Parquet file.
//!
//! zstd, dictionaries where values repeat, differences of times and 64-bit numbers, row groups of 65,536 rows or 64 MiB,
//! small pages with a page index, so that one row can be read without its neighbours. A staged file that no commit kept
//! removes itself.
//! At a hundred times the data: memory stays at one row group, whatever the number of rows.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::definition::{Definition, Habit, Kind};
use super::groups::{GROUP_BYTES, GROUP_ROWS, RowGroups};
use super::origin::Origin;
use super::statistics::Gatherer;
use super::store::Root;
use super::sums::{Summing, Sums};
use crate::error::LakeError;

/// Rows of one page, at most: what is read and unpacked to get at one row.
const PAGE_ROWS: usize = 4_096;

/// Bytes of one page of long values, about.
const BULK_PAGE_BYTES: usize = 128 << 10;

/// Rows after which page sizes are looked at: long values must not gather.
const CHECK_ROWS: usize = 128;

/// A file that is written and does not count yet.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Its name in the table's folder.
    pub(crate) name: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// How many rows it holds.
    pub(crate) rows: u64,
    /// Its statistics, as the log states them.
    pub(crate) statistics: String,
    /// Where its rows come from, when it was made of other files.
    pub(crate) origin: Option<Origin>,
    /// Sums over its blocks.
    pub(crate) sums: Sums,
    root: Root,
    object: String,
    kept: bool,
}

impl Staged {
    /// A commit speaks of it now: it stays.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // Should this fail, the next writer sweeps it.
            let _ = self.root.delete(&self.object);
        }
    }
}

/// What is spent on making a file small.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effort {
    /// It is compacted soon.
    Quick,
    /// It stays.
    Thorough,
}

impl Effort {
    /// The level of zstd.
    const fn level(self) -> i32 {
        match self {
            Self::Quick => 1,
            Self::Thorough => 3,
        }
    }
}

/// Writes rows, durably, file and name.
pub(crate) fn stage(
    root: &Root,
    name: String,
    (definition, effort): (&'static Definition, Effort),
    schema: &SchemaRef,
    rows: impl Iterator<Item = Result<RecordBatch, LakeError>>,
) -> Result<Staged, LakeError> {
    let object = format!("{}/{name}", definition.name);
    let draft = root.draft(&object);
    let mut staged = Staged {
        name,
        bytes: 0,
        rows: 0,
        statistics: String::new(),
        origin: None,
        sums: Sums::default(),
        root: root.clone(),
        object,
        kept: false,
    };
    let file = File::create(&draft).map_err(LakeError::io("creating", &draft))?;
    let (gathered, sums) = write_rows(file, &draft, (definition, effort), schema, rows)?;
    staged.bytes = root.publish(&staged.object)?;
    staged.rows = gathered.rows();
    staged.statistics = gathered.finish();
    staged.sums = sums;
    Ok(staged)
}

fn write_rows(
    file: File,
    path: &Path,
    (definition, effort): (&'static Definition, Effort),
    schema: &SchemaRef,
    rows: impl Iterator<Item = Result<RecordBatch, LakeError>>,
) -> Result<(Gatherer, Sums), LakeError> {
    let refuse = || LakeError::parquet("writing", path);
    let buffered = BufWriter::with_capacity(1 << 18, Summing::new(file));
    let mut groups = RowGroups::new(buffered, schema.clone(), options(definition, effort)).map_err(refuse())?;
    let mut gathered = Gatherer::new(definition);
    for batch in rows {
        let batch = batch?;
        gathered.take(&batch);
        groups.take(&batch).map_err(refuse())?;
    }
    let buffered = groups.finish().map_err(refuse())?;
    let summing = buffered.into_inner().map_err(|error| LakeError::io("writing", path)(error.into_error()))?;
    let (file, sums) = summing.finish();
    file.sync_all().map_err(LakeError::io("syncing", path))?;
    Ok((gathered, sums))
}

/// How rows of this table are laid out.
pub(crate) fn options(definition: &'static Definition, effort: Effort) -> ArrowWriterOptions {
    // Without Arrow's own copy of the schema: some readers stumble over it, and all read Parquet's.
    ArrowWriterOptions::new().with_properties(properties(definition, effort)).with_skip_arrow_metadata(true)
}

fn properties(definition: &'static Definition, effort: Effort) -> WriterProperties {
    let level = ZstdLevel::try_new(effort.level()).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("hinomi ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(CHECK_ROWS)
        .set_sorting_columns(Some(sorting(definition)));
    for column in definition.columns() {
        let path = ColumnPath::from(column.name);
        let inner = |last: &[&str]| {
            let names = [column.name, "list", "element"].into_iter().chain(last.iter().copied());
            ColumnPath::new(names.map(ToOwned::to_owned).collect())
        };
        // A dictionary is read whole for any one row: it must be small, or pay.
        let numbers = match column.kind {
            // Ascending within a row, or mostly near those of the row before: the differences are smaller numbers.
            Kind::Times => Some(inner(&[])),
            Kind::Time | Kind::Long => Some(path.clone()),
            Kind::References => {
                builder = builder.set_column_dictionary_enabled(inner(&["hash"]), false);
                None
            }
            _ => None,
        };
        if let Some(path) = numbers {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            continue;
        }
        builder = match column.habit {
            Habit::Repeats => builder,
            Habit::Names => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path, 0.01),
            Habit::Bulk => builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
                .set_column_data_page_size_limit(path, BULK_PAGE_BYTES),
        };
    }
    builder.build()
}

fn sorting(definition: &'static Definition) -> Vec<SortingColumn> {
    let place = |name: &&str| {
        let at = leaves(definition).position(|leaf| leaf == *name)?;
        Some(SortingColumn { column_idx: i32::try_from(at).ok()?, descending: false, nulls_first: true })
    };
    definition.sorted_by.iter().filter_map(place).collect()
}

/// The names of the leaf columns in file order; a list of references has two leaves.
fn leaves(definition: &Definition) -> impl Iterator<Item = &'static str> {
    definition.columns().flat_map(|column| {
        let leaves = if column.kind == Kind::References { 2 } else { 1 };
        std::iter::repeat_n(column.name, leaves)
    })
}
