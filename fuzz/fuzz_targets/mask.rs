//! Masking of every kind of evidence: the first byte chooses the kind.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let count = EvidenceKind::all().count();
    if let Some(kind) = EvidenceKind::all().nth(usize::from(*choice) % count) {
        hinomi_fuzz::evidence(kind, rest);
    }
});
