//! Evidence: the bytes that were seen, stored once under their hash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::ContentHash;

/// The most bytes one piece of evidence may hold. Sensors cut and say so ([`Evidence::truncated`]).
pub const MAX_BYTES: usize = 256 * 1024;

/// What asked for these bytes, and so how to read them. The text form is stored: never rename, only add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EvidenceKind {
    /// What a TCP service said before anything was sent, or after an empty line.
    Banner,
    /// One HTTP/1 response: status line, headers, start of the body.
    Http,
    /// The body of a favicon.
    Favicon,
    /// The server's side of a TLS handshake as far as it is in the clear.
    Tls,
    /// The same of a server that was offered hybrid groups and nothing else.
    TlsHybrid,
    /// The same of a server that was offered nothing newer than TLS 1.1.
    TlsOld,
    /// One X.509 certificate, DER.
    Certificate,
    /// One certificate of the chain that is not the first, DER.
    ChainCertificate,
    /// SSH_MSG_KEXINIT payload of the server.
    SshKex,
    /// SSH host key blob (RFC 4253 section 6.6).
    SshHostKey,
    /// One RTSP response.
    Rtsp,
    /// MQTT CONNACK packet.
    Mqtt,
    /// Answers to Redis PING and INFO, error texts included.
    Redis,
    /// One DNS response.
    Dns,
    /// One NTP packet.
    Ntp,
    /// SNMP message (v3 engine report).
    Snmp,
    /// SSDP search response.
    Ssdp,
    /// UPnP device description, XML.
    UpnpDescription,
    /// CoAP message.
    Coap,
    /// ECHONET Lite frame.
    EchonetLite,
    /// Modbus read device identification response (function 43/14).
    Modbus,
    /// Answer to another request; the request is named in the probe.
    Reply,
    /// One service element of somebody else's scan, as that tool wrote it.
    NmapService,
    /// One record of a masscan result.
    MasscanRecord,
    /// One record of a ZGrab2 result.
    ZgrabRecord,
    /// One banner of Shodan, in its words.
    ShodanRecord,
    /// One service of Censys, in its words.
    CensysRecord,
    /// One row of a report of Shadowserver, in its words.
    ShadowserverRecord,
}

/// Every kind with its stored name, in one table.
const KINDS: &[(EvidenceKind, &str)] = &[
    (EvidenceKind::Banner, "banner"),
    (EvidenceKind::Http, "http"),
    (EvidenceKind::Favicon, "favicon"),
    (EvidenceKind::Tls, "tls"),
    (EvidenceKind::TlsHybrid, "tls-hybrid"),
    (EvidenceKind::TlsOld, "tls-old"),
    (EvidenceKind::Certificate, "certificate"),
    (EvidenceKind::ChainCertificate, "chain-certificate"),
    (EvidenceKind::SshKex, "ssh-kex"),
    (EvidenceKind::SshHostKey, "ssh-host-key"),
    (EvidenceKind::Rtsp, "rtsp"),
    (EvidenceKind::Mqtt, "mqtt"),
    (EvidenceKind::Redis, "redis"),
    (EvidenceKind::Dns, "dns"),
    (EvidenceKind::Ntp, "ntp"),
    (EvidenceKind::Snmp, "snmp"),
    (EvidenceKind::Ssdp, "ssdp"),
    (EvidenceKind::UpnpDescription, "upnp-description"),
    (EvidenceKind::Coap, "coap"),
    (EvidenceKind::EchonetLite, "echonet-lite"),
    (EvidenceKind::Modbus, "modbus"),
    (EvidenceKind::Reply, "reply"),
    (EvidenceKind::NmapService, "nmap-service"),
    (EvidenceKind::MasscanRecord, "masscan-record"),
    (EvidenceKind::ZgrabRecord, "zgrab-record"),
    (EvidenceKind::ShodanRecord, "shodan-record"),
    (EvidenceKind::CensysRecord, "censys-record"),
    (EvidenceKind::ShadowserverRecord, "shadowserver-record"),
];

impl EvidenceKind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|(kind, _)| *kind)
    }

    /// The stored name.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("reply", |(_, name)| name)
    }
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A stored name of no kind known to this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no kind of evidence known to this version")]
pub struct UnknownKind {
    /// The stored name.
    pub name: String,
}

impl FromStr for EvidenceKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let found = KINDS.iter().find(|(_, name)| *name == text);
        found.map(|(kind, _)| *kind).ok_or_else(|| UnknownKind { name: text.chars().take(64).collect() })
    }
}

/// Some bytes that were seen, with what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// How to read the bytes.
    pub kind: EvidenceKind,
    /// At most [`MAX_BYTES`]; parts that change at every look (dates, nonces) are masked by the sensor before storing,
    /// so that the same service gives the same bytes.
    pub bytes: Vec<u8>,
    /// Whether more was there and was cut.
    pub truncated: bool,
}

impl Evidence {
    /// Evidence of these bytes, cut to [`MAX_BYTES`].
    pub fn new(kind: EvidenceKind, bytes: impl Into<Vec<u8>>) -> Self {
        let mut evidence = Self { kind, bytes: bytes.into(), truncated: false };
        if evidence.bytes.len() > MAX_BYTES {
            evidence.bytes.truncate(MAX_BYTES);
            evidence.truncated = true;
        }
        evidence
    }

    /// The name of this evidence: the hash of its bytes.
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(&self.bytes)
    }

    /// A reference to this evidence.
    pub fn reference(&self) -> EvidenceRef {
        EvidenceRef { kind: self.kind, hash: self.hash() }
    }
}

/// A reference from a sighting to stored evidence. Text form `kind=hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EvidenceRef {
    /// How to read the bytes.
    pub kind: EvidenceKind,
    /// Where they are.
    pub hash: ContentHash,
}

impl fmt::Display for EvidenceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_name_that_reads_back() {
        for kind in EvidenceKind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
            let serialised = serde_json::to_string(&kind).expect("a string");
            assert_eq!(serialised, format!("\"{}\"", kind.name()), "stored and serialised names are the same");
        }
    }

    #[test]
    fn too_much_is_cut_and_says_so() {
        let evidence = Evidence::new(EvidenceKind::Banner, vec![b'x'; MAX_BYTES + 1]);
        assert!(evidence.truncated);
        assert_eq!(evidence.bytes.len(), MAX_BYTES);
    }
}
