//! Rows out of a Parquet file: all of them, some by number, or those of some addresses or names.
//!
//! At a hundred times the data: a file is read in batches of bounded size; rows by number cost the pages they lie in;
//! rows of some addresses or names cost the pages whose bounds admit them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter,
    RowSelection, RowSelector,
};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::Length;
use parquet::file::statistics::Statistics;

use super::same::Same;
use super::statistics::{Extent, number_of};
use super::store::{Input, Root};
use super::sums::{Checked, Sums};
use crate::error::LakeError;
use crate::query::AddressRanges;

/// Rows handed over at once.
const BATCH_ROWS: usize = 8_192;

/// Rows handed over at once when they carry long values: 128 times 256 KiB is bearable.
const BULK_BATCH_ROWS: usize = 128;

/// Rows handed over at once where many files are read side by side.
const STREAM_ROWS: usize = 1_024;

/// The same of long values: 16 times 256 KiB, times the files.
const BULK_STREAM_ROWS: usize = 16;

/// Observations handed over at once, about, where a row may stand for several.
const BATCH_LOOKS: u64 = 1_000_000;

/// The same where many files are read side by side.
const STREAM_LOOKS: u64 = 65_536;

/// Where a data file is, and what its bytes are checked against while they are read.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    root: Root,
    name: String,
    path: PathBuf,
    sums: Option<Arc<Sums>>,
    looks_a_row: u64,
}

impl Located {
    /// The object of this name, with the sums over its blocks where its commit has them.
    pub(crate) fn new(root: &Root, name: String, sums: Option<Arc<Sums>>) -> Self {
        Self { root: root.clone(), path: root.place(&name), name, sums, looks_a_row: 1 }
    }

    /// The same, of a file whose rows stand for so many observations in the mean: fewer rows are read at once.
    pub(crate) fn with_looks_a_row(self, looks_a_row: u64) -> Self {
        Self { looks_a_row, ..self }
    }

    /// So many rows at once, and no more than hold so many observations.
    fn rows_at_once(&self, rows: usize, looks: u64) -> usize {
        let fitting = looks / self.looks_a_row.max(1);
        usize::try_from(fitting).unwrap_or(rows).clamp(1, rows)
    }
}

