//! nmap and masscan XML.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::scans::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::NmapService, bytes);
    hinomi_fuzz::scan(Format::Xml, bytes);
    // Behind a good beginning, so that hosts and ports are reached.
    let begun = [b"<nmaprun scanner='masscan'><host><address addr='192.0.2.1'/><ports>".as_slice(), bytes].concat();
    hinomi_fuzz::scan(Format::Xml, &begun);
});
