//! Lists of known C&C endpoints.
#![no_main]

use hinomi_wire::flow::seeds::Lines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert!(Lines::new(bytes).count() <= bytes.len() + 1);
});
