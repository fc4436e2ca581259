//! Modbus device identification.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::modbus;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Modbus, bytes);
    let _ = modbus::complete(bytes);
});
