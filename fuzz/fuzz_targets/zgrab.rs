//! ZGrab2 JSON lines.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::scans::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::ZgrabRecord, bytes);
    hinomi_fuzz::scan(Format::Zgrab, bytes);
});
