//! HTTP responses, and the request that we build from what a page says.
#![no_main]

use hinomi_model::evidence::EvidenceKind;
use hinomi_wire::http;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    hinomi_fuzz::evidence(EvidenceKind::Http, bytes);
    hinomi_fuzz::evidence(EvidenceKind::Favicon, bytes);
    let whole = http::complete(bytes);
    let Ok(response) = http::parse(bytes) else { return };
    assert!(response.body.len() <= bytes.len());
    assert!((100..=999).contains(&response.status) || response.status < 100);
    if whole && response.trouble.is_none() {
        // What is complete stays complete.
        assert!(http::complete(&[bytes, b"more"].concat()));
    }
    // Who keeps the connection has said all there is.
    assert!(whole || !http::keeps_open(bytes));
    let _ = response.title();
    if let Some(path) = response.icon_path("/a/b?c") {
        let request = http::request(&path, "192.0.2.1", "https://survey.example/", http::Afterwards::Keep)
            .expect("a path that a page gave");
        assert_eq!(request.windows(4).filter(|end| end == b"\r\n\r\n").count(), 1);
    }
});
