//! Why the server could not start or go on.

use std::net::SocketAddr;

/// The server's errors. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The address can be reached from other machines.
    #[error(
        "{address} can be reached from other machines, and this server cannot tell visitors apart yet: whoever reaches it \
         reads everything. Use 127.0.0.1 or [::1]; to reach it from elsewhere, use an SSH tunnel \
         (ssh -L {port}:127.0.0.1:{port} this-machine)"
    )]
    NotLoopback {
        /// What was asked for.
        address: SocketAddr,
        /// Its port.
        port: u16,
    },
    /// Something else listens there.
    #[error(
        "port {port} is in use by another program; stop that program, or choose another port (0 takes any free one)"
    )]
    InUse {
        /// Which port.
        port: u16,
    },
    /// The operating system refused the address for another reason.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Serving ended with an error.
    #[error("the server stopped: {0}")]
    Stopped(std::io::Error),
    /// A catalogue of texts in this program is broken; the test suite prevents this.
    #[error("the texts for {language:?} cannot be read: {detail}")]
    Catalogue {
        /// Which language.
        language: &'static str,
        /// What is wrong.
        detail: String,
    },
}
