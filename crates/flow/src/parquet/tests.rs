//! Tables written with the library, and damaged ones.

#![expect(clippy::indexing_slicing, reason = "tests may panic")]

use std::sync::Arc;

use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use hinomi_model::Timestamp;
use proptest::prelude::*;

use super::hostile::footer_at;
use super::*;

const START: i64 = 1_764_000_000_000_000;

/// A column of a test's table: its type in words, and values with nulls.
#[derive(Clone)]
pub(super) enum Column {
    Small(&'static str, Vec<Option<i32>>),
    Large(&'static str, Vec<Option<i64>>),
    Text(&'static str, Vec<Option<&'static str>>),
}

impl Column {
    const fn about(&self) -> &'static str {
        match self {
            Self::Small(about, _) | Self::Large(about, _) | Self::Text(about, _) => about,
        }
    }

    fn name(&self) -> &'static str {
        self.about().split([' ', ';']).nth(2).expect("repetition, type, name")
    }

    fn write(&self, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) {
        let text = |text: Option<&str>| text.map(|text| ByteArray::from(text.as_bytes().to_vec()));
        match self {
            Self::Small(_, values) => put::<Int32Type>(group, values.clone()),
            Self::Large(_, values) => put::<Int64Type>(group, values.clone()),
            Self::Text(_, values) => put::<ByteArrayType>(group, values.iter().map(|each| text(*each)).collect()),
        }
    }
}

fn put<T: DataType>(group: &mut SerializedRowGroupWriter<'_, Vec<u8>>, values: Vec<Option<T::T>>) {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    let mut column = group.next_column().expect("a column").expect("one more");
    column.typed::<T>().write_batch(&values, Some(&levels), None).expect("written");
    column.close().expect("closed");
}

/// A file of groups with the same columns.
pub(super) fn file(columns: &[Column], groups: usize, compression: Compression) -> Vec<u8> {
    let leaves: Vec<String> = columns.iter().map(|column| format!("{};", column.about())).collect();
    let schema = Arc::new(parse_message_type(&format!("message flows {{ {} }}", leaves.join(" "))).expect("a schema"));
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).expect("a writer");
    for _ in 0..groups {
        let mut group = writer.next_row_group().expect("a group");
        columns.iter().for_each(|column| column.write(&mut group));
        group.close().expect("closed");
    }
    writer.into_inner().expect("written")
}

pub(super) fn plain(columns: &[Column]) -> Vec<u8> {
    file(columns, 1, Compression::UNCOMPRESSED)
}

/// Two flows: one of both directions, one of which only what is needed is known.
pub(super) fn two() -> Vec<Column> {
    vec![
        Column::Large("optional int64 start (TIMESTAMP(MICROS,true))", vec![Some(START), Some(START + 5)]),
        Column::Large("optional int64 end (TIMESTAMP(MICROS,true))", vec![Some(START + 1_000), None]),
        Column::Text("optional binary src (STRING)", vec![Some("192.0.2.1"), Some("2001:db8::1")]),
        Column::Text("optional binary dst (STRING)", vec![Some("203.0.113.5"), Some("2001:db8:f::5")]),
        Column::Small("optional int32 src_port (INTEGER(16,false))", vec![Some(40_000), None]),
        Column::Small("optional int32 dst_port (INTEGER(16,false))", vec![Some(1_337), None]),
        Column::Small("optional int32 protocol", vec![Some(6), Some(58)]),
        Column::Large("optional int64 packets (INTEGER(64,false))", vec![Some(3), Some(1)]),
        Column::Large("optional int64 bytes", vec![Some(180), Some(64)]),
        Column::Small("optional int32 tcp_flags", vec![Some(0x1b), None]),
        Column::Large("optional int64 packets_back", vec![Some(2), None]),
        Column::Large("optional int64 bytes_back", vec![Some(120), None]),
        Column::Small("optional int32 tcp_flags_back", vec![Some(0x12), None]),
        Column::Small("optional int32 sampling", vec![Some(1_000), None]),
        Column::Text("optional binary comment (STRING)", vec![Some("never read"), None]),
    ]
}

/// The same with one column changed.
fn with(change: Column) -> Vec<Column> {
    let name = change.name();
    let kept = two().into_iter().filter(|column| column.name() != name);
    kept.chain([change]).collect()
}

