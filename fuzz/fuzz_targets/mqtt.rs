//! MQTT CONNACK.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::mqtt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Mqtt, bytes);
    let _ = mqtt::complete(bytes);
});