impl AsRef<Path> for Located {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl std::ops::Deref for Located {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

/// Which rows of a file are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows<'a> {
    /// All.
    All,
    /// All, and they carry long values: hand over few at once.
    AllBulk,
    /// Those with these numbers, ascending, each once.
    Numbers(&'a [u32]),
    /// So many from this one on; they carry long values.
    Span {
        /// The first, counted from 0.
        from: usize,
        /// How many.
        count: usize,
    },
    /// Those of the address with these halves.
    Address((i64, i64)),
    /// Those of these addresses.
    Within(&'a Arc<AddressRanges>),
    /// Those that have one of these texts, ascending, in a column of theirs.
    Named(&'static str, &'a Arc<[String]>),
}

/// What a file says of itself in its footer, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Rows in it.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
}

/// Reads the footer of a file.
pub(crate) fn outline(from: &Located) -> Result<Outline, LakeError> {
    let path = from.as_ref();
    let file = open(from)?;
    let bytes = file.len();
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
    let rows = builder.map_err(LakeError::parquet("reading", path))?.metadata().file_metadata().num_rows();
    Ok(Outline { rows: u64::try_from(rows).unwrap_or(0), bytes })
}

/// What the addresses of each row group lie between, and how many rows are in it.
pub(crate) fn groups(from: &Located) -> Result<Vec<(Extent, u64)>, LakeError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(open(from)?, options);
    let builder = builder.map_err(LakeError::parquet("reading", from.as_ref()))?;
    let group = |group: &RowGroupMetaData| (extent_of(group), u64::try_from(group.num_rows()).unwrap_or(0));
    Ok(builder.metadata().row_groups().iter().map(group).collect())
}

/// Compares every block of a file with its sum, also those that no row lies in.
pub(crate) fn compare_all(from: &Located) -> Result<(), LakeError> {
    open(from)?.compare_all().map_err(LakeError::parquet("reading", from.as_ref()))
}

/// The same of a copy of it on this machine; whether there were sums to compare with.
pub(crate) fn compare_copy(of: &Located, copy: &Path) -> Result<bool, LakeError> {
    let file = File::open(copy).map_err(LakeError::io("opening", copy))?;
    Checked::new(Input::File(file), of.sums.clone())
        .compare_all()
        .map_err(LakeError::parquet("reading", of.as_ref()))?;
    Ok(of.sums.is_some())
}

fn open(from: &Located) -> Result<Checked<Input>, LakeError> {
    Ok(Checked::new(from.root.open(&from.name)?, from.sums.clone()))
}

/// Reads the wanted rows of some columns, in file order.
pub(crate) fn read(
    from: &Located,
    columns: &[&str],
    rows: Rows<'_>,
    each: &mut dyn FnMut(&RecordBatch) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    for batch in batches(from, columns, rows, None)? {
        each(&batch.map_err(|error| LakeError::damaged(from.display().to_string(), &error))?)?;
    }
    Ok(())
}

/// The wanted rows of some columns, in file order, a few at a time: for who reads many files side by side.
pub(crate) fn stream(
    from: &Located,
    columns: &[&str],
    rows: Rows<'_>,
) -> Result<impl Iterator<Item = Result<RecordBatch, LakeError>> + use<>, LakeError> {
    let fewer = if matches!(rows, Rows::AllBulk) { BULK_STREAM_ROWS } else { STREAM_ROWS };
    let batches = batches(from, columns, rows, Some(fewer))?;
    let path = from.to_path_buf();
    let refuse = move |error| LakeError::damaged(path.display().to_string(), &error);
    Ok(batches.map(move |batch| batch.map_err(&refuse)))
}

fn batches(
    from: &Located,
    columns: &[&str],
    rows: Rows<'_>,
    batch_rows: Option<usize>,
) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>> + use<>, LakeError> {
    let path = from.as_ref();
    let refuse = || LakeError::parquet("reading", path);
    let input = open(from)?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let footer = if matches!(rows, Rows::All | Rows::AllBulk) {
        ArrowReaderMetadata::load(&input, options.with_page_index_policy(PageIndexPolicy::Skip))
    } else {
        let indexed = options.with_page_index_policy(PageIndexPolicy::Optional);
        from.root.footers.of(&from.name, || ArrowReaderMetadata::load(&input, indexed))
    };
    let builder = Builder::new_with_metadata(input, footer.map_err(refuse())?);
    // Without sums a footer is not to be believed more than the pages.
    let same = if from.sums.is_some() { same(&builder, columns, rows) } else { Same::default() };
    let read = columns.iter().copied().filter(|column| !same.has(column));
    let mask = ProjectionMask::columns(builder.parquet_schema(), read);
    let builder = builder.with_projection(mask).with_batch_size(match (batch_rows, rows) {
        (Some(fewer), _) => from.rows_at_once(fewer, STREAM_LOOKS),
        (None, Rows::All | Rows::Address(_) | Rows::Within(_)) => from.rows_at_once(BATCH_ROWS, BATCH_LOOKS),
        (None, Rows::AllBulk | Rows::Numbers(_) | Rows::Named(..) | Rows::Span { .. }) => BULK_BATCH_ROWS,
    });
    let reader = narrow(builder, rows).build().map_err(refuse())?;
    Ok(reader.map(move |batch| same.add_to(batch?)))
}

/// Columns that need not be read, since one value stands in all row groups in which something is wanted.
fn same(builder: &Builder, columns: &[&str], rows: Rows<'_>) -> Same {
    let wanted = |group: &&RowGroupMetaData| match rows {
        Rows::Address(halves) => extent_of(group).may_hold(halves),
        Rows::Within(ranges) => extent_of(group).may_touch(ranges),
        _ => true,
    };
    let groups: Vec<_> = builder.metadata().row_groups().iter().filter(wanted).collect();
    Same::of(builder.schema(), &groups, columns)
}

type Builder = ParquetRecordBatchReaderBuilder<Checked<Input>>;

fn narrow(builder: Builder, rows: Rows<'_>) -> Builder {
    match rows {
        Rows::All | Rows::AllBulk => builder,
        Rows::Numbers(numbers) => builder.with_row_selection(selection(numbers)),
        Rows::Span { from, count } => {
            let span = vec![RowSelector::skip(from), RowSelector::select(count)];
            builder.with_row_selection(RowSelection::from(span))
        }
        Rows::Address(halves) => {
            let builder = some_pages(builder, |extent| extent.may_hold(halves));
            let mask = ProjectionMask::columns(builder.parquet_schema(), ["address_high", "address_low"]);
            let filter = ArrowPredicateFn::new(mask, move |batch| equal_halves(&batch, halves));
            builder.with_row_filter(RowFilter::new(vec![Box::new(filter)]))
        }
        Rows::Within(ranges) => {
            let builder = some_pages(builder, |extent| extent.may_touch(ranges));
            let mask = ProjectionMask::columns(builder.parquet_schema(), ["address_high", "address_low"]);
            let ranges = Arc::clone(ranges);
            let filter = ArrowPredicateFn::new(mask, move |batch| {
                each_halves(&batch, |halves| ranges.contains_number(number_of(halves)))
            });
            builder.with_row_filter(RowFilter::new(vec![Box::new(filter)]))
        }
        Rows::Named(column, names) => {
            let builder = named_pages(builder, column, names);
            let mask = ProjectionMask::columns(builder.parquet_schema(), [column]);
            let names = Arc::clone(names);
            let is_named = move |text: &str| names.binary_search_by(|name| name.as_str().cmp(text)).is_ok();
            let filter = ArrowPredicateFn::new(mask, move |batch| {
                let texts = batch.column_by_name(column).and_then(|array| array.as_string_opt::<i32>());
                let texts = texts.ok_or_else(|| ArrowError::SchemaError(format!("no texts in column {column}")))?;
                Ok(BooleanArray::from_iter(texts.iter().map(|text| Some(text.is_some_and(&is_named)))))
            });
            builder.with_row_filter(RowFilter::new(vec![Box::new(filter)]))
        }
    }
}

/// Leaves the pages in which one of these texts may stand.
fn named_pages(builder: Builder, column: &str, names: &[String]) -> Builder {
    let footer = Arc::clone(builder.metadata());
    let mut selectors = Vec::new();
    for (at, group) in footer.row_groups().iter().enumerate() {
        let all = usize::try_from(group.num_rows()).unwrap_or(0);
        let index = footer.page_index_for_row_group(at);
        let column = group.columns().iter().position(|one| one.column_path().string() == column);
        let told = column.and_then(|column| Some((index.column_index(column)?, index.page_locations(column)?)));
        let Some((ColumnIndexMetaData::BYTE_ARRAY(texts), places)) = told else {
            selectors.push(RowSelector::select(all));
            continue;
        };
        let bounds = texts.min_values_iter().zip(texts.max_values_iter());
        // What a file cuts short it rounds up and down, so that bounds hold all the same.
        let may_hold = |(min, max): (Option<&[u8]>, Option<&[u8]>)| {
            let (Some(min), Some(max)) = (min, max) else { return false };
            names.get(names.partition_point(|name| name.as_bytes() < min)).is_some_and(|name| name.as_bytes() <= max)
        };
        let pages: Vec<_> = bounds.map(may_hold).zip(rows_of_pages(places, all)).collect();
        if pages.iter().map(|(_, rows)| rows).sum::<usize>() != all {
            selectors.push(RowSelector::select(all));
            continue;
        }
        selectors.extend(pages.into_iter().map(|(may, rows)| match may {
            true => RowSelector::select(rows),
            false => RowSelector::skip(rows),
        }));
    }
    builder.with_row_selection(RowSelection::from(selectors))
}

/// How many rows are in each page of a row group with so many.
fn rows_of_pages(places: &[PageLocation], all: usize) -> impl Iterator<Item = usize> {
    let begin = |place: &PageLocation| usize::try_from(place.first_row_index).unwrap_or(0);
    let ends = places.iter().skip(1).map(begin).chain([all]);
    places.iter().map(begin).zip(ends).map(|(begin, end)| end.saturating_sub(begin))
}

/// Leaves the row groups, and in them the pages, whose addresses lie where something is wanted.
fn some_pages(builder: Builder, wanted: impl Fn(&Extent) -> bool) -> Builder {
    let footer = Arc::clone(builder.metadata());
    let (mut groups, mut selectors) = (Vec::new(), Vec::new());
    for (at, group) in footer.row_groups().iter().enumerate().filter(|(_, group)| wanted(&extent_of(group))) {
        groups.push(at);
        for (extent, rows) in pages_of(&footer, at, group) {
            selectors.push(if wanted(&extent) { RowSelector::select(rows) } else { RowSelector::skip(rows) });
        }
    }
    builder.with_row_groups(groups).with_row_selection(RowSelection::from(selectors))
}

/// What the addresses of each page lie between, and how many rows are in it; one page where the file does not tell.
fn pages_of(footer: &ParquetMetaData, at: usize, group: &RowGroupMetaData) -> Vec<(Extent, usize)> {
    let (whole, index) = (extent_of(group), footer.page_index_for_row_group(at));
    let all = usize::try_from(group.num_rows()).unwrap_or(0);
    let column = group.columns().iter().position(|column| column.column_path().string() == "address_low");
    let told = column.and_then(|column| Some((index.column_index(column)?, index.page_locations(column)?)));
    let Some((ColumnIndexMetaData::INT64(lows), places)) = told else { return vec![(whole, all)] };
    let bounds = lows.min_values_iter().zip(lows.max_values_iter());
    let low = |(min, max): (Option<&i64>, Option<&i64>)| min.zip(max).map_or(whole.low, |(min, max)| (*min, *max));
    let pages = bounds.zip(rows_of_pages(places, all));
    let pages = pages.map(|(bounds, rows)| (Extent { low: low(bounds), ..whole }, rows));
    let pages: Vec<_> = pages.collect();
    if pages.iter().map(|(_, rows)| rows).sum::<usize>() == all { pages } else { vec![(whole, all)] }
}

fn selection(numbers: &[u32]) -> RowSelection {
    let mut selectors = Vec::with_capacity(numbers.len() * 2);
    let mut next = 0;
    for number in numbers.iter().filter_map(|number| usize::try_from(*number).ok()) {
        if let Some(gap) = number.checked_sub(next).filter(|gap| *gap > 0) {
            selectors.push(RowSelector::skip(gap));
        }
        selectors.push(RowSelector::select(1));
        next = number + 1;
    }
    RowSelection::from(selectors)
}

fn extent_of(group: &RowGroupMetaData) -> Extent {
    let half = |name: &str| {
        let column = group.columns().iter().find(|column| column.column_path().string() == name)?;
        let Statistics::Int64(values) = column.statistics()? else { return None };
        Some((*values.min_opt()?, *values.max_opt()?))
    };
    let all = Extent::ALL;
    Extent { high: half("address_high").unwrap_or(all.high), low: half("address_low").unwrap_or(all.low), ..all }
}

fn equal_halves(batch: &RecordBatch, wanted: (i64, i64)) -> Result<BooleanArray, ArrowError> {
    each_halves(batch, |halves| halves == wanted)
}

fn each_halves(batch: &RecordBatch, wanted: impl Fn((i64, i64)) -> bool) -> Result<BooleanArray, ArrowError> {
    let column = |name: &str| {
        let array = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<Int64Type>());
        array.ok_or_else(|| ArrowError::SchemaError(format!("no 64-bit column {name}")))
    };
    let (highs, lows) = (column("address_high")?, column("address_low")?);
    debug_assert_eq!(highs.null_count(), 0, "addresses are always present");
    let pairs = highs.values().iter().zip(lows.values().iter());
    Ok(BooleanArray::from_iter(pairs.map(|(high, low)| Some(wanted((*high, *low))))))
}
