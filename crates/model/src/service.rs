//! One address, transport and port that answered.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::address::Transport;
use crate::evidence::EvidenceRef;
use crate::facts::Facts;
use crate::marking::Terms;
use crate::time::Timestamp;

/// The identity of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    /// Where.
    pub address: IpAddr,
    /// Which port.
    pub port: u16,
    /// Over what.
    pub transport: Transport,
}

impl ServiceKey {
    /// Address and port as a socket address.
    pub const fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.socket(), self.transport)
    }
}

/// Current state of one service, as search shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Which service.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// When it first answered.
    pub first_seen: Timestamp,
    /// When it last answered.
    pub last_seen: Timestamp,
    /// Which sensor saw it last.
    pub sensor: String,
    /// AS number of the address, where a table of prefixes says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Country of the address, where a table of prefixes says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What is known of it; what says the same often shares it.
    #[serde(flatten)]
    pub facts: Arc<Facts>,
    /// What that rests on.
    pub evidence: Vec<EvidenceRef>,
    /// Under which terms it is told.
    #[serde(default, skip_serializing_if = "Terms::is_empty")]
    pub terms: Terms,
}
