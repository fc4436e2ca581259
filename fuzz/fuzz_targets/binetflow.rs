//! Argus flows as CSV: every line is a flow, an error or something else.
#![no_main]

use hinomi_wire::flow::file::FileError;
use hinomi_wire::flow::binetflow::Flows;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Flows::new(bytes);
    let mut ended = false;
    for item in reader.by_ref() {
        assert!(!ended, "after an error that ends the file there is nothing");
        ended = item.as_ref().is_err_and(FileError::ends_the_file);
        assert!(item.is_err() || item.is_ok_and(|flow| flow.start <= flow.end));
    }
    let counts = reader.counts();
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
    let counted = counts.records + counts.other + counts.left_out_in_all();
    assert!(ended || counted == u64::try_from(lines).unwrap_or(u64::MAX));
});
