//! Parquet files: whatever their bytes say, reading ends and every row that was met is a flow or counted.
#![no_main]

use hinomi_flow::parquet::Flows;
use libfuzzer_sys::fuzz_target;

/// A few bytes can promise millions of rows.
const ENOUGH: usize = 100_000;

fuzz_target!(init: {
    // The library panics on some files, and the reader contains that: only what leaves the reader is a finding.
    std::panic::set_hook(Box::new(|_| {}));
}, |bytes: &[u8]| {
    let mut reader = Flows::of_stream(bytes);
    let (mut flows, mut errors) = (0, 0);
    for item in reader.by_ref().take(ENOUGH) {
        match item {
            Ok(flow) => {
                assert!(flow.start <= flow.end);
                flows += 1;
            }
            Err(_) => errors += 1,
        }
    }
    let counts = reader.counts();
    assert_eq!(counts.records, flows);
    assert!(counts.left_out_in_all() + counts.read_errors >= errors);
});
