//! NTP: one client request (mode 3, version 4) and the packet that answers it.
//!
//! Follows RFC 5905 section 7.3. Control (mode 6) and private (mode 7, `monlist`) messages are never built: they
//! amplify. The answer is as long as the request.

use crate::{Field, Malformed, Reader};

/// The length of a packet without extensions.
pub const PACKET_BYTES: usize = 48;

/// Version 4, mode 3, leap indicator 0.
const CLIENT_V4: u8 = 0x23;

const REFERENCE_ID: std::ops::Range<usize> = 12..16;

/// The request. `transmit` comes back as the originate timestamp: choose it at random and compare.
pub fn client_request(transmit: [u8; 8]) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    let (head, tail) = packet.split_at_mut(PACKET_BYTES - 8);
    tail.copy_from_slice(&transmit);
    if let Some(first) = head.first_mut() {
        *first = CLIENT_V4;
    }
    packet
}

/// The parts of an NTP packet that say something about who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// 0 to 3; 3 means that the clock is not synchronised.
    pub leap: u8,
    /// 1 to 4.
    pub version: u8,
    /// 4 for a server's answer.
    pub mode: u8,
    /// 0 a refusal, 1 has a clock of its own, 2 to 15 follows another, 16 not synchronised.
    pub stratum: u8,
    /// Log2 seconds.
    pub precision: i8,
    /// A code in text (stratum 0 and 1) or the address of the server it follows.
    pub reference_id: [u8; 4],
    /// The transmit timestamp of the request.
    pub originate: [u8; 8],
}

impl Packet {
    /// Reads a packet; extensions and authentication behind it are left alone.
    ///
    /// # Errors
    /// When it is short, of a version that never was, or a control or private message.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let first = reader.u8("NTP header")?;
        let (leap, version, mode) = (first >> 6, first >> 3 & 7, first & 7);
        if !(1..=4).contains(&version) {
            return Err(Malformed::Invalid { what: "NTP version", at: 0 });
        }
        if !(1..=5).contains(&mode) {
            return Err(Malformed::Invalid { what: "NTP mode", at: 0 });
        }
        let stratum = reader.u8("NTP stratum")?;
        let _poll = reader.u8("NTP poll")?;
        let [precision] = reader.array::<1>("NTP precision")?;
        reader.take(8, "NTP root delay and dispersion")?;
        let reference_id = reader.array("NTP reference id")?;
        reader.take(8, "NTP reference timestamp")?;
        let originate = reader.array("NTP originate timestamp")?;
        reader.take(16, "NTP timestamps")?;
        let precision = i8::from_be_bytes([precision]);
        Ok(Self { leap, version, mode, stratum, precision, reference_id, originate })
    }

    /// The reference id as people read it: `GPS`, `RATE`, or the address `192.0.2.1`.
    pub fn reference(&self) -> String {
        let [a, b, c, d] = self.reference_id;
        if self.stratum > 1 {
            return format!("{a}.{b}.{c}.{d}");
        }
        let end = self.reference_id.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        String::from_utf8_lossy(self.reference_id.get(..end).unwrap_or_default()).into_owned()
    }
}

/// The named parts of stored evidence: `ntp.version`, `ntp.mode`, `ntp.stratum`, `ntp.refid`.
///
/// # Errors
/// When the bytes are not an NTP packet.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
    let packet = Packet::parse(bytes)?;
    Ok(vec![
        Field::computed("ntp.version", packet.version.to_string(), 0..1),
        Field::computed("ntp.mode", packet.mode.to_string(), 0..1),
        Field::computed("ntp.stratum", packet.stratum.to_string(), 1..2),
        Field::computed("ntp.refid", packet.reference(), REFERENCE_ID),
    ])
}

/// Blanks root delay, root dispersion and all timestamps; the fields stay the same.
pub fn mask(bytes: &mut [u8]) {
    if Packet::parse(bytes).is_err() {
        return;
    }
    for range in [4..REFERENCE_ID.start, REFERENCE_ID.end..PACKET_BYTES] {
        if let Some(part) = bytes.get_mut(range) {
            part.fill(0);
        }
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    /// Laid out by hand after RFC 5905 figure 8: version 4, server, stratum 2, following 192.0.2.7.
    fn answer() -> Vec<u8> {
        let mut packet = vec![0x24, 2, 6, 0xE9, 0, 0, 1, 2, 0, 0, 3, 4, 192, 0, 2, 7];
        packet.extend([0xEA; 32]);
        packet
    }

    #[test]
    fn request_is_mode_3_and_carries_the_nonce() {
        let request = client_request(*b"nonce-8b");
        let packet = Packet::parse(&request).expect("a packet");
        assert_eq!((packet.version, packet.mode), (4, 3));
        assert!(request.ends_with(b"nonce-8b"));
    }

    #[test]
    fn reference_is_an_address_or_a_code() {
        let packet = Packet::parse(&answer()).expect("a packet");
        assert_eq!((packet.reference().as_str(), packet.precision), ("192.0.2.7", -23));
        let gps = Packet { stratum: 1, reference_id: *b"GPS\0", ..packet };
        assert_eq!(gps.reference(), "GPS");
    }

    #[test]
    fn mask_blanks_the_times_only() {
        let mut masked = answer();
        let before = fields(&answer()).expect("fields").iter().map(|f| f.value.to_vec()).collect::<Vec<_>>();
        mask(&mut masked);
        let after = fields(&masked).expect("fields").iter().map(|f| f.value.to_vec()).collect::<Vec<_>>();
        assert_eq!(before, after);
        assert!(!masked.contains(&0xEA));
    }

    #[test]
    fn control_messages_and_short_packets_are_refused() {
        let mut control = answer();
        control[0] = 0x26;
        assert!(Packet::parse(&control).is_err());
        for end in 0..PACKET_BYTES {
            assert!(Packet::parse(&answer()[..end]).is_err());
        }
    }
}
