//! MQTT: a CONNECT without credentials, the CONNACK that answers it, and a DISCONNECT.
//!
//! Follows MQTT 3.1.1 (OASIS, sections 3.1, 3.2, 3.14) and reads the CONNACK of MQTT 5 (section 3.2) as well. Nothing
//! is subscribed to or published.

use crate::{Field, Malformed, Reader};

/// The longest client id every broker must take (3.1.1, section 3.1.3.1); longer ones are cut.
pub const MAX_CLIENT_ID_BYTES: usize = 23;

/// The longest CONNACK we read. Version 3.1.1 needs 4 bytes, the properties of version 5 some more.
pub const MAX_CONNACK_BYTES: usize = 4096;

/// Leaves politely.
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const LEVEL_3_1_1: u8 = 4;
const CLEAN_SESSION: u8 = 2;
const KEEP_ALIVE_S: u8 = 30;

/// A CONNECT packet of MQTT 3.1.1: clean session, no will, no user name, no password.
pub fn connect(client_id: &str) -> Vec<u8> {
    let id: String = client_id.chars().filter(char::is_ascii_graphic).take(MAX_CLIENT_ID_BYTES).collect();
    let id_bytes = u8::try_from(id.len()).unwrap_or(0);
    let mut packet = vec![CONNECT, 12 + id_bytes, 0, 4];
    packet.extend(b"MQTT");
    packet.extend([LEVEL_3_1_1, CLEAN_SESSION, 0, KEEP_ALIVE_S, 0, id_bytes]);
    packet.extend(id.bytes());
    packet
}

/// Whether `bytes` hold the whole packet, or can never be a CONNACK: nothing is gained by waiting.
pub fn complete(bytes: &[u8]) -> bool {
    !matches!(Connack::parse(bytes), Err(Malformed::Truncated { .. }))
}

/// Which MQTT a broker answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1 (or 3.1, which answers alike).
    V3,
    /// MQTT 5.
    V5,
}

/// A broker's answer to CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connack {
    /// The form of the answer.
    pub version: Version,
    /// 0 accepted; 3.1.1: 1 protocol, 2 id, 3 unavailable, 4 password, 5 not authorised; 5: 128 and more.
    pub code: u8,
    /// Where the code stands in the input.
    pub code_at: usize,
}

impl Connack {
    /// Reads a CONNACK; what follows the packet is left alone.
    ///
    /// # Errors
    /// When the bytes are cut, no CONNACK, or contradict their own lengths.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.u8("MQTT packet type")? != CONNACK {
            return Err(Malformed::Invalid { what: "MQTT packet type", at: 0 });
        }
        let length = variable_integer(&mut reader)?;
        if length > MAX_CONNACK_BYTES {
            return Err(Malformed::TooMuch { what: "MQTT CONNACK", at: 1, limit: MAX_CONNACK_BYTES });
        }
        if length < 2 {
            return Err(Malformed::Invalid { what: "MQTT remaining length", at: 1 });
        }
        let start = reader.at();
        let mut body = Reader::new(reader.take(length, "MQTT CONNACK")?);
        if body.u8("MQTT acknowledge flags")? > 1 {
            return Err(Malformed::Invalid { what: "MQTT acknowledge flags", at: start });
        }
        let code_at = start + body.at();
        let code = body.u8("MQTT return code")?;
        let version = version(&mut body, code)
            .map_err(|()| Malformed::Invalid { what: "MQTT CONNACK properties", at: code_at + 1 })?;
        Ok(Self { version, code, code_at })
    }
}

/// Version 5 adds properties, and its refusals start at 128.
fn version(body: &mut Reader<'_>, code: u8) -> Result<Version, ()> {
    if body.is_done() {
        return Ok(if code < 128 { Version::V3 } else { Version::V5 });
    }
    let properties = variable_integer(body).map_err(|_| ())?;
    if properties == body.rest().len() { Ok(Version::V5) } else { Err(()) }
}

/// Seven bits a byte, least first, at most four bytes (3.1.1, section 2.2.3).
fn variable_integer(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    let at = reader.at();
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = reader.u8("MQTT remaining length")?;
        value |= usize::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed::Invalid { what: "MQTT remaining length", at })
}

/// The named parts of stored evidence: `mqtt.code` (decimal) and `mqtt.version` (`3.1.1` or `5`).
///
/// # Errors
/// When the bytes are not a CONNACK.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let connack = Connack::parse(bytes)?;
    let version = match connack.version {
        Version::V3 => "3.1.1",
        Version::V5 => "5",
    };
    Ok(vec![
        Field::computed("mqtt.code", connack.code.to_string(), connack.code_at..connack.code_at + 1),
        Field::computed("mqtt.version", version, 0..bytes.len()),
    ])
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    fn values(bytes: &[u8]) -> Vec<String> {
        fields(bytes).expect("fields").iter().map(|field| field.text().into_owned()).collect()
    }

    #[test]
    fn connect_is_the_documented_bytes() {
        // By hand after MQTT 3.1.1 figure 3.6.
        assert_eq!(connect("hinomi"), b"\x10\x12\0\x04MQTT\x04\x02\0\x1E\0\x06hinomi");
        assert_eq!(connect(&"x".repeat(100)).len(), 2 + 12 + MAX_CLIENT_ID_BYTES);
    }

    #[test]
    fn both_versions_are_read() {
        assert_eq!(values(&[0x20, 2, 0, 0]), ["0", "3.1.1"]);
        assert_eq!(values(&[0x20, 2, 0, 5]), ["5", "3.1.1"]);
        assert_eq!(values(&[0x20, 3, 0, 0x84, 0]), ["132", "5"]);
        assert_eq!(values(&[0x20, 6, 0, 0, 3, 0x21, 0, 20]), ["0", "5"], "receive maximum property");
    }

    #[test]
    fn others_are_refused() {
        for bytes in
            [&b"\x20\x02\x02\x00"[..], b"\x20\x01\0", b"\x20\xFF\xFF\xFF\xFF\x01", b"\x20\x03\0\0\x07", b"SSH-2"]
        {
            assert!(fields(bytes).is_err(), "{bytes:?}");
            assert!(complete(bytes), "{bytes:?} is not worth waiting for");
        }
    }

    #[test]
    fn a_reader_knows_when_to_stop() {
        let connack = [0x20, 3, 0, 0x84, 0];
        for end in 0..connack.len() {
            assert!(!complete(&connack[..end]));
        }
        assert!(complete(&connack));
    }
}
