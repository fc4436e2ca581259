//! Why the server could not start or go on.

use std::net::SocketAddr;

/// The server's errors. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The address can be reached from other machines.
    #[error(
        "{address} can be reached from other machines, and without TLS whoever is on the way reads everything. Name a \
         certificate under [tls] in web.toml, or the proxy that speaks TLS under [proxy]; or use 127.0.0.1 or [::1], from \
         elsewhere by an SSH tunnel (ssh -L {port}:127.0.0.1:{port} this-machine)"
    )]
    NotLoopback {
        /// What was asked for.
        address: SocketAddr,
        /// Its port.
        port: u16,
    },
    /// The address can be reached from other machines, and nobody has an account: everybody would see everything.
    #[error(
        "{address} is for others as well, and nobody has an account yet: whoever reaches it would see everything. Make an \
         administrator first: hinomi account add NAME --administrator"
    )]
    NobodySignsIn {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The certificate cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Tls(String),
    /// The state cannot be asked who may sign in.
    #[error(transparent)]
    State(#[from] hinomi_state::StateError),
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
