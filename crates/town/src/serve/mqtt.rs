//! MQTT 3.1.1 and 5 (OASIS): CONNECT is taken or refused; nothing is ever published.

use std::io;

use super::Visit;
use super::conversation::Conversation;
use crate::limits::{LINE_MAX_BYTES, REQUESTS_MAX};
use crate::persona::MqttSpeech;

const CONNECT: u8 = 1;
const SUBSCRIBE: u8 = 8;
const PINGREQ: u8 = 12;
/// "Not authorized" in version 5, where version 3.1.1 has 5.
const NOT_AUTHORIZED_V5: u8 = 0x87;
/// "Unacceptable protocol version" in version 3.1.1.
const UNACCEPTABLE: u8 = 1;

/// Answers a CONNECT, then pings and refused subscriptions.
pub(super) async fn serve(client: &mut Conversation, _visit: &Visit<'_>, speech: &MqttSpeech) -> io::Result<()> {
    let (kind, body) = packet(client).await?;
    let Some(level) = protocol_level(&body).filter(|_| kind == CONNECT) else { return Ok(()) };
    let (code, reply) = connack(level, speech.code);
    client.write(&reply).await?;
    if code != 0 {
        return Ok(());
    }
    for _ in 0..REQUESTS_MAX {
        let (kind, body) = packet(client).await?;
        match (kind, body.as_slice()) {
            (PINGREQ, _) => client.write(&[0xd0, 0]).await?,
            (SUBSCRIBE, [high, low, ..]) if level == 5 => {
                client.write(&[0x90, 4, *high, *low, 0, NOT_AUTHORIZED_V5]).await?
            }
            (SUBSCRIBE, [high, low, ..]) => client.write(&[0x90, 3, *high, *low, 0x80]).await?,
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// One control packet: its type and what follows its fixed header.
async fn packet(client: &mut Conversation) -> io::Result<(u8, Vec<u8>)> {
    let refuse = || io::Error::from(io::ErrorKind::InvalidData);
    let first = client.exactly(1).await?.first().copied().ok_or_else(refuse)?;
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let byte = client.exactly(1).await?.first().copied().ok_or_else(refuse)?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if length > LINE_MAX_BYTES {
                return Err(refuse());
            }
            return Ok((first >> 4, client.exactly(length).await?));
        }
    }
    Err(refuse())
}

/// The version byte after the name `MQTT` or `MQIsdp`.
fn protocol_level(body: &[u8]) -> Option<u8> {
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    if !matches!(name, b"MQTT" | b"MQIsdp") {
        return None;
    }
    rest.first().copied()
}

fn connack(level: u8, code: u8) -> (u8, Vec<u8>) {
    match (level, code) {
        (5, 0) => (0, vec![0x20, 3, 0, 0, 0]),
        (5, _) => (NOT_AUTHORIZED_V5, vec![0x20, 3, 0, NOT_AUTHORIZED_V5, 0]),
        (3 | 4, _) => (code, vec![0x20, 2, 0, code]),
        _ => (UNACCEPTABLE, vec![0x20, 2, 0, UNACCEPTABLE]),
    }
}
