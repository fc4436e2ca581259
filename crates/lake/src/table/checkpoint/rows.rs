//! The actions of a checkpoint as rows of a Parquet file: one action a row, one column a kind of action.
//!
//! Delta Lake protocol, "Checkpoint Schema"; a file of one part ("Classic Checkpoint"). At a hundred times the data:
//! the file is made and read whole, about a hundred bytes an action on the disk and a kilobyte in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, MapArray, RecordBatch, StringArray, StructArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Field, Fields};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use crate::table::log::{Add, Line, MetaData, Protocol, Remove, Transaction};

/// Rows that are made and read at once.
const BATCH_ROWS: usize = 8_192;

type Texts = BTreeMap<String, Option<String>>;

/// The bytes of a checkpoint of these actions. Each line holds one.
pub(super) fn write(lines: &[Line]) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_created_by(concat!("hinomi ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()))
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let schema = batch(&[])?.schema();
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options)?;
    for lines in lines.chunks(BATCH_ROWS) {
        writer.write(&batch(lines)?)?;
    }
    writer.into_inner()
}

/// The actions of a checkpoint.
pub(super) fn read(bytes: Bytes) -> Result<Vec<Line>, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)?;
    let mut lines = Vec::new();
    for batch in builder.with_batch_size(BATCH_ROWS).build()? {
        let batch = batch?;
        lines.extend((0..batch.num_rows()).map(|row| line(&batch, row)));
    }
    Ok(lines)
}

fn batch(lines: &[Line]) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_from_iter_with_nullable([
        ("txn", transactions(lines)?, true),
        ("add", adds(lines)?, true),
        ("remove", removes(lines)?, true),
        ("metaData", meta_data(lines)?, true),
        ("protocol", protocols(lines)?, true),
    ])
}

