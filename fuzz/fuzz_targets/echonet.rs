//! ECHONET Lite frames.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::echonet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::EchonetLite, bytes);
    let _ = echonet::complete(bytes);
});
