//! SNMP messages.
#![no_main]

mod laws;

use hinomi_wire::snmp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, snmp::fields, snmp::mask);
});
