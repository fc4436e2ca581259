//! The words of C&C detection: endpoints, reasons, findings, and what is told when findings change.
//!
//! Detectors make [`Evidence`], [`fuse()`] adds it up, a [`Finding`] is what is held of one [`Endpoint`]; a [`Message`]
//! tells that one was made, taken back or shared. Nothing here names a subscriber. The arithmetic is here and not with
//! the detectors because whoever reads a stored finding must be able to let it fade.

pub mod evidence;
pub mod finding;
pub mod fuse;
pub mod message;
pub mod status;
pub mod words;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use evidence::{Code, Evidence, Family, Group};
pub use finding::{Finding, HALF_LIFE_DAYS, Refutation, Visibility};
pub use fuse::{Contribution, Fused, fuse};
pub use message::{Corroboration, ExportVerdict, KeptBack, Listing, Message, Retraction, Withdrawn};

use crate::address::Transport;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Longest text of an endpoint, in bytes.
const MAX_ENDPOINT_BYTES: usize = 64;

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The host.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
}

/// Text that names no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no endpoint as 203.0.113.9:1337/tcp or [2001:db8::9]:53/udp")]
pub struct NotAnEndpoint {
    /// What was given, at most 64 characters of it.
    pub text: String,
}

impl Endpoint {
    /// Its transport, if it is one that lists can name.
    pub const fn transport(&self) -> Option<Transport> {
        match self.protocol {
            TCP => Some(Transport::Tcp),
            UDP => Some(Transport::Udp),
            _ => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = SocketAddr::new(self.address, self.port);
        match self.transport() {
            Some(transport) => write!(formatter, "{socket}/{transport}"),
            None => write!(formatter, "{socket}/{}", self.protocol),
        }
    }
}

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    /// As it is displayed. A hyphen may stand for the slash, as in paths of pages; without a transport it is TCP.
    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let refuse = || NotAnEndpoint { text: text.chars().take(64).collect() };
        if text.len() > MAX_ENDPOINT_BYTES {
            return Err(refuse());
        }
        let (socket, transport) = text.rsplit_once(['/', '-']).unwrap_or((text, "tcp"));
        let socket: SocketAddr = socket.parse().map_err(|_| refuse())?;
        let protocol = match transport {
            "tcp" => TCP,
            "udp" => UDP,
            number => number.parse().map_err(|_| refuse())?,
        };
        let has_zone = matches!(socket, SocketAddr::V6(v6) if v6.scope_id() != 0);
        if has_zone {
            return Err(refuse());
        }
        Ok(Self { address: socket.ip().to_canonical(), port: socket.port(), protocol })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for text in ["", "203.0.113.9", "203.0.113.9:99999/tcp", "203.0.113.9:1/sctp", "[fe80::1%3]:1/tcp", "x:1/tcp"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        let long = "9".repeat(1_000).parse::<Endpoint>().expect_err("too long");
        assert_eq!(long.text.len(), 64);
        assert_eq!("203.0.113.9:53-udp".parse::<Endpoint>().map(|endpoint| endpoint.protocol), Ok(17));
        assert_eq!("203.0.113.9:53".parse::<Endpoint>().map(|endpoint| endpoint.protocol), Ok(6));
    }

    proptest! {
        #[test]
        fn text_round_trips(v4: u32, v6: u128, is_v4: bool, port: u16, protocol: u8) {
            let address = if is_v4 { IpAddr::V4(v4.into()) } else { IpAddr::V6(v6.into()) }.to_canonical();
            let endpoint = Endpoint { address, port, protocol };
            prop_assert_eq!(endpoint.to_string().parse::<Endpoint>(), Ok(endpoint));
        }
    }
}
