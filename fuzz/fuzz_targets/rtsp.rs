//! RTSP responses.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::rtsp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Rtsp, bytes);
    let _ = rtsp::complete(bytes);
    if let Ok(response) = rtsp::parse(bytes) {
        assert!(response.body.len() <= bytes.len());
    }
    if let Ok(Ok(request)) = std::str::from_utf8(bytes).map(|host| rtsp::options_request(host, "https://survey.example/")) {
        assert_eq!(request.windows(2).filter(|end| end == b"\r\n").count(), 4);
    }
});