fn without(name: &str) -> Vec<Column> {
    two().into_iter().filter(|column| column.name() != name).collect()
}

pub(super) type Outcome = (Vec<FlowRecord>, Vec<FileError>, Counts);

pub(super) fn read_all(bytes: &[u8]) -> Outcome {
    let mut reader = Flows::of_stream(bytes);
    let (mut flows, mut errors) = (Vec::new(), Vec::new());
    for item in reader.by_ref() {
        match item {
            Ok(flow) => flows.push(flow),
            Err(error) => errors.push(error),
        }
    }
    (flows, errors, reader.counts().clone())
}

pub(super) fn reasons(bytes: &[u8]) -> Vec<Reason> {
    read_all(bytes).1.iter().filter_map(FileError::reason).collect()
}

#[test]
fn rows_are_flows_and_what_is_null_is_not_known() {
    for compression in [Compression::UNCOMPRESSED, Compression::ZSTD(ZstdLevel::default())] {
        let (flows, errors, counts) = read_all(&file(&two(), 1, compression));
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(counts.records, 2);
        let first = flows[0];
        assert_eq!(
            (first.source.to_string(), first.destination.to_string()),
            ("192.0.2.1".into(), "203.0.113.5".into())
        );
        assert_eq!(
            (first.source_port, first.destination_port, first.protocol, first.sampling),
            (40_000, 1_337, 6, 1_000)
        );
        assert_eq!((first.start, first.end), (Timestamp::from_micros(START), Timestamp::from_micros(START + 1_000)));
        assert_eq!((first.forward.packets, first.forward.bytes, first.forward.tcp_flags), (3, 180, 0x1b));
        assert_eq!(first.reverse.map(|back| (back.packets, back.bytes, back.tcp_flags)), Some((2, 120, 0x12)));
        let second = flows[1];
        assert_eq!((second.source_port, second.reverse, second.sampling), (0, None, 0));
        assert_eq!(second.end, second.start);
    }
}

#[test]
fn a_file_and_a_pipe_give_the_same() {
    let bytes = file(&two(), 3, Compression::UNCOMPRESSED);
    let path = std::env::temp_dir().join(format!("hinomi-flow-{}.parquet", std::process::id()));
    std::fs::write(&path, &bytes).expect("written");
    let of_file: Vec<_> = Flows::of_file(File::open(&path).expect("there")).map(Result::unwrap).collect();
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(of_file.len(), 6);
    assert_eq!(of_file, read_all(&bytes).0);
}

#[test]
fn times_of_any_unit_are_the_same_moment() {
    let of = |column| read_all(&plain(&with(column))).0.first().map(|flow| flow.start.as_micros());
    let values = |value: i64| vec![Some(value), Some(value)];
    let without_end = |about, value| {
        let columns: Vec<_> =
            with(Column::Large(about, values(value))).into_iter().filter(|c| c.name() != "end").collect();
        read_all(&plain(&columns)).0.first().map(|flow| flow.start.as_micros())
    };
    assert_eq!(of(Column::Large("optional int64 start (TIMESTAMP(MICROS,false))", values(START))), Some(START));
    assert_eq!(of(Column::Large("optional int64 start", values(START))), Some(START));
    let millis = START / 1_000;
    assert_eq!(without_end("optional int64 start (TIMESTAMP(MILLIS,true))", millis), Some(millis * 1_000));
    assert_eq!(without_end("optional int64 start (TIMESTAMP(NANOS,true))", START * 1_000 + 999), Some(START));
}

#[test]
fn a_file_that_does_not_keep_to_the_schema_says_which_column() {
    assert_eq!(reasons(&plain(&without("dst_port"))), [Reason::MissingColumn("dst_port")]);
    let text = Column::Text("optional binary bytes (STRING)", vec![Some("180"), Some("64")]);
    assert_eq!(reasons(&plain(&with(text))), [Reason::WrongType("bytes")]);
    let date = Column::Small("optional int32 protocol (DATE)", vec![Some(6), Some(58)]);
    assert_eq!(reasons(&plain(&with(date))), [Reason::WrongType("protocol")]);
    let number = Column::Large("optional int64 src", vec![Some(1), Some(2)]);
    assert_eq!(reasons(&plain(&with(number))), [Reason::WrongType("src")]);
    let list = "message flows { required group src (LIST) { repeated group list { required binary element; } } }";
    let schema = Arc::new(parse_message_type(list).expect("a schema"));
    let writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).expect("a writer");
    assert_eq!(reasons(&writer.into_inner().expect("written")), [Reason::MissingColumn("start")]);
}

