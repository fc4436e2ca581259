//! SNMPv3 discovery (RFC 3414, section 4): whatever is asked, the answer is a report that names the engine. Versions 1
//! and 2c meet silence: no community is known here.

use super::{Question, take, take_byte};
use crate::mix;
use crate::persona::{EngineForm, SnmpSpeech};

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const COUNTER: u8 = 0x41;
const REPORT: u8 = 0xa8;
/// usmStatsUnknownEngineIDs.0, 1.3.6.1.6.3.15.1.1.4.0
const UNKNOWN_ENGINE: [u8; 10] = [0x2b, 6, 1, 6, 3, 15, 1, 1, 4, 0];
/// The user-based security model.
const USM: i64 = 3;
const MESSAGE_MAX_BYTES: i64 = 65_507;
/// Seconds of a day, for the engine's time.
const DAY_SECONDS: u32 = 86_400;

pub(super) fn answer(datagram: &[u8], question: &Question<'_>, speech: &SnmpSpeech) -> Option<Vec<u8>> {
    let message_id = read(datagram)?;
    let engine = engine_id(question, speech);
    let draw = mix::number(&question.host.secret("snmp"));
    let boots = i64::try_from(draw % 50).ok()? + 1;
    let seconds =
        i64::from(question.host.day.saturating_mul(DAY_SECONDS)) + i64::try_from((draw >> 16) % 5_000_000).ok()?;
    let security = tagged(
        SEQUENCE,
        &[
            tagged(OCTETS, std::slice::from_ref(&engine)),
            integer(boots),
            integer(seconds & 0x7fff_ffff),
            tagged(OCTETS, &[]),
            tagged(OCTETS, &[]),
            tagged(OCTETS, &[]),
        ],
    );
    let binding = tagged(SEQUENCE, &[tagged(OID, &[UNKNOWN_ENGINE.to_vec()]), tagged(COUNTER, &[vec![1]])]);
    let report = tagged(REPORT, &[integer(0), integer(0), integer(0), tagged(SEQUENCE, &[binding])]);
    let header = [integer(message_id), integer(MESSAGE_MAX_BYTES), tagged(OCTETS, &[vec![0]]), integer(USM)];
    let scoped = tagged(SEQUENCE, &[tagged(OCTETS, &[engine]), tagged(OCTETS, &[]), report]);
    let parts = [integer(3), tagged(SEQUENCE, &header), tagged(OCTETS, &[security]), scoped];
    Some(tagged(SEQUENCE, &parts))
}

/// RFC 3411, SnmpEngineID.
fn engine_id(question: &Question<'_>, speech: &SnmpSpeech) -> Vec<u8> {
    let mut engine = (speech.enterprise | 0x8000_0000).to_be_bytes().to_vec();
    match speech.engine {
        EngineForm::Mac => {
            engine.push(3);
            engine.extend(question.host.mac());
        }
        EngineForm::Text => {
            engine.push(4);
            engine.extend(question.text(&speech.text).bytes().take(27));
        }
        EngineForm::Octets => {
            engine.push(128);
            engine.extend(question.host.secret("engine").into_iter().take(8));
        }
    }
    engine
}

/// The message id of a version 3 message that may be reported on.
fn read(datagram: &[u8]) -> Option<i64> {
    let mut rest = datagram;
    let mut message = element(&mut rest, SEQUENCE)?;
    if number(element(&mut message, INTEGER)?)? != 3 {
        return None;
    }
    let mut header = element(&mut message, SEQUENCE)?;
    let id = number(element(&mut header, INTEGER)?)?;
    element(&mut header, INTEGER)?;
    let flags = *element(&mut header, OCTETS)?.first()?;
    let reportable = flags & 4 != 0;
    reportable.then_some(id)
}

/// The content of the next element, which must have this tag.
fn element<'a>(rest: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    if take_byte(rest)? != tag {
        return None;
    }
    let first = take_byte(rest)?;
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x83 => take(rest, usize::from(first & 0x7f))?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        _ => return None,
    };
    take(rest, length)
}

fn number(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 5 {
        return None;
    }
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
    Some(bytes.iter().fold(sign, |sum, byte| sum << 8 | i64::from(*byte)))
}

fn tagged(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

/// The shortest form that keeps the sign.
fn integer(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let spare =
        |pair: &&[u8]| matches!(pair, [0, next] if *next < 0x80) || matches!(pair, [0xff, next] if *next >= 0x80);
    let skip = bytes.windows(2).take_while(spare).count();
    tagged(INTEGER, &[bytes.iter().skip(skip).copied().collect()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_short_as_they_can_be() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(65_507), [2, 3, 0, 0xff, 0xe3]);
        assert_eq!(number(&[0xff]), Some(-1));
        assert_eq!(number(&[0, 0xff, 0xe3]), Some(65_507));
    }

    #[test]
    fn other_versions_and_broken_messages_are_not_read() {
        assert_eq!(read(b"\x30\x26\x02\x01\x01\x04\x06public"), None);
        assert_eq!(read(b"\x30\x84\xff\xff\xff\xff"), None);
        assert_eq!(read(&[]), None);
    }
}
