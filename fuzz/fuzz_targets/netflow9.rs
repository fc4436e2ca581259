//! NetFlow v9.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hinomi_fuzz::flow_exports(&[0, 9], bytes));
