//! NTP packets.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Ntp, bytes);
});
