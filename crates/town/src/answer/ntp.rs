//! NTP (RFC 5905): a server's answer to a client. The time told is noon of the simulated day.

use std::net::Ipv4Addr;

use super::Question;
use crate::persona::NtpSpeech;

const PACKET_BYTES: usize = 48;
const CLIENT: u8 = 3;
const SERVER: u8 = 4;
/// Seconds from 1900 to 1970.
const ERA_SECONDS: i64 = 2_208_988_800;
const NOON_SECONDS: i64 = 43_200;

pub(super) fn answer(datagram: &[u8], question: &Question<'_>, speech: &NtpSpeech) -> Option<Vec<u8>> {
    let first = *datagram.first()?;
    let (version, mode) = (first >> 3 & 7, first & 7);
    if datagram.len() < PACKET_BYTES || mode != CLIENT || !(1..=4).contains(&version) {
        return None;
    }
    let poll = *datagram.get(2)?;
    let originate = datagram.get(40..48)?;
    let seconds = question.plan.today().as_micros() / 1_000_000 + ERA_SECONDS + NOON_SECONDS;
    let now = [&(seconds as u32).to_be_bytes()[..], &[0; 4]].concat();
    let mut reply = vec![version << 3 | SERVER, speech.stratum, poll, 0xe9];
    reply.extend([0, 0, 0, 0x10, 0, 0, 0, 0x20]);
    reply.extend(reference(&speech.refid));
    reply.extend_from_slice(&now);
    reply.extend_from_slice(originate);
    reply.extend_from_slice(&now);
    reply.extend_from_slice(&now);
    Some(reply)
}

/// An address, or up to four letters.
fn reference(text: &str) -> [u8; 4] {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return address.octets();
    }
    let mut letters = [0; 4];
    letters.iter_mut().zip(text.bytes()).for_each(|(place, letter)| *place = letter);
    letters
}
