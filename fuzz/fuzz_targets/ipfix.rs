//! IPFIX, in datagrams and as a stream.
#![no_main]

use hinomi_wire::flow::Framing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::flow_exports(&[0, 10], bytes);
    let mut framing = Framing::new();
    let mut whole = 0;
    let end = framing.push(bytes, |message| whole += message.len());
    assert!(end.is_err() || whole + framing.pending() == bytes.len());
});