/// Columns of one kind of action, with whether each may be absent where there is such an action.
fn action(there: Vec<bool>, columns: Vec<(&str, ArrayRef, bool)>) -> Result<ArrayRef, ArrowError> {
    let field =
        |(name, array, nullable): &(&str, ArrayRef, bool)| Field::new(*name, array.data_type().clone(), *nullable);
    let fields: Fields = columns.iter().map(field).collect();
    let arrays = columns.into_iter().map(|(_, array, _)| array).collect();
    Ok(Arc::new(StructArray::try_new(fields, arrays, Some(NullBuffer::from(there)))?))
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn longs(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn maps<'a>(values: impl Iterator<Item = Option<&'a Texts>>) -> Result<ArrayRef, ArrowError> {
    let part = |name: &str| name.to_owned();
    let names = MapFieldNames { entry: part("key_value"), key: part("key"), value: part("value") };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for map in values {
        for (key, value) in map.into_iter().flatten() {
            builder.keys().append_value(key);
            builder.values().append_option(value.as_deref());
        }
        builder.append(map.is_some())?;
    }
    Ok(Arc::new(builder.finish()))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn transactions(lines: &[Line]) -> Result<ArrayRef, ArrowError> {
    let each = || lines.iter().map(|line| line.txn.as_ref());
    let columns = vec![
        ("appId", texts(each().map(|txn| Some(txn?.app_id.as_str()))), false),
        ("version", longs(each().map(|txn| Some(signed(txn?.version)))), false),
        ("lastUpdated", longs(each().map(|txn| txn?.last_updated)), true),
    ];
    action(each().map(|txn| txn.is_some()).collect(), columns)
}

fn adds(lines: &[Line]) -> Result<ArrayRef, ArrowError> {
    let each = || lines.iter().map(|line| line.add.as_ref());
    let changes: BooleanArray = each().map(|add| add.map(|add| add.data_change)).collect();
    let columns = vec![
        ("path", texts(each().map(|add| Some(add?.path.as_str()))), false),
        ("partitionValues", maps(each().map(|add| Some(&add?.partition_values)))?, false),
        ("size", longs(each().map(|add| Some(signed(add?.size)))), false),
        ("modificationTime", longs(each().map(|add| Some(add?.modification_time))), false),
        ("dataChange", Arc::new(changes), false),
        ("stats", texts(each().map(|add| add?.stats.as_deref())), true),
        ("tags", maps(each().map(|add| add?.tags.as_ref()))?, true),
    ];
    action(each().map(|add| add.is_some()).collect(), columns)
}

fn removes(lines: &[Line]) -> Result<ArrayRef, ArrowError> {
    let each = || lines.iter().map(|line| line.remove.as_ref());
    let changes: BooleanArray = each().map(|remove| remove.map(|remove| remove.data_change)).collect();
    let columns = vec![
        ("path", texts(each().map(|remove| Some(remove?.path.as_str()))), false),
        ("deletionTimestamp", longs(each().map(|remove| remove?.deletion_timestamp)), true),
        ("dataChange", Arc::new(changes), false),
        ("tags", maps(each().map(|remove| remove?.tags.as_ref()))?, true),
    ];
    action(each().map(|remove| remove.is_some()).collect(), columns)
}

fn meta_data(lines: &[Line]) -> Result<ArrayRef, ArrowError> {
    let each = || lines.iter().map(|line| line.meta_data.as_ref());
    let there: Vec<bool> = each().map(|one| one.is_some()).collect();
    let optional = |map: &BTreeMap<String, String>| -> Texts {
        map.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect()
    };
    let configurations: Vec<Option<Texts>> = each().map(|one| one.map(|one| optional(&one.configuration))).collect();
    let options: Vec<Option<Texts>> = each().map(|one| one.map(|one| options_of(&one.format))).collect();
    let provider = |one: Option<&'_ MetaData>| {
        one.map(|one| one.format.get("provider").and_then(Value::as_str).unwrap_or("parquet").to_owned())
    };
    let providers: Vec<Option<String>> = each().map(provider).collect();
    let format = action(
        there.clone(),
        vec![
            ("provider", texts(providers.iter().map(Option::as_deref)), false),
            ("options", maps(options.iter().map(Option::as_ref))?, true),
        ],
    )?;
    let element = Field::new("element", DataType::Utf8, false);
    let mut partitions = ListBuilder::new(StringBuilder::new()).with_field(element);
    for one in each() {
        one.into_iter().flat_map(|one| &one.partition_columns).for_each(|name| partitions.values().append_value(name));
        partitions.append(one.is_some());
    }
    let columns = vec![
        ("id", texts(each().map(|one| Some(one?.id.as_str()))), false),
        ("name", texts(each().map(|one| one?.name.as_deref())), true),
        ("description", texts(each().map(|one| one?.description.as_deref())), true),
        ("format", format, false),
        ("schemaString", texts(each().map(|one| Some(one?.schema_string.as_str()))), false),
        ("partitionColumns", Arc::new(partitions.finish()), false),
        ("createdTime", longs(each().map(|one| one?.created_time)), true),
        ("configuration", maps(configurations.iter().map(Option::as_ref))?, false),
    ];
    action(there, columns)
}

fn options_of(format: &Value) -> Texts {
    let options = format.get("options").and_then(Value::as_object);
    let text = |(name, value): (&String, &Value)| (name.clone(), value.as_str().map(ToOwned::to_owned));
    options.into_iter().flatten().map(text).collect()
}

fn protocols(lines: &[Line]) -> Result<ArrayRef, ArrowError> {
    let each = || lines.iter().map(|line| line.protocol.as_ref());
    let small = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let ints = |values: Int32Array| -> ArrayRef { Arc::new(values) };
    let columns = vec![
        ("minReaderVersion", ints(each().map(|one| Some(small(one?.min_reader_version))).collect()), false),
        ("minWriterVersion", ints(each().map(|one| Some(small(one?.min_writer_version))).collect()), false),
    ];
    action(each().map(|one| one.is_some()).collect(), columns)
}

/// One row of one kind of action, when there is that action.
struct Action<'a> {
    columns: &'a StructArray,
    row: usize,
}

impl<'a> Action<'a> {
    fn of(batch: &'a RecordBatch, name: &str, row: usize) -> Option<Self> {
        Self::inside(batch.column_by_name(name)?, row)
    }

    fn inside(array: &'a ArrayRef, row: usize) -> Option<Self> {
        let columns = array.as_struct_opt().filter(|columns| columns.is_valid(row))?;
        Some(Self { columns, row })
    }

    fn column(&self, name: &str) -> Option<&'a ArrayRef> {
        self.columns.column_by_name(name).filter(|column| column.is_valid(self.row))
    }

    fn text(&self, name: &str) -> Option<String> {
        Some(self.column(name)?.as_string_opt::<i32>()?.value(self.row).to_owned())
    }

    fn long(&self, name: &str) -> Option<i64> {
        Some(self.column(name)?.as_primitive_opt::<Int64Type>()?.value(self.row))
    }

    fn int(&self, name: &str) -> Option<u64> {
        u64::try_from(self.column(name)?.as_primitive_opt::<Int32Type>()?.value(self.row)).ok()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        Some(self.column(name)?.as_boolean_opt()?.value(self.row))
    }

    fn map(&self, name: &str) -> Option<Texts> {
        let map: &MapArray = self.column(name)?.as_map_opt()?;
        let entries = map.value(self.row);
        let (keys, values) = (entries.column(0).as_string_opt::<i32>()?, entries.column(1).as_string_opt::<i32>()?);
        let pairs = keys.iter().zip(values.iter());
        Some(pairs.filter_map(|(key, value)| Some((key?.to_owned(), value.map(ToOwned::to_owned)))).collect())
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        let values = self.column(name)?.as_list_opt::<i32>()?.value(self.row);
        Some(values.as_string_opt::<i32>()?.iter().flatten().map(ToOwned::to_owned).collect())
    }

    fn inner(&self, name: &str) -> Option<Self> {
        Self::inside(self.columns.column_by_name(name)?, self.row)
    }
}

