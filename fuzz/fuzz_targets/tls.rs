//! TLS: a server's clear flight, and its summary.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::tls;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Tls, bytes);
    let _ = tls::complete(bytes);
    let Ok(flight) = tls::ServerFlight::parse(bytes) else { return };
    let summary = tls::summary_bytes(&flight);
    if let Ok(again) = tls::ServerFlight::parse(&summary) {
        assert_eq!(tls::summary_bytes(&again), summary, "a summary is its own summary");
    }
});
