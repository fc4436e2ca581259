//! CoAP messages and link lists.
#![no_main]

mod laws;

use hinomi_wire::coap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, coap::fields, coap::mask);
    let _ = coap::resource_types(&String::from_utf8_lossy(data));
});
