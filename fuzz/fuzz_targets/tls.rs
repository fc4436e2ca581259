//! TLS: a server's clear flight, and its summary.
#![no_main]

mod laws;

use hinomi_wire::tls;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, tls::fields, tls::mask);
    let _ = tls::complete(data);
    if let Ok(flight) = tls::ServerFlight::parse(data) {
        let summary = tls::summary_bytes(&flight);
        if let Ok(again) = tls::ServerFlight::parse(&summary) {
            assert_eq!(tls::summary_bytes(&again), summary, "a summary is its own summary");
        }
    }
});
