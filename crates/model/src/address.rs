//! Addresses as the field writes them.
//!
//! Internet addresses are [`std::net::IpAddr`], prefixes [`ipnet::IpNet`]. IPv4-mapped IPv6 addresses are folded to
//! IPv4 at the door so that one host has one name, and zone identifiers (`fe80::1%eth0`) are refused: they name an
//! interface of one machine, not a host.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The transport below a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Transport {
    /// `tcp` or `udp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Transport {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            _ => Err(AddressError::NotATransport { text: clip(text) }),
        }
    }
}

/// Why a text is not an address, a prefix or a transport.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not an IPv4 or IPv6 address.
    #[error("{text:?} is not an IPv4 or IPv6 address")]
    NotAnAddress {
        /// What was given.
        text: String,
    },
    /// An address with a zone identifier (RFC 4007).
    #[error("{text:?} names a zone (the part from '%'); a zone is an interface of one machine and cannot be surveyed")]
    Zone {
        /// What was given.
        text: String,
    },
    /// Not a prefix in CIDR notation.
    #[error("{text:?} is not an address or a prefix such as 192.0.2.0/24 or 2001:db8::/32")]
    NotAPrefix {
        /// What was given.
        text: String,
    },
    /// Neither `tcp` nor `udp`.
    #[error("{text:?} is not a transport: tcp or udp")]
    NotATransport {
        /// What was given.
        text: String,
    },
}

/// Reads one address, folding IPv4-mapped IPv6 to IPv4.
///
/// # Errors
/// When the text is no address or names a zone.
pub fn parse_address(text: &str) -> Result<IpAddr, AddressError> {
    if text.contains('%') {
        return Err(AddressError::Zone { text: clip(text) });
    }
    let address: IpAddr = text.parse().map_err(|_| AddressError::NotAnAddress { text: clip(text) })?;
    Ok(address.to_canonical())
}

/// Reads a prefix; a lone address is a prefix of its full length. Host bits are cleared.
///
/// # Errors
/// When the text is neither, or names a zone.
pub fn parse_prefix(text: &str) -> Result<IpNet, AddressError> {
    if text.contains('%') {
        return Err(AddressError::Zone { text: clip(text) });
    }
    if let Ok(address) = parse_address(text) {
        return Ok(IpNet::from(address));
    }
    let prefix: IpNet = text.parse().map_err(|_| AddressError::NotAPrefix { text: clip(text) })?;
    Ok(prefix.trunc())
}

/// An address as one number that sorts like the address: IPv4 as its IPv4-mapped IPv6 form.
pub fn to_u128(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The address that [`to_u128`] made the number of.
#[inline]
pub fn from_u128(number: u128) -> IpAddr {
    match u32::try_from(number & 0xffff_ffff) {
        Ok(four) if number >> 32 == 0xffff => IpAddr::V4(four.into()),
        _ => IpAddr::V6(number.into()),
    }
}

/// First and last address of a prefix as numbers of [`to_u128`].
pub fn bounds(prefix: IpNet) -> (u128, u128) {
    (to_u128(prefix.network()), to_u128(prefix.broadcast()))
}

fn clip(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mapped_addresses_fold_and_zones_are_refused() {
        assert_eq!(parse_address("::ffff:192.0.2.1"), Ok(IpAddr::from([192, 0, 2, 1])));
        assert!(matches!(parse_address("fe80::1%eth0"), Err(AddressError::Zone { .. })));
        assert!(matches!(parse_prefix("fe80::%1/64"), Err(AddressError::Zone { .. })));
        assert!(matches!(parse_address("300.1.1.1"), Err(AddressError::NotAnAddress { .. })));
    }

    #[test]
    fn prefixes_lose_their_host_bits() {
        assert_eq!(parse_prefix("192.0.2.77/24").map(|p| p.to_string()), Ok("192.0.2.0/24".into()));
        assert_eq!(parse_prefix("2001:db8::1").map(|p| p.to_string()), Ok("2001:db8::1/128".into()));
        assert!(parse_prefix("192.0.2.0/33").is_err());
    }

    proptest! {
        #[test]
        fn numbers_round_trip_and_keep_order(a: u32, b: u32) {
            let (left, right) = (IpAddr::V4(a.into()), IpAddr::V4(b.into()));
            prop_assert_eq!(from_u128(to_u128(left)), left);
            prop_assert_eq!(left.cmp(&right), to_u128(left).cmp(&to_u128(right)));
        }
    }
}
