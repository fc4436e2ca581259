//! Redis replies.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::redis;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Redis, bytes);
    let _ = redis::complete(bytes);
    let mut at = 0;
    while let Ok((_, next)) = redis::parse(bytes, at) {
        assert!(next > at && next <= bytes.len());
        at = next;
    }
});
