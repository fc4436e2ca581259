//! Rows out of a Parquet file: all of them, some by number, or those of one address.
//!
//! At a hundred times the data: a file is read in batches of bounded size; rows by number cost the pages they lie in;
//! rows of one address cost the row groups whose statistics admit it, and in those two columns.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowFilter, RowSelection, RowSelector,
};
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::statistics::Extent;
use crate::error::LakeError;

/// Rows handed over at once.
const BATCH_ROWS: usize = 8_192;

/// Rows handed over at once when they carry long values: 128 times 256 KiB is bearable.
const BULK_BATCH_ROWS: usize = 128;

/// Which rows of a file are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows<'a> {
    /// All.
    All,
    /// All, and they carry long values: hand over few at once.
    AllBulk,
    /// Those with these numbers, ascending, each once.
    Numbers(&'a [u32]),
    /// Those of the address with these halves.
    Address((i64, i64)),
}

/// Reads the wanted rows of some columns, in file order.
pub(crate) fn read(
    path: &Path,
    columns: &[&str],
    rows: Rows<'_>,
    each: &mut dyn FnMut(&RecordBatch) -> Result<(), LakeError>,
) -> Result<(), LakeError> {
    let refuse = || LakeError::parquet("reading", path);
    let file = File::open(path).map_err(LakeError::io("opening", path))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(
        if matches!(rows, Rows::All | Rows::AllBulk) { PageIndexPolicy::Skip } else { PageIndexPolicy::Optional },
    );
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(refuse())?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let builder = builder.with_projection(mask).with_batch_size(match rows {
        Rows::All | Rows::Address(_) => BATCH_ROWS,
        Rows::AllBulk | Rows::Numbers(_) => BULK_BATCH_ROWS,
    });
    for batch in narrow(builder, rows).build().map_err(refuse())? {
        each(&batch.map_err(|error| LakeError::damaged(path.display().to_string(), &error))?)?;
    }
    Ok(())
}

fn narrow(builder: ParquetRecordBatchReaderBuilder<File>, rows: Rows<'_>) -> ParquetRecordBatchReaderBuilder<File> {
    match rows {
        Rows::All | Rows::AllBulk => builder,
        Rows::Numbers(numbers) => builder.with_row_selection(selection(numbers)),
        Rows::Address(halves) => {
            let groups = builder.metadata().row_groups().iter().enumerate();
            let wanted = groups.filter(|(_, group)| extent_of(group).may_hold(halves)).map(|(at, _)| at).collect();
            let mask = ProjectionMask::columns(builder.parquet_schema(), ["address_high", "address_low"]);
            let filter = ArrowPredicateFn::new(mask, move |batch| equal_halves(&batch, halves));
            builder.with_row_groups(wanted).with_row_filter(RowFilter::new(vec![Box::new(filter)]))
        }
    }
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

fn equal_halves(batch: &RecordBatch, (high, low): (i64, i64)) -> Result<BooleanArray, ArrowError> {
    let column = |name: &str| {
        let array = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<Int64Type>());
        array.ok_or_else(|| ArrowError::SchemaError(format!("no 64-bit column {name}")))
    };
    let (highs, lows) = (column("address_high")?, column("address_low")?);
    debug_assert_eq!(highs.null_count(), 0, "addresses are always present");
    let pairs = highs.values().iter().zip(lows.values().iter());
    Ok(BooleanArray::from_iter(pairs.map(|(a, b)| Some(*a == high && *b == low))))
}
