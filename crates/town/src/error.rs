//! Why there is no town.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use hinomi_model::Transport;

/// Everything that can keep a town from standing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TownError {
    /// Too small or too large.
    #[error("a town has 1 to 65536 addresses, not {size}")]
    Size {
        /// What was asked for.
        size: u32,
    },
    /// Outside loopback, or over addresses that other programs use; with an interface, outside private ranges.
    #[error(
        "{size} addresses from {base} do not lie within 127.1.0.0 to 127.255.255.254 (127.77.0.0 is a good base) or, with \
         an interface, within a private range"
    )]
    Range {
        /// First address.
        base: Ipv4Addr,
        /// How many.
        size: u32,
    },
    /// A persona file is wrong.
    #[error("persona {file}: {reason}")]
    Persona {
        /// Which file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The program of a port would be longer than the kernel is asked to take.
    #[error("the program of port {port} has {instructions} instructions; at most {limit} are allowed")]
    FilterTooLong {
        /// Which port.
        port: u16,
        /// How long it would be.
        instructions: usize,
        /// How long it may be.
        limit: usize,
    },
    /// No port could be had for a service.
    #[error("no port can be opened for {transport} {natural}: {source}; is another town running?")]
    Bind {
        /// The port the service would have.
        natural: u16,
        /// Over what.
        transport: Transport,
        /// What the system said.
        source: io::Error,
    },
    /// A socket was opened, but not as the town needs it.
    #[error("{what}: {source}")]
    Socket {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Flows may be told to this machine only.
    #[error("{address} is not on this machine: the town tells its flows to loopback addresses only, as 127.0.0.1:2055")]
    NotLoopback {
        /// What was asked for.
        address: SocketAddr,
    },
}
