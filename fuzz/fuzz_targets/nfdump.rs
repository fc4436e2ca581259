//! nfdump's files, and the two compressions in them.
#![no_main]

use hinomi_wire::flow::nfdump::Flows;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Flows::new(bytes);
    let (mut flows, mut errors) = (0, 0);
    for item in reader.by_ref() {
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
