//! ECHONET Lite frames.
#![no_main]

mod laws;

use hinomi_wire::echonet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, echonet::fields, echonet::mask);
    let _ = echonet::complete(data);
});
