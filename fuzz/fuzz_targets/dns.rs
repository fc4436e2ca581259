//! DNS responses.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::dns;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Dns, bytes);
    let _ = dns::tcp_message(bytes);
});
