//! How long the reader of other tools' scans takes for a file: `cargo run --release -p hinomi-wire --example read_scan FILE`.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement: it prints, and stops when it cannot go on"
)]

use std::fs::File;
use std::io::{BufRead, BufReader};

use hinomi_wire::scans::{detect, read};

fn main() {
    let path = std::env::args().nth(1).expect("a file");
    let mut source = BufReader::with_capacity(256 * 1024, File::open(path).expect("the file opens"));
    let format = detect(source.fill_buf().expect("the file can be read")).expect("a format that is read");
    let (mut records, mut errors, mut bytes) = (0, 0, 0);
    for item in read(format, source) {
        match item {
            Ok(record) => {
                records += 1;
                bytes += record.evidence.iter().map(|piece| piece.bytes.len()).sum::<usize>();
            }
            Err(_) => errors += 1,
        }
    }
    println!("{records} records with {bytes} bytes of evidence, {errors} errors");
}
