//! MQTT CONNACK.
#![no_main]

mod laws;

use hinomi_wire::mqtt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, mqtt::fields, |_| {});
    let _ = mqtt::complete(data);
});
