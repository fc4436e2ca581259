//! CoAP messages and link lists.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::coap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Coap, bytes);
    let _ = coap::resource_types(&String::from_utf8_lossy(bytes));
});
