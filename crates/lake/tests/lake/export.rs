//! Query results as files.

use hinomi_lake::{Format, Lake};
use hinomi_model::{Service, Sink};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::support::{batch, now, open, services, sighting};

fn lake(dir: &std::path::Path) -> Lake {
    let lake = open(dir);
    let hostile = sighting("192.0.2.3", 23, 1, "telnet =cmd|'/C\u{a0}calc'!A0 1,2\"3\x1b[2J");
    let plain = (0..50).map(|n| sighting(&format!("192.0.2.{n}"), 22, 1, "ssh S 1"));
    lake.append(batch(plain.chain([hostile]))).unwrap();
    lake
}

fn export(lake: &Lake, query: &str, format: Format) -> (u64, Vec<u8>) {
    let mut out = Vec::new();
    (lake.export(query, now(), format, &mut out).unwrap(), out)
}

#[test]
fn json_lines_are_the_services() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    let (count, bytes) = export(&lake, "", Format::Jsonl);
    let text = String::from_utf8(bytes).unwrap();
    let read: Vec<Service> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((count, read), (51, services(&lake)));
}

#[test]
fn csv_has_a_line_for_each_and_no_formula() {
    let dir = tempfile::tempdir().unwrap();
    let (count, bytes) = export(&lake(dir.path()), "", Format::Csv);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!((count, text.matches("\r\n").count()), (51, 52));
    let hostile = text.lines().find(|line| line.contains("telnet")).unwrap();
    assert!(hostile.contains("\"'=cmd|") && !hostile.contains('\x1b'), "{hostile}");
    assert!(hostile.contains("\\u{1b}"), "{hostile}");
}

#[test]
fn parquet_is_one_flat_table() {
    let dir = tempfile::tempdir().unwrap();
    let (count, bytes) = export(&lake(dir.path()), "protocol:ssh", Format::Parquet);
    let path = dir.path().join("export.parquet");
    std::fs::write(&path, bytes).unwrap();
    let batches = ParquetRecordBatchReader::try_new(std::fs::File::open(&path).unwrap(), 1_000).unwrap();
    let rows: usize = batches.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!((count, rows), (50, 50));
}
