//! Shadowserver's reports in CSV.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::scans::Format;
use hinomi_wire::scans::shadowserver::report;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::ShadowserverRecord, bytes);
    hinomi_fuzz::scan(Format::Shadowserver(report::named("scan_http")), bytes);
    hinomi_fuzz::scan(Format::Shadowserver(None), bytes);
    let _ = hinomi_wire::scans::detect(bytes);
});
