//! Telnet dialogues, and our refusal.
#![no_main]

use hinomi_wire::telnet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dialogue = telnet::parse(bytes);
    assert!(dialogue.text.len() <= bytes.len() && dialogue.requests.len() <= telnet::MAX_OPTIONS);
    let text = std::str::from_utf8(&telnet::readable(bytes)).map(str::to_owned).expect("text");
    assert!(!text.chars().any(|c| c.is_control() && !"\r\n\t".contains(c)));
    let answer = telnet::refuse_all(&dialogue.requests);
    // A refusal is read back whole, has no text, and needs no answer.
    let back = telnet::parse(&answer);
    assert!(back.text.is_empty() && telnet::refuse_all(&back.requests).is_empty());
    assert_eq!(back.requests.len() * 3, answer.len());
});
