//! Packets on every kind of link, whole and cut.
#![no_main]

use hinomi_wire::packet::{Link, Packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, frame)) = bytes.split_first() else { return };
    let links = [Link::Ethernet, Link::Loopback, Link::Ip, Link::Cooked, Link::Cooked2];
    let link = links[usize::from(*choice) % links.len()];
    let Ok(packet) = Packet::read(link, frame) else { return };
    assert!(packet.payload_at + packet.payload_len <= frame.len());
    assert_eq!(packet.payload(frame).len(), packet.payload_len);
    // A shorter snapshot never tells something else.
    if let Ok(part) = Packet::read(link, &frame[..frame.len() / 2]) {
        assert_eq!((part.source, part.destination), (packet.source, packet.destination));
    }
});
