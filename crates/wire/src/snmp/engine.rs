//! SNMP engine ids: who made the agent, and often its hardware address (RFC 3411, `SnmpEngineID`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An engine id as sent. Devices do not always keep to the format, so every part is optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineId<'a>(&'a [u8]);

/// What the part behind the enterprise number is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineFormat {
    /// Text that the administrator or maker chose.
    Text(String),
    /// A hardware address, as `00:00:5e:00:53:01`.
    Mac(String),
    /// An address of the device.
    Address(IpAddr),
    /// Bytes, or a form the maker defined.
    Other,
}

impl<'a> EngineId<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The id as sent; 5 to 32 bytes if the agent keeps to the rules.
    pub fn bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The maker's number in the IANA registry of private enterprises.
    pub fn enterprise(&self) -> Option<u32> {
        let first: [u8; 4] = self.0.get(..4)?.try_into().ok()?;
        Some(u32::from_be_bytes(first) & 0x7FFF_FFFF)
    }

    /// What stands behind the enterprise number.
    pub fn format(&self) -> EngineFormat {
        let [first, _, _, _, format, data @ ..] = self.0 else { return EngineFormat::Other };
        // Without the first bit the id is of the older form, whose rest the maker defines.
        if first & 0x80 == 0 {
            return EngineFormat::Other;
        }
        decode(*format, data).unwrap_or(EngineFormat::Other)
    }

    /// Where the part that [`EngineId::format`] decodes begins.
    pub fn data_offset(&self) -> Option<usize> {
        (self.0.len() > 5).then_some(5)
    }
}

fn decode(format: u8, data: &[u8]) -> Option<EngineFormat> {
    Some(match format {
        1 => EngineFormat::Address(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()),
        2 => EngineFormat::Address(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into()),
        // Some agents pad the six bytes of the address.
        3 => {
            let parts: Vec<String> = data.get(..6)?.iter().map(|byte| format!("{byte:02x}")).collect();
            EngineFormat::Mac(parts.join(":"))
        }
        4 => EngineFormat::Text(String::from_utf8_lossy(data).trim_end_matches('\0').to_owned()),
        _ => return None,
    })
}

impl fmt::Display for EngineId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
