//! Hosts of Censys's APIs.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::scans::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::CensysRecord, bytes);
    hinomi_fuzz::scan(Format::Censys, bytes);
    let _ = hinomi_wire::scans::detect(bytes);
});
