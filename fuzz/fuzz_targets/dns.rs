//! DNS responses.
#![no_main]

mod laws;

use hinomi_wire::dns;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, dns::fields, dns::mask);
    let _ = dns::tcp_message(data);
});
