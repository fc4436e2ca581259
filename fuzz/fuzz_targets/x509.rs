//! X.509 certificates.
#![no_main]

mod laws;

use hinomi_wire::x509;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, x509::fields, |_| {});
    let _ = x509::certificate_facts(data);
});
