//! SSH: identification, packets, offer, reply, host key.
#![no_main]

mod laws;

use hinomi_wire::ssh;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    laws::hold(data, ssh::kex_fields, ssh::mask);
    laws::hold(data, ssh::host_key_fields, |_| {});
    let _ = ssh::read_identification(data);
    if let Ok(Some(packet)) = ssh::next_packet(data) {
        let _ = ssh::parse_exchange_reply(packet.payload);
    }
    if let Ok(offer) = ssh::KexInit::parse(data) {
        let _ = ssh::negotiate(&offer);
    }
});
