//! Telnet dialogues, and our refusal.
#![no_main]

use hinomi_wire::telnet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dialogue = telnet::parse(bytes);
    assert!(dialogue.text.len() <= bytes.len() && dialogue.requests.len() <= telnet::MAX_OPTIONS);
    let answer = telnet::refuse_all(&dialogue.requests);
    // A refusal is read back whole, has no text, and needs no answer.
    let back = telnet::parse(&answer);
    assert!(back.text.is_empty() && telnet::refuse_all(&back.requests).is_empty());
    assert_eq!(back.requests.len() * 3, answer.len());
});
