//! Answers of plant and building control: when they are whole, and conversations that go on with what a device said.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::Reader;
use hinomi_wire::plant::{bacnet, dnp3, enip, fins, iec104, knx, opcua, s7, slmp};
use libfuzzer_sys::fuzz_target;

const COMPLETE: [fn(&[u8]) -> bool; 7] = [
    dnp3::complete,
    enip::complete,
    fins::complete,
    iec104::complete,
    opcua::complete,
    s7::complete,
    slmp::complete,
];

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Reply, bytes);
    let whole = COMPLETE.iter().filter(|complete| complete(bytes)).count();
    assert!(whole == 0 || !bytes.is_empty(), "nothing is no answer");
    let _ = (bacnet::parse(&mut Reader::new(bytes)), knx::parse(bytes), s7::is_connected(bytes), s7::is_set_up(bytes));
    if let Ok(channel) = opcua::Channel::parse(bytes) {
        assert!(opcua::get_endpoints(channel, "opc.tcp://h").starts_with(b"MSGF"));
    }
    if let Ok(request) = fins::controller_data_read_over_tcp(bytes, 1) {
        assert_eq!(request.len(), 29);
    }
});