/// The action of a row; what has not the shape of one is none, and is missed by who counts them.
fn line(batch: &RecordBatch, row: usize) -> Line {
    let of = |name| Action::of(batch, name, row);
    Line {
        commit_info: None,
        protocol: of("protocol").and_then(|one| protocol(&one)),
        meta_data: of("metaData").and_then(|one| meta_data_of(&one)),
        add: of("add").and_then(|one| add(&one)),
        remove: of("remove").and_then(|one| remove(&one)),
        txn: of("txn").and_then(|one| transaction(&one)),
    }
}

fn protocol(one: &Action<'_>) -> Option<Protocol> {
    Some(Protocol {
        min_reader_version: one.int("minReaderVersion")?,
        min_writer_version: one.int("minWriterVersion")?,
    })
}

fn meta_data_of(one: &Action<'_>) -> Option<MetaData> {
    let format = one.inner("format")?;
    let options = format.map("options").unwrap_or_default();
    let configuration = one.map("configuration").unwrap_or_default();
    Some(MetaData {
        id: one.text("id")?,
        name: one.text("name"),
        description: one.text("description"),
        format: json!({ "provider": format.text("provider")?, "options": options }),
        schema_string: one.text("schemaString")?,
        partition_columns: one.list("partitionColumns")?,
        configuration: configuration.into_iter().filter_map(|(key, value)| Some((key, value?))).collect(),
        created_time: one.long("createdTime"),
    })
}

fn add(one: &Action<'_>) -> Option<Add> {
    Some(Add {
        path: one.text("path")?,
        partition_values: one.map("partitionValues").unwrap_or_default(),
        size: u64::try_from(one.long("size")?).ok()?,
        modification_time: one.long("modificationTime")?,
        data_change: one.flag("dataChange")?,
        stats: one.text("stats"),
        tags: one.map("tags"),
    })
}

fn remove(one: &Action<'_>) -> Option<Remove> {
    Some(Remove {
        path: one.text("path")?,
        deletion_timestamp: one.long("deletionTimestamp"),
        data_change: one.flag("dataChange")?,
        tags: one.map("tags"),
    })
}

fn transaction(one: &Action<'_>) -> Option<Transaction> {
    Some(Transaction {
        app_id: one.text("appId")?,
        version: u64::try_from(one.long("version")?).ok()?,
        last_updated: one.long("lastUpdated"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts_of(name: &str) -> Texts {
        [(name.to_owned(), Some("1".to_owned())), ("none".to_owned(), None)].into()
    }

    #[test]
    fn actions_come_back_as_they_were() {
        let protocol = Protocol { min_reader_version: 1, min_writer_version: 2 };
        let meta_data = MetaData {
            id: "a-b".to_owned(),
            name: Some("sightings".to_owned()),
            description: None,
            format: json!({ "provider": "parquet", "options": {} }),
            schema_string: "{}".to_owned(),
            partition_columns: vec!["day".to_owned()],
            configuration: [("hinomi.format".to_owned(), "2".to_owned())].into(),
            created_time: Some(7),
        };
        let add = Add {
            path: "a.parquet".to_owned(),
            partition_values: Texts::new(),
            size: 9,
            modification_time: -1,
            data_change: false,
            stats: Some("{\"numRecords\":1}".to_owned()),
            tags: Some(texts_of("t")),
        };
        let bare = Add { stats: None, tags: None, ..add.clone() };
        let remove =
            Remove { path: "b.parquet".to_owned(), deletion_timestamp: Some(3), data_change: true, tags: None };
        let txn = Transaction { app_id: "x".to_owned(), version: 5, last_updated: None };
        let lines = vec![
            Line { protocol: Some(protocol), ..Line::default() },
            Line { meta_data: Some(meta_data), ..Line::default() },
            Line { txn: Some(txn), ..Line::default() },
            Line { add: Some(add), ..Line::default() },
            Line { add: Some(bare), ..Line::default() },
            Line { remove: Some(remove), ..Line::default() },
        ];
        let told = |lines: &[Line]| serde_json::to_value(lines).unwrap();
        let back = read(write(&lines).unwrap().into()).unwrap();
        assert_eq!(told(&back), told(&lines));
        assert!(read(write(&[]).unwrap().into()).unwrap().is_empty());
        assert!(read(Bytes::from_static(b"no parquet")).is_err());
    }
}
