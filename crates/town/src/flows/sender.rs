//! Sends messages to a collector on this machine, and nowhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use quinn_udp::{Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::ipfix::Message;
use crate::error::TownError;

/// A socket towards a collector. It exists for loopback addresses only: the town's flows are no scan, but no packet of
/// the town leaves the machine.
pub struct LoopbackSender {
    collector: SocketAddr,
    socket: UdpSocket,
    state: UdpSocketState,
}

impl LoopbackSender {
    /// Opens a socket.
    ///
    /// # Errors
    /// When the address is not of this machine's loopback, or the system has no socket.
    pub async fn to(collector: SocketAddr) -> Result<Self, TownError> {
        if !collector.ip().is_loopback() {
            return Err(TownError::NotLoopback { address: collector });
        }
        let own: IpAddr = if collector.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        let socket = UdpSocket::bind((own, 0)).await.map_err(failed)?;
        let state = UdpSocketState::new((&socket).into()).map_err(failed)?;
        Ok(Self { collector, socket, state })
    }

    /// Where the messages come from.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sends one message. That nobody listens is no error: exporters do not know.
    ///
    /// # Errors
    /// When the system cannot send at all.
    pub async fn send(&self, message: &Message) -> io::Result<()> {
        let transmit = Transmit {
            destination: self.collector,
            ecn: None,
            contents: &message.bytes,
            segment_size: None,
            src_ip: None,
        };
        let attempt = || self.state.try_send((&self.socket).into(), &transmit);
        match self.socket.async_io(Interest::WRITABLE, attempt).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            other => other,
        }
    }
}

fn failed(source: io::Error) -> TownError {
    TownError::Socket { what: "a socket towards the collector", source }
}
