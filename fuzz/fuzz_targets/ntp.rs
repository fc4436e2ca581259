//! NTP packets.
#![no_main]

mod laws;

use hinomi_wire::ntp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, ntp::fields, ntp::mask);
});
