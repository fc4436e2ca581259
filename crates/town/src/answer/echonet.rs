//! ECHONET Lite (version 1.13, part 2): Get on the node profile. Set is refused.

use super::{Question, take, take_byte};
use crate::mix;
use crate::persona::EchonetSpeech;

const HEADER: [u8; 2] = [0x10, 0x81];
/// The node profile, and the same as "all instances".
const NODE_PROFILES: [[u8; 3]; 2] = [[0x0e, 0xf0, 0x01], [0x0e, 0xf0, 0x00]];
const NODE_PROFILE: [u8; 3] = [0x0e, 0xf0, 0x01];
const GET: u8 = 0x62;
const GET_RESPONSE: u8 = 0x72;
const GET_REFUSED: u8 = 0x52;
const SET_WITH_ANSWER: u8 = 0x61;
const SET_REFUSED: u8 = 0x51;
const PROPERTIES_MAX: u8 = 32;
/// What can be read of the node profile.
const READABLE: [u8; 11] = [0x80, 0x82, 0x83, 0x8a, 0x8c, 0x9d, 0x9e, 0x9f, 0xd3, 0xd6, 0xd7];

pub(super) fn answer(datagram: &[u8], question: &Question<'_>, speech: &EchonetSpeech) -> Option<Vec<u8>> {
    let mut rest = datagram;
    if take(&mut rest, 2)? != HEADER {
        return None;
    }
    let transaction = take(&mut rest, 2)?;
    let from = take(&mut rest, 3)?;
    let to = take(&mut rest, 3)?;
    let service = take_byte(&mut rest)?;
    if !NODE_PROFILES.iter().any(|profile| to == profile) {
        return None;
    }
    let asked = read_properties(rest)?;
    let (service, properties) = match service {
        GET => get(&asked, question, speech)?,
        SET_WITH_ANSWER => (SET_REFUSED, asked.iter().map(|code| (*code, Vec::new())).collect()),
        _ => return None,
    };
    let mut reply = [&HEADER, transaction, &NODE_PROFILE, from].concat();
    reply.extend([service, properties.len() as u8]);
    for (code, value) in properties {
        reply.extend([code, value.len() as u8]);
        reply.extend(value);
    }
    Some(reply)
}

fn read_properties(mut rest: &[u8]) -> Option<Vec<u8>> {
    let count = take_byte(&mut rest)?;
    if count > PROPERTIES_MAX {
        return None;
    }
    let mut codes = Vec::new();
    for _ in 0..count {
        codes.push(take_byte(&mut rest)?);
        let length = take_byte(&mut rest)?;
        take(&mut rest, usize::from(length))?;
    }
    Some(codes)
}

/// Properties by code.
type Values = Vec<(u8, Vec<u8>)>;

/// A response, or a refusal when one of the properties is not there (its value is then empty).
fn get(asked: &[u8], question: &Question<'_>, speech: &EchonetSpeech) -> Option<(u8, Values)> {
    let values: Vec<_> = asked.iter().map(|code| (*code, property(*code, question, speech))).collect();
    let complete = values.iter().all(|(_, value)| value.is_some());
    let service = if complete { GET_RESPONSE } else { GET_REFUSED };
    Some((service, values.into_iter().map(|(code, value)| (code, value.unwrap_or_default())).collect()))
}

fn property(code: u8, question: &Question<'_>, speech: &EchonetSpeech) -> Option<Vec<u8>> {
    let manufacturer = mix::unhex(&speech.manufacturer)?;
    let instances: Vec<Vec<u8>> = speech.instances.iter().filter_map(|instance| mix::unhex(instance)).collect();
    Some(match code {
        0x80 => vec![0x30],
        0x82 => vec![1, 13, 1, 0],
        0x83 => [&[0xfe][..], &manufacturer, question.host.secret("echonet").get(..13)?].concat(),
        0x8a => manufacturer,
        0x8c => {
            let mut text = speech.product_code.clone().into_bytes();
            text.resize(12, b' ');
            text
        }
        0x9d => vec![2, 0x80, 0xd5],
        0x9e => vec![0],
        0x9f => [&[READABLE.len() as u8], &READABLE[..]].concat(),
        0xd3 => vec![0, 0, instances.len() as u8],
        0xd6 => [vec![instances.len() as u8], instances.concat()].concat(),
        0xd7 => {
            let mut classes: Vec<&[u8]> = instances.iter().filter_map(|instance| instance.get(..2)).collect();
            classes.dedup();
            [vec![classes.len() as u8], classes.concat()].concat()
        }
        _ => return None,
    })
}
