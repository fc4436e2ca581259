//! masscan JSON, whole and broken, its lists and its binary files.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::scans::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::MasscanRecord, bytes);
    hinomi_fuzz::scan(Format::MasscanJson, bytes);
    hinomi_fuzz::scan(Format::MasscanList, bytes);
    hinomi_fuzz::scan(Format::MasscanBinary, bytes);
});
