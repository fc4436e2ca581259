//! One captured packet: who, to whom, which protocol, how much. Headers only, the payload is a place in the capture.
//!
//! ```text
//!   frame -- link: Ethernet, VLAN, MPLS, PPPoE, SLL --> ip: v4, v6, fragments --> transport: TCP, UDP, ICMP --> Packet
//! ```
//!
//! Snapshots may be cut short (sFlow keeps about 128 bytes). A frame whose addresses cannot be read is an [`Unread`];
//! one whose addresses can is a [`Packet`], and [`Packet::cut`] says why the rest is missing, if it is. Tunnels (GRE,
//! VXLAN, IP in IP as of DS-Lite and MAP-E) are not opened: the outer packet is what is told. Checksums are not
//! verified, for network cards fill them in after the capture.
//!
//! Follows RFC 791, RFC 8200, RFC 9293, RFC 768, RFC 792, RFC 3032 (MPLS), RFC 2516 (PPPoE), IEEE 802.1Q and the list
//! of link types at tcpdump.org.

use std::net::IpAddr;

mod ip;
mod link;
mod transport;

pub use link::Link;

/// The most VLAN tags and MPLS labels before the IP header.
pub const MAX_TAGS: usize = 8;
/// The most extension headers of an IPv6 packet.
pub const MAX_EXTENSIONS: usize = 8;

/// IANA number of ICMP.
pub const ICMP: u8 = 1;
/// IANA number of TCP.
pub const TCP: u8 = 6;
/// IANA number of UDP.
pub const UDP: u8 = 17;
/// IANA number of ICMP for IPv6.
pub const ICMP6: u8 = 58;

/// The headers of one packet.
///
/// Invariant: `payload_at + payload_len` lies inside the frame that it was read from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Sender, as the packet claims.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// Port of the sender; 0 where the protocol has none or it could not be read.
    pub source_port: u16,
    /// Port of the receiver; 0 where the protocol has none or it could not be read.
    pub destination_port: u16,
    /// IANA number of what the IP packet carries; for IPv6 of what follows the extension headers that were read.
    pub protocol: u8,
    /// TTL, or IPv6's hop limit.
    pub ttl: u8,
    /// Identification: 16 bits of IPv4, 32 of an IPv6 fragment, otherwise 0.
    pub ip_id: u32,
    /// Bytes of the whole IP packet as its header tells; of the frame's rest where the header says 0 (a network card
    /// was to cut it into segments, or a jumbogram).
    pub total_bytes: u32,
    /// What part of a larger packet it is.
    pub fragment: Option<Fragment>,
    /// The TCP header, if there is one and the snapshot holds it.
    pub tcp: Option<Tcp>,
    /// Type and code of an ICMP message.
    pub icmp: Option<(u8, u8)>,
    /// Offset in the frame of what follows the last header that was read.
    pub payload_at: usize,
    /// How much of it the snapshot holds; padding of the link does not count.
    pub payload_len: usize,
    /// Why there is no more, where there should be.
    pub cut: Option<Cut>,
}

/// The TCP header without its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Number of the first byte.
    pub sequence: u32,
    /// Number of the byte that is expected next.
    pub acknowledgement: u32,
    /// FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128.
    pub flags: u8,
    /// Receive window, not scaled.
    pub window: u16,
}

impl Tcp {
    /// The sender has no more to say.
    pub const FIN: u8 = 1;
    /// The first packet of a direction.
    pub const SYN: u8 = 2;
    /// The connection is refused or broken off.
    pub const RST: u8 = 4;
    /// Hand over at once.
    pub const PSH: u8 = 8;
    /// The acknowledgement counts.
    pub const ACK: u8 = 16;
}

/// A part of a larger IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Its place in the original, in bytes.
    pub offset: u16,
    /// Whether others follow.
    pub more: bool,
}

/// Why a packet's transport header is not there, or not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cut {
    /// The snapshot or the IP packet ends before it does.
    Truncated,
    /// Only the first fragment has it.
    LaterFragment,
    /// More than [`MAX_EXTENSIONS`] stand before it.
    TooManyExtensions,
    /// It gives itself an impossible length.
    Malformed,
}

/// Why a frame is no packet that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// Something else, such as ARP.
    #[error("not an IP packet: it says {0:#06x}")]
    NotIp(u16),
    /// The snapshot ends before the addresses do.
    #[error("the snapshot ends before the IP header does")]
    Truncated,
    /// More than [`MAX_TAGS`].
    #[error("more VLAN tags or MPLS labels than the {MAX_TAGS} we read")]
    TooManyTags,
    /// Neither version 4 nor 6, or lengths that contradict each other.
    #[error("an IP header that contradicts itself")]
    Malformed,
}

impl Packet {
    /// Reads a frame of that kind of link.
    ///
    /// # Errors
    /// When the addresses cannot be read.
    pub fn read(link: Link, frame: &[u8]) -> Result<Self, Unread> {
        let mut reader = crate::read::Reader::new(frame);
        link.skip(&mut reader)?;
        let mut packet = ip::read(&mut reader)?;
        transport::read(&mut packet, frame);
        Ok(packet)
    }

    /// What follows the headers, in the frame that the packet was read from.
    pub fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let end = self.payload_at.saturating_add(self.payload_len);
        frame.get(self.payload_at..end).unwrap_or_default()
    }

    /// The TCP flags; none for other protocols.
    pub fn tcp_flags(&self) -> u8 {
        self.tcp.map_or(0, |tcp| tcp.flags)
    }
}

/// Does not print addresses: a subscriber must not end up in a log.
impl std::fmt::Debug for Packet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Packet")
            .field("source_port", &self.source_port)
            .field("destination_port", &self.destination_port)
            .field("protocol", &self.protocol)
            .field("ttl", &self.ttl)
            .field("ip_id", &self.ip_id)
            .field("total_bytes", &self.total_bytes)
            .field("fragment", &self.fragment)
            .field("tcp", &self.tcp)
            .field("icmp", &self.icmp)
            .field("payload_at", &self.payload_at)
            .field("payload_len", &self.payload_len)
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