#[test]
fn a_row_that_makes_no_flow_is_left_out_under_its_reason_and_the_next_is_read() {
    let cases = [
        (Column::Text("optional binary src (STRING)", vec![None, Some("192.0.2.9")]), Reason::MissingValue("src")),
        (Column::Text("optional binary dst", vec![Some("example.net"), Some("192.0.2.9")]), Reason::BadValue("dst")),
        (Column::Small("optional int32 src_port", vec![Some(65_536), Some(1)]), Reason::BadValue("src_port")),
        (Column::Small("optional int32 dst_port", vec![Some(-1), Some(1)]), Reason::BadValue("dst_port")),
        (Column::Large("optional int64 packets", vec![None, Some(1)]), Reason::MissingValue("packets")),
        (Column::Large("optional int64 end", vec![Some(START - 1), None]), Reason::BadValue("end")),
        (Column::Large("optional int64 start", vec![Some(-1), Some(START)]), Reason::BadValue("start")),
        (Column::Large("optional int64 start", vec![Some(i64::MAX), Some(START)]), Reason::BadValue("start")),
    ];
    for (column, reason) in cases {
        let (flows, errors, counts) = read_all(&plain(&with(column)));
        assert_eq!((flows.len(), errors.len(), counts.records), (1, 1, 1), "{reason:?}");
        assert_eq!(counts.left_out.into_iter().collect::<Vec<_>>(), [(reason, 1)]);
        assert!(errors[0].to_string().starts_with("row 1:"), "{}", errors[0]);
    }
}

#[test]
fn a_damaged_group_counts_with_all_its_rows_and_the_next_one_is_read() {
    let mut bytes = file(&two(), 3, Compression::ZSTD(ZstdLevel::default()));
    // The first group stands right behind the magic.
    bytes.iter_mut().skip(4).take(60).for_each(|byte| *byte = 0xff);
    let (flows, errors, counts) = read_all(&bytes);
    assert_eq!((flows.len(), errors.len(), counts.left_out_in_all()), (4, 1, 2), "{errors:?}");
    assert!(matches!(errors[0].reason(), Some(Reason::Undecodable(_))), "{errors:?}");
}

#[test]
fn what_is_no_whole_file_is_refused() {
    let bytes = plain(&two());
    for length in 0..bytes.len() {
        assert_eq!(reasons(&bytes[..length]), [Reason::Footer], "{length}");
    }
    let tail = |footer: u32, magic: &[u8]| [b"PAR1".as_slice(), &footer.to_le_bytes(), magic].concat();
    assert_eq!(reasons(&tail(0, b"PARE")), [Reason::Encrypted]);
    assert_eq!(reasons(&tail(u32::MAX, b"PAR1")), [Reason::TooLarge("the footer")]);
    assert_eq!(reasons(&tail(4, b"PAR1")), [Reason::Footer]);
}

