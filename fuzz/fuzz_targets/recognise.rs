//! Recognition of first bytes.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::{mask, recognise, scans};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let name = recognise(bytes);
    let mut masked = bytes.to_vec();
    mask(EvidenceKind::Banner, &mut masked);
    assert_eq!(recognise(&masked), name);
    let _ = scans::detect(bytes);
});
