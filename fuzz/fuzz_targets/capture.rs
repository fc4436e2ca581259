//! Captures, and the packets in them.
#![no_main]

use hinomi_wire::capture::Capture;
use hinomi_wire::packet::Packet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut capture) = Capture::open(bytes) else { return };
    let (mut frames, mut held) = (0, 0);
    while let Ok(Some(frame)) = capture.next_frame() {
        frames += 1;
        held += frame.bytes.len();
        if let Some(link) = frame.link {
            let _ = Packet::read(link, frame.bytes);
        }
    }
    assert!(held <= bytes.len());
    assert_eq!(capture.counts().frames, frames);
    assert!(matches!(capture.next_frame(), Ok(None)), "after the end there is nothing");
});
