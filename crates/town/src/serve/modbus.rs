//! Modbus/TCP: Read Device Identification (function 43, type 14; Modbus Application Protocol 1.1b3, section 6.21).
//! Every other function gets an exception: registers cannot be read, let alone written.

use std::io;

use super::Visit;
use super::conversation::Conversation;
use crate::limits::REQUESTS_MAX;
use crate::persona::ModbusSpeech;

const ENCAPSULATED: u8 = 0x2b;
const READ_DEVICE_ID: u8 = 0x0e;
const ILLEGAL_FUNCTION: u8 = 1;
const ILLEGAL_ADDRESS: u8 = 2;
const ILLEGAL_VALUE: u8 = 3;
/// Longest protocol data unit with its unit identifier.
const BODY_MAX_BYTES: u16 = 254;
/// One object at a time: the category that asks for it.
const SPECIFIC: u8 = 4;

/// Answers requests.
pub(super) async fn serve(client: &mut Conversation, visit: &Visit<'_>, speech: &ModbusSpeech) -> io::Result<()> {
    let objects = objects(visit, speech);
    for _ in 0..REQUESTS_MAX {
        let head = client.exactly(7).await?;
        let [t1, t2, 0, 0, l1, l2, unit] = head.as_slice() else { return Ok(()) };
        let length = u16::from_be_bytes([*l1, *l2]);
        if !(2..=BODY_MAX_BYTES).contains(&length) {
            return Ok(());
        }
        let request = client.exactly(usize::from(length) - 1).await?;
        let answer = match speech.exception {
            Some(code) => exception(&request, code),
            None => answer(&request, &objects),
        };
        let length = (answer.len() as u16 + 1).to_be_bytes();
        let mut reply = vec![*t1, *t2, 0, 0];
        reply.extend(length);
        reply.push(*unit);
        reply.extend(answer);
        client.write(&reply).await?;
    }
    Ok(())
}

/// The objects that there are, by number.
fn objects(visit: &Visit<'_>, speech: &ModbusSpeech) -> Vec<(u8, String)> {
    let texts = [
        &speech.vendor,
        &speech.code,
        &speech.revision,
        &speech.url,
        &speech.product,
        &speech.model,
        &speech.application,
    ];
    let numbered = (0u8..).zip(texts);
    numbered.filter_map(|(number, text)| Some((number, visit.text(text.as_ref()?)))).collect()
}

fn exception(request: &[u8], code: u8) -> Vec<u8> {
    vec![request.first().copied().unwrap_or(0) | 0x80, code]
}

fn answer(request: &[u8], objects: &[(u8, String)]) -> Vec<u8> {
    let [ENCAPSULATED, READ_DEVICE_ID, category, first] = request else {
        return exception(request, ILLEGAL_FUNCTION);
    };
    let last = match *category {
        1 => 2,
        2 => 6,
        3 => u8::MAX,
        SPECIFIC => *first,
        _ => return exception(request, ILLEGAL_VALUE),
    };
    // An unknown first object means the beginning, except when it alone is asked for.
    let known = objects.iter().any(|(number, _)| number == first);
    if !known && *category == SPECIFIC {
        return exception(request, ILLEGAL_ADDRESS);
    }
    let from = if known { *first } else { 0 };
    let told: Vec<_> = objects.iter().filter(|(number, _)| (from..=last).contains(number)).collect();
    let mut reply = vec![ENCAPSULATED, READ_DEVICE_ID, *category, 0x82, 0, 0, told.len() as u8];
    for (number, text) in told {
        reply.extend([*number, text.len() as u8]);
        reply.extend_from_slice(text.as_bytes());
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_by_category_and_others_refused() {
        let objects = vec![(0, "Maker".to_owned()), (1, "M1".to_owned()), (5, "Model".to_owned())];
        let basic = answer(&[0x2b, 0x0e, 1, 0], &objects);
        assert_eq!(basic, b"\x2b\x0e\x01\x82\0\0\x02\0\x05Maker\x01\x02M1");
        assert_eq!(answer(&[0x2b, 0x0e, 4, 5], &objects), b"\x2b\x0e\x04\x82\0\0\x01\x05\x05Model");
        assert_eq!(answer(&[0x2b, 0x0e, 4, 3], &objects), [0xab, 2]);
        assert_eq!(answer(&[3, 0, 0, 0, 1], &objects), [0x83, 1]);
        assert_eq!(answer(&[], &objects), [0x80, 1]);
    }
}
