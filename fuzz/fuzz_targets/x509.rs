//! X.509 certificates.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::x509;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Certificate, bytes);
    let _ = x509::certificate_facts(bytes);
});
