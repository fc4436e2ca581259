//! The letters of `history` as TCP flags.

use crate::packet::Tcp;

/// Flags that the originator sent, and the responder.
pub(super) fn flags(history: &[u8]) -> [u8; 2] {
    let mut sent = [0; 2];
    let [originator, responder] = &mut sent;
    for letter in history {
        let side = if letter.is_ascii_uppercase() { &mut *originator } else { &mut *responder };
        *side |= of(letter.to_ascii_uppercase());
    }
    sent
}

/// Letters that tell no kind of packet (bad checksums, gaps, a turned connection) have no flags.
const fn of(letter: u8) -> u8 {
    match letter {
        b'S' => Tcp::SYN,
        b'H' => Tcp::SYN | Tcp::ACK,
        b'A' | b'W' => Tcp::ACK,
        b'D' | b'T' => Tcp::ACK | Tcp::PSH,
        b'F' => Tcp::FIN | Tcp::ACK,
        b'R' => Tcp::RST,
        // Contradicting flags in one packet: FIN with RST, SYN with FIN or RST.
        b'I' => Tcp::FIN | Tcp::RST,
        b'Q' => Tcp::SYN | Tcp::FIN,
        _ => 0,
    }
}
