//! SSDP answers, and the search that we build.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::ssdp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Ssdp, bytes);
    if let Some(url) = ssdp::location(bytes) {
        assert!(url.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    if let Ok(Ok(request)) = std::str::from_utf8(bytes).map(|host| ssdp::search_request(host, "https://survey.example/")) {
        assert_eq!(request.windows(4).filter(|end| end == b"\r\n\r\n").count(), 1);
    }
});