/// What others write: DuckDB and pyarrow, where Python has them.
#[test]
fn files_of_other_programs_are_read() {
    let folder = std::env::temp_dir().join(format!("hinomi-flow-peers-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for (module, script) in [("duckdb", DUCKDB), ("pyarrow", PYARROW)] {
        let path = folder.join(format!("{module}.parquet"));
        let ran = std::process::Command::new("python3").args(["-c", script]).arg(&path).output();
        if !ran.as_ref().is_ok_and(|output| output.status.success()) {
            assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "Python with {module} is not here");
            eprintln!("stands aside: Python with {module} is not here");
            continue;
        }
        let (flows, errors, counts) = read_all(&std::fs::read(&path).expect("written"));
        assert!(errors.is_empty(), "{module}: {errors:?}");
        assert_eq!((flows.len(), counts.records), (3_000, 3_000), "{module}");
        let flow = flows[7];
        assert_eq!((flow.destination_port, flow.protocol, flow.forward.bytes), (4_444, 6, 1_007), "{module}");
        assert_eq!(flow.end.as_micros() - flow.start.as_micros(), 1_500_000, "{module}");
        assert_eq!(flow.source.to_string(), "192.0.2.7", "{module}");
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

const DUCKDB: &str = r#"
import duckdb, sys
duckdb.sql("""COPY (SELECT TIMESTAMP '2026-11-22 10:00:00' + to_seconds(i) AS start,
    TIMESTAMP '2026-11-22 10:00:01.5' + to_seconds(i) AS "end",
    '192.0.2.' || (i % 250) AS src, '203.0.113.9' AS dst, 40000 + i % 1000 AS src_port, 4444::USMALLINT AS dst_port,
    6::UTINYINT AS protocol, i + 1 AS packets, (1000 + i)::UBIGINT AS bytes FROM range(3000) AS t(i) ORDER BY i)
    TO '""" + sys.argv[1] + """' (FORMAT parquet, COMPRESSION zstd)""")
"#;

const PYARROW: &str = r#"
import datetime, sys
import pyarrow as pa, pyarrow.parquet as pq
first = datetime.datetime(2026, 11, 22, 10, tzinfo=datetime.timezone.utc)
n = range(3000)
def time(offset):
    return pa.array([first + datetime.timedelta(seconds=i + offset) for i in n], pa.timestamp("us", tz="UTC"))
pq.write_table(pa.table({"start": time(0), "end": time(1.5), "src": ["192.0.2.%d" % (i % 250) for i in n],
    "dst": ["203.0.113.9"] * 3000, "src_port": pa.array([40000 + i % 1000 for i in n], pa.uint16()),
    "dst_port": pa.array([4444] * 3000, pa.int32()), "protocol": pa.array([6] * 3000, pa.uint8()),
    "packets": pa.array([i + 1 for i in n], pa.int64()), "bytes": pa.array([1000 + i for i in n], pa.uint64())}),
    sys.argv[1], compression="zstd", row_group_size=1000, data_page_version="2.0")
"#;

proptest! {
    /// Any one byte of a file changed: every row is a flow or counted, nothing panics.
    #[test]
    fn a_changed_byte_loses_no_row_silently(at in any::<prop::sample::Index>(), to in any::<u8>(), packed in any::<bool>()) {
        let compression = if packed { Compression::ZSTD(ZstdLevel::default()) } else { Compression::UNCOMPRESSED };
        let mut bytes = file(&two(), 2, compression);
        let footer = footer_at(&bytes);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let (flows, errors, counts) = read_all(&bytes);
        prop_assert_eq!(counts.records, u64::try_from(flows.len()).unwrap());
        prop_assert!(counts.left_out_in_all() >= u64::try_from(errors.len()).unwrap());
        let told = counts.records.saturating_add(counts.left_out_in_all());
        let ends = errors.iter().any(FileError::ends_the_file);
        // What the footer promises may become more by a change to it, and never less.
        prop_assert!(told == 4 || ends || at >= footer && told > 4, "{told} {errors:?}");
    }
}

/// A few kilobytes that would unpack to many megabytes.
#[test]
fn a_page_that_would_fill_the_memory_is_not_unpacked() {
    let most = usize::try_from(MAX_PAGE_BYTES).unwrap();
    let page = |bytes: usize| {
        let long: &'static str = String::leak("1".repeat(bytes));
        let columns = with(Column::Text("optional binary src (STRING)", vec![Some(long), Some("192.0.2.1")]));
        file(&columns, 1, Compression::ZSTD(ZstdLevel::default()))
    };
    let bomb = page(most + 1);
    assert!(bomb.len() < most / 100, "{}", bomb.len());
    let (flows, errors, counts) = read_all(&bomb);
    assert_eq!((flows.len(), errors.len()), (0, 1));
    assert_eq!(counts.left_out.into_iter().collect::<Vec<_>>(), [(Reason::TooLarge("a page of a column"), 2)]);
    // Just large, and no address: the other row is read.
    assert_eq!(reasons(&page(100_000)), [Reason::BadValue("src")]);
}
