//! Modbus device identification.
#![no_main]

mod laws;

use hinomi_wire::modbus;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, modbus::fields, modbus::mask);
    let _ = modbus::complete(data);
});
