//! SSH: identification, packets, offer, reply, host key.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::ssh;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::SshKex, bytes);
    hinomi_fuzz::evidence(EvidenceKind::SshHostKey, bytes);
    let _ = ssh::read_identification(bytes);
    if let Ok(Some(packet)) = ssh::next_packet(bytes) {
        let _ = ssh::parse_exchange_reply(packet.payload);
    }
    if let Ok(offer) = ssh::KexInit::parse(bytes) {
        let _ = ssh::negotiate(&offer);
    }
});
