//! What is proposed, and why, in words.

use std::fmt;
use std::net::IpAddr;

use hinomi_model::ServiceKey;
use serde::{Serialize, Serializer};

use super::model::Because;
use super::port_of;

/// A target, how likely it is that somebody answers, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Which target.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// Services that one visit is expected to find, from 0 to 1.
    pub expected: f64,
    /// Why.
    pub reason: Why,
}

/// Why a target is proposed; its text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// What it rests on; nothing for those drawn at random.
    pub(super) because: Option<Because>,
    pub(super) address: IpAddr,
    pub(super) port: u32,
    /// At how many of how many it is so.
    pub(super) hits: u32,
    pub(super) of: u64,
}

impl Why {
    /// Whether it was drawn at random.
    pub const fn is_random(&self) -> bool {
        self.because.is_none()
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = Port(self.port);
        let Self { hits, of, .. } = self;
        let (near, wide) = if self.address.is_ipv6() { (64, 48) } else { (24, 16) };
        let net = |length| ipnet::IpNet::new(self.address, length).map(|net| net.trunc().to_string());
        match &self.because {
            None => f.write_str("random: drawn from all addresses and ports"),
            Some(Because::Every) => write!(f, "{port} open at {hits} of {of} hosts"),
            Some(Because::Port(at)) => write!(f, "{port} open where {} is: {hits} of {of} hosts", Port(*at)),
            Some(Because::Product(at, product)) => {
                write!(f, "{port} open where {} speaks {}: {hits} of {of} hosts", Port(*at), printable(product))
            }
            Some(Because::Asn(asn)) => write!(f, "{port} open in AS{asn}: {hits} of {of} hosts"),
            Some(Because::Near) => {
                write!(f, "{port} open in {}: {hits} of {of}", net(near).unwrap_or_default())
            }
            Some(Because::Wide) => {
                write!(f, "{port} open in {}: {hits} of {of}", net(wide).unwrap_or_default())
            }
        }
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

struct Port(u32);

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (transport, port) = port_of(self.0);
        write!(f, "{port}/{transport}")
    }
}

/// What a stranger said, short and on one line.
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() || c == '#' { ' ' } else { c };
    text.chars().take(48).map(plain).collect()
}
